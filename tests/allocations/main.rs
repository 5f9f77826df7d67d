//! Does a request in the steady state take memory from the system? It must not: the allocator's locks and first touches of new
//! pages are what the worst latencies are made of.
//!
//! What is counted are allocations of the thread that decides, one request at a time. Tables are brought to their steady size before:
//! as many holds are open, remembered and forgotten as during the measurement. What is left is what one request needs, and
//! a table's piece for the next moments of time, which one request of many meets; [`Count::assert_none`] bounds how many.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../benches/fixture/mod.rs"]
mod fixture;

mod count;
#[cfg(feature = "testing")]
mod engine;
mod kernel;
#[cfg(feature = "client")]
mod wire;
