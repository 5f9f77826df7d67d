//! What may an agent spend? Policies in three stages, one file each: as written ([`PolicySource`]), as understood
//! ([`CheckedPolicy`]), as run ([`Program`]). Nothing here knows an agent's state: a program is only the question.

pub mod caps;
pub mod checked;
pub mod circumstance;
pub mod counted;
pub mod error;
pub mod kind;
pub mod name_set;
mod operator;
pub mod program;
pub mod rule;
pub mod service;
pub mod service_set;
pub mod source;
pub mod value;
pub mod wallet_set;

pub use caps::{Caps, Pace, Total};
pub use checked::{CheckedPolicy, check};
pub use circumstance::{Circumstance, Judgement, Scene};
pub use counted::{Counted, CountedSet, Over, Whose};
pub use error::PolicyError;
pub use kind::RuleKind;
pub use name_set::NameSet;
pub use program::{Asking, PeriodSet, Program, compile};
pub use rule::{Applies, CalendarWindow, Rail, Rule, ServiceWindow, SpendWindow};
pub use service_set::ServiceSet;
pub use source::{ApprovalTerms, PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource};
pub use wallet_set::WalletSet;
