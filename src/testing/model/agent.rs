//! Everything that happened to one agent, in the order in which it happened. Money is counted in signed micro-units here, so
//! that a sum that went wrong shows as a negative number instead of a clamped one.

use super::{
    approval::Waiting,
    budget::Budget,
    counted::{Before, NarrowCall, Past, Start},
    watch::Watch,
};
use crate::kernel::{
    AgentId, Amount, AuthorizationId, Duration, OperationId, Outcome, Protocol, Timestamp,
    outcome::{Approval, HoldStatus},
    request::{AgentStatus, Intent, WalletSource},
};

#[derive(Clone, Debug)]
pub(super) struct Agent {
    pub(super) id: AgentId,
    pub(super) name: String,
    pub(super) agent_type: String,
    pub(super) status: AgentStatus,
    pub(super) own_lease: Option<Amount>,
    pub(super) created_at: Timestamp,
    pub(super) wallets: Vec<Wallet>,
    /// Every hold ever, with those that are forgotten: their money stays in the sums.
    pub(super) holds: Vec<Hold>,
    /// Every payment that was booked without a hold.
    pub(super) payments: Vec<Payment>,
    /// Every time that a hold came to weigh more by what was paid beyond it.
    pub(super) growths: Vec<Growth>,
    /// Every session ever; the number of a session is its place here, from 1.
    pub(super) sessions: Vec<Session>,
    pub(super) operations: Vec<Operation>,
    /// Every budget request ever.
    pub(super) budgets: Vec<Budget>,
    pub(super) unknown_holds: Vec<UnknownHold>,
    /// Spend that nobody can say the session or service of.
    pub(super) unattributed: i128,
    /// What velocity counts.
    pub(super) paces: Vec<(Timestamp, u64)>,
    /// From which of `paces` on each period of `Period::ALL` counts; nothing where no policy ever asked for the period.
    pub(super) paced_from: [Option<usize>; 5],
    /// What the services' `calls` count.
    pub(super) calls: Vec<Call>,
    /// Whether it ever paid, or was approved to.
    pub(super) active: bool,
    /// What is counted for some rules only, and since when.
    pub(super) starts: Vec<Start>,
    pub(super) before: Vec<Before>,
    pub(super) past: Past,
    pub(super) narrow_calls: Vec<NarrowCall>,
    /// The lease as it was armed in this incarnation.
    pub(super) armed: Option<(Amount, u32)>,
    /// How it pays, as far as that can freeze it.
    pub(super) watch: Watch,
}

#[derive(Clone, Debug)]
pub(super) struct Wallet {
    pub(super) source: WalletSource,
    /// What the wallet had spent when its balance was told.
    pub(super) spent_when_told: i128,
}

/// How a hold weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On the agent's counters.
    Own,
    /// On the agent's counters, as the deposit of its session.
    Deposit,
    /// On the deposit of its session alone.
    Envelope,
}

#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) id: AuthorizationId,
    pub(super) place: Place,
    pub(super) status: HoldStatus,
    pub(super) amount: i128,
    pub(super) captured: i128,
    pub(super) refunded: i128,
    pub(super) protocol: Protocol,
    pub(super) recipient: String,
    pub(super) service: String,
    /// Zero where it belongs to none.
    pub(super) session: u32,
    pub(super) wallet: Option<usize>,
    /// Where endpoints were counted when it was placed.
    pub(super) endpoint: Option<String>,
    pub(super) placed_at: Timestamp,
    /// Over all agents, so that holds that expire together do so in this order.
    pub(super) placed_as: u64,
    pub(super) expires_at: Timestamp,
    pub(super) ended_at: Timestamp,
    pub(super) forgotten: bool,
    pub(super) content: Content,
    pub(super) approval: Approval,
    /// Where people were asked.
    pub(super) waiting: Option<Waiting>,
    /// What settled it, where its settlement said so.
    pub(super) transaction: Option<String>,
    /// The answer to the request that voided it.
    pub(super) released: Option<Amount>,
}

impl Hold {
    pub(super) fn is_open(&self) -> bool {
        self.status == HoldStatus::Open
    }

    /// What is reserved and not captured yet, of a hold that is no deposit.
    pub(super) fn reserved(&self) -> i128 {
        if self.is_open() { (self.amount - self.captured).max(0) } else { 0 }
    }
}

/// Everything in a request for a hold but its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) amount: Amount,
    pub(super) protocol: Protocol,
    pub(super) intent: Intent,
    pub(super) texts: [String; 5],
    pub(super) hold_for: Option<Duration>,
    /// The facts, printed.
    pub(super) facts: String,
}

#[derive(Clone, Debug)]
pub(super) struct Payment {
    pub(super) at: Timestamp,
    pub(super) amount: i128,
    /// Nothing where nobody can say.
    pub(super) protocol: Option<Protocol>,
    pub(super) service: String,
    pub(super) session: u32,
    /// All that it counts in: where nobody can say which one paid, any may have.
    pub(super) wallets: Vec<usize>,
    /// Where endpoints were counted.
    pub(super) endpoint: Option<String>,
}

/// A part of a hold's weight that came on top of it, as the weight of the hold itself says. It is told apart because it
/// counts when it came where the window of its hold was over by then.
#[derive(Clone, Debug)]
pub(super) struct Growth {
    pub(super) at: Timestamp,
    pub(super) hold: usize,
    /// What it weighed before.
    pub(super) from: i128,
    pub(super) amount: i128,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) at: Timestamp,
    pub(super) protocol: Protocol,
    pub(super) service: String,
    pub(super) count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionSort {
    Implicit,
    Run,
    Envelope { ends_at: Timestamp },
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) protocol: Protocol,
    pub(super) sort: SessionSort,
    pub(super) name: String,
    /// Whom and what the deposit is for; empty without a deposit.
    pub(super) recipient: String,
    pub(super) service: String,
    pub(super) opened_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) closed: bool,
    /// What closing it released.
    pub(super) released: Amount,
    /// What becomes of the deposit once the session is closed and its charges are over.
    pub(super) deposit_ends_as: HoldStatus,
    pub(super) forgotten: bool,
}

impl Session {
    pub(super) fn is_envelope(&self) -> bool {
        matches!(self.sort, SessionSort::Envelope { .. })
    }

    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        match self.sort {
            SessionSort::Envelope { ends_at } => Some(ends_at),
            SessionSort::Implicit | SessionSort::Run => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) id: OperationId,
    pub(super) content: OperationContent,
    pub(super) answer: Outcome,
    pub(super) at: Timestamp,
    pub(super) forgotten: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OperationContent {
    Capture(AuthorizationId, Amount),
    Extend(AuthorizationId, Duration),
    Increment(AuthorizationId, Amount),
    Refund(AuthorizationId, Amount),
    Record(String, Amount),
}

#[derive(Clone, Debug)]
pub(super) struct UnknownHold {
    pub(super) amount: i128,
    pub(super) until: Timestamp,
}

impl Agent {
    /// The remembered hold of this id, by its position in the list.
    pub(super) fn hold(&self, id: AuthorizationId) -> Option<usize> {
        self.holds.iter().position(|hold| hold.id == id && !hold.forgotten)
    }

    pub(super) fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == id && !operation.forgotten)
    }

    pub(super) fn session(&self, number: u32) -> Option<&Session> {
        self.sessions.get((number as usize).checked_sub(1)?)
    }

    pub(super) fn session_mut(&mut self, number: u32) -> Option<&mut Session> {
        self.sessions.get_mut((number as usize).checked_sub(1)?)
    }

    /// The position in the list of the hold that is the deposit of a session, as long as it is remembered.
    pub(super) fn deposit(&self, session: u32) -> Option<usize> {
        let is_it = |hold: &Hold| hold.session == session && hold.place == Place::Deposit && !hold.forgotten;
        self.holds.iter().position(is_it)
    }

    /// A request was made in the session.
    pub(super) fn touch(&mut self, session: u32, now: Timestamp) {
        if let Some(session) = self.session_mut(session) {
            session.last_at = now;
        }
    }

    pub(super) fn unknown(&self) -> i128 {
        self.unknown_holds.iter().map(|unknown| unknown.amount).sum()
    }
}
