//! What should the kernel have decided? The rules of `docs/SEMANTICS.md` a second time: slowly, obviously, from a list of
//! everything that happened. Nothing is counted ahead: each sum is taken from the list at each question, so a mistake in the
//! kernel's counters cannot be repeated here. One file a subject; no code is shared with `kernel::state`.

mod agent;
mod approval;
mod authorize;
mod budget;
mod capture;
mod change;
mod counted;
mod counterparty;
mod examine;
mod lease;
mod operator;
mod passing;
mod place;
mod record;
mod sanctions;
mod session;
mod settle;
mod shard;
mod sum;
mod view;
mod watch;

pub use shard::Model;
