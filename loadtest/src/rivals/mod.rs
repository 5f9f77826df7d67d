//! What is a measured figure measured against? The machine itself ([`noise`]), a server that carries the same frames and decides
//! nothing ([`echo`]), and what a user would build instead ([`redis`]).

mod ceiling;
pub(crate) mod echo;
mod noise;
mod payers;
mod redis;

pub(crate) use ceiling::ceiling;
pub(crate) use echo::Echo;
pub(crate) use noise::Noise;
use payers::deal;
pub(crate) use redis::{Fsync, Redis};
