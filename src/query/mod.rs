//! What was spent, and what was decided? Read models: what the feed's events add up to, for views that ask for more than a shard remembers.
//!
//! Each is a follower of the feed and lives in memory. It is bounded: where there is no room for detail, spans of time become longer,
//! and what has no place of its own is counted with the rest, but sums over everything stay exact. Nothing here is asked by a decision.

mod book;
mod decisions;
mod period;
mod read_models;
mod series;
mod spend;
mod told;
mod transactions;

pub use decisions::DecisionCount;
pub use period::Span;
pub use read_models::ReadModels;
pub use series::Figures;
pub use spend::ServiceSpend;
pub use transactions::{
    TRANSACTIONS_PAGE_MAX, Transaction, TransactionCursor, TransactionKind, TransactionPage, TransactionsOf,
};
