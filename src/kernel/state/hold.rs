//! One hold: everything that is remembered of an authorization, in two cache lines.

use bincode::{Decode, Encode};

use super::{
    approval::{ApprovalAnswer, ApprovalRequest},
    rebuilt::Rebuilt,
    slots::{NIL, Slot},
    window::Weight,
};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Duration, EndpointId, NameId, Protocol, SessionNumber, Timestamp,
    event::Approved,
    outcome::{Approval, ApprovalStatus, HoldStatus},
    reason::Reasons,
};

/// Money reserved by an approved authorization.
///
/// There are millions of them, so what only few have is kept apart, and what can be told from the rest is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// Chosen by its client.
    pub id: AuthorizationId,
    /// Whose.
    pub agent: AgentIndex,
    /// Counts the placements in the shard.
    pub serial: u64,
    /// What became of it.
    pub status: HoldStatus,
    /// Its rail.
    pub protocol: Protocol,
    /// Whether it is the deposit of its session.
    pub deposit: bool,
    /// Whether it draws from the deposit of its session, and so weighs on nothing else.
    pub from_deposit: bool,
    amount: Amount,
    captured: Amount,
    /// Its windows are those of this moment.
    pub placed_at: Timestamp,
    expires_at: Timestamp,
    /// In microseconds, where `rare` has none.
    grace_us: u32,
    /// Who is paid.
    pub recipient: NameId,
    /// [`NameId::UNKNOWN`] where there is none.
    service: NameId,
    /// In which session.
    pub session: SessionNumber,
    /// From which wallet.
    pub wallet: Option<u8>,
    reasons: u16,
    policy_revision: u32,
    /// Of the request.
    fingerprint: u64,
    remaining: Told,
    available: Told,
    rare: Option<Box<Rare>>,
    /// Neighbours among the agent's open holds.
    pub(super) links: Rebuilt<Links>,
}

// A power of two, so that pieces of them fill what an allocator gives; more than the natural alignment would make it give more.
const _: () = assert!(size_of::<Option<Hold>>() == 128, "a hold takes two cache lines");

/// What few holds have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
struct Rare {
    refunded: Amount,
    /// Where it is not what was left of it when it was voided.
    released: Option<Amount>,
    /// Where it is another one now.
    approved_amount: Option<Amount>,
    /// Where it is another moment now.
    approved_until: Option<Timestamp>,
    /// Where it does not fit the hold.
    grace: Option<Duration>,
    /// Where people were asked.
    approval: Option<Box<ApprovalRequest>>,
    /// What paid it, where its settlement said so.
    transaction: Option<Box<str>>,
    /// Where endpoints were counted when it was placed.
    endpoint: Option<EndpointId>,
}

/// An amount that may be absent, in eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Told(u64);

impl Told {
    /// More than there is of anything.
    const NOTHING: Told = Told(u64::MAX);

    fn amount(self) -> Option<Amount> {
        (self != Told::NOTHING).then_some(Amount::from_micros(self.0))
    }
}

impl From<Option<Amount>> for Told {
    fn from(amount: Option<Amount>) -> Told {
        amount.map_or(Told::NOTHING, |amount| Told(amount.micros()))
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub(super) older: Slot,
    pub(super) newer: Slot,
}

impl Default for Links {
    fn default() -> Self {
        Links { older: NIL, newer: NIL }
    }
}

impl Hold {
    /// An open hold with nothing captured, as it is approved now. `available` is what its wallet has left then.
    #[must_use]
    pub fn placed(event: &Approved, serial: u64, now: Timestamp, grace: Duration, available: Option<Amount>) -> Hold {
        let mut hold = Hold {
            id: event.id,
            agent: event.agent,
            serial,
            status: HoldStatus::Open,
            protocol: event.protocol,
            deposit: event.deposit,
            from_deposit: event.from_deposit,
            amount: event.amount,
            captured: Amount::ZERO,
            placed_at: now,
            expires_at: now.after(event.expires_after),
            grace_us: 0,
            recipient: event.recipient,
            service: event.service.unwrap_or(NameId::UNKNOWN),
            session: event.session,
            wallet: event.wallet,
            reasons: event.reasons.0 as u16,
            policy_revision: event.policy_revision,
            fingerprint: event.fingerprint,
            remaining: event.remaining.into(),
            available: available.into(),
            rare: None,
            links: Rebuilt::default(),
        };
        hold.set_grace(grace);
        if event.endpoint.is_some() {
            hold.rare().endpoint = event.endpoint;
        }
        hold
    }

    /// It waits for people, and is released as soon as they have had their time.
    pub(crate) fn wait(&mut self, request: ApprovalRequest) {
        self.set_grace(Duration::ZERO);
        self.rare().approval = Some(Box::new(request));
    }

    /// A person answered. `until` is when the caller may pay where that was the last approval.
    pub(crate) fn answer(&mut self, answer: ApprovalAnswer, until: Option<Timestamp>, grace: Duration, now: Timestamp) {
        let Some(request) = self.rare.as_mut().and_then(|rare| rare.approval.as_mut()) else { return };
        let rejects = !answer.approves;
        request.answers.push(answer);
        if rejects || until.is_some() {
            request.status = if rejects { ApprovalStatus::Rejected } else { ApprovalStatus::Approved };
            request.decided_at = Some(now);
        }
        if let Some(until) = until {
            self.expires_at = until;
            self.set_grace(grace);
        }
    }

    /// What people were asked, if they were.
    #[must_use]
    pub fn approval_request(&self) -> Option<&ApprovalRequest> {
        self.rare.as_ref()?.approval.as_deref()
    }

    /// Whether people must decide before anybody may pay.
    #[must_use]
    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.approval_request().is_some_and(|request| request.status == ApprovalStatus::Waiting)
    }

    /// It ended while it waited.
    pub(crate) fn end_waiting(&mut self, now: Timestamp) {
        let status = self.status;
        if let Some(request) = self.rare.as_mut().and_then(|rare| rare.approval.as_mut()) {
            request.end(status, now);
        }
    }

    /// Whether it is the agent's hold of this id.
    #[must_use]
    pub(super) fn is_of(&self, agent: AgentIndex, id: AuthorizationId) -> bool {
        self.id == id && self.agent == agent
    }

    /// What it weighs, where `inside` is held by charges that draw from it (zero unless it is a deposit).
    #[must_use]
    pub fn weight(&self, inside: Amount) -> Weight {
        self.weight_at(self.captured, inside)
    }

    /// What it would weigh if so much of it were captured.
    #[must_use]
    pub fn weight_at(&self, captured: Amount, inside: Amount) -> Weight {
        let gross = match self.status {
            HoldStatus::Open => self.amount.max(captured.saturating_add(inside)),
            HoldStatus::Captured | HoldStatus::Voided | HoldStatus::Expired => captured,
        };
        let refunded = self.refunded();
        Weight { used: gross.saturating_sub(refunded), spent: captured.saturating_sub(refunded) }
    }

    /// What it holds or held, with its increments.
    #[must_use]
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// What it was approved for, without its increments.
    #[must_use]
    pub fn approved_amount(&self) -> Amount {
        self.rare.as_ref().and_then(|rare| rare.approved_amount).unwrap_or(self.amount)
    }

    /// What was reported as paid.
    #[must_use]
    pub fn captured(&self) -> Amount {
        self.captured
    }

    /// What came back of it.
    #[must_use]
    pub fn refunded(&self) -> Amount {
        self.rare.as_ref().map_or(Amount::ZERO, |rare| rare.refunded)
    }

    /// What was released when it was voided or its session was closed.
    #[must_use]
    pub fn released(&self) -> Amount {
        let told = self.rare.as_ref().and_then(|rare| rare.released);
        let rest = if self.status == HoldStatus::Voided { self.headroom() } else { Amount::ZERO };
        told.unwrap_or(rest)
    }

    /// What a further capture may still take of it.
    #[must_use]
    pub fn headroom(&self) -> Amount {
        self.amount.saturating_sub(self.captured)
    }

    /// Whether money is held.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.status == HoldStatus::Open
    }

    /// For which service.
    #[must_use]
    pub fn service(&self) -> Option<NameId> {
        (self.service != NameId::UNKNOWN).then_some(self.service)
    }

    /// For which endpoint, where endpoints were counted when it was placed.
    #[must_use]
    pub fn endpoint(&self) -> Option<EndpointId> {
        self.rare.as_ref().and_then(|rare| rare.endpoint)
    }

    /// The caller may pay until then.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// It is released then: a grace later.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        let long = self.rare.as_ref().and_then(|rare| rare.grace);
        self.expires_at.after(long.unwrap_or(Duration::from_micros(u64::from(self.grace_us))))
    }

    /// Whether it was approved for a request with this fingerprint and amount.
    #[must_use]
    pub fn answers(&self, fingerprint: u64, amount: Amount) -> bool {
        self.fingerprint == fingerprint && self.approved_amount() == amount
    }

    /// The revision of the policies that approved it.
    #[must_use]
    pub fn policy_revision(&self) -> u32 {
        self.policy_revision
    }

    /// The approval as it was given.
    #[must_use]
    pub fn approval(&self) -> Approval {
        Approval {
            id: self.id,
            amount: self.approved_amount(),
            expires_at: self.rare.as_ref().and_then(|rare| rare.approved_until).unwrap_or(self.expires_at),
            remaining: self.remaining.amount(),
            wallet: self.wallet,
            available: self.available.amount(),
            reasons: Reasons(u32::from(self.reasons)),
            session: self.session,
            policy_revision: self.policy_revision,
            repeated: true,
        }
    }

    /// More of it was reported as paid.
    pub fn capture(&mut self, amount: Amount) {
        if self.status == HoldStatus::Voided {
            self.keep_released(self.released());
        }
        self.captured = self.captured.saturating_add(amount);
    }

    /// It was settled by this transaction.
    pub fn paid_by(&mut self, transaction: &str) {
        self.rare().transaction = Some(transaction.into());
    }

    /// The transaction that its settlement named, which may be empty.
    #[must_use]
    pub fn transaction(&self) -> Option<&str> {
        self.rare.as_ref()?.transaction.as_deref()
    }

    /// Less of it counts as reported: it came back.
    pub fn uncapture(&mut self, amount: Amount) {
        self.captured = self.captured.saturating_sub(amount);
    }

    /// Some of it came back.
    pub fn refund(&mut self, amount: Amount) {
        let rare = self.rare();
        rare.refunded = rare.refunded.saturating_add(amount);
    }

    /// It holds more or less from now on.
    pub fn resize(&mut self, amount: Amount) {
        if amount != self.amount {
            let approved = self.approved_amount();
            self.rare().approved_amount = Some(approved);
            self.amount = amount;
        }
    }

    /// So much was released of it.
    pub fn keep_released(&mut self, released: Amount) {
        self.rare().released = Some(released);
    }

    /// The caller may pay until another moment.
    pub fn extend(&mut self, expires_at: Timestamp, grace: Duration) {
        let before = self.expires_at;
        self.rare().approved_until.get_or_insert(before);
        self.expires_at = expires_at;
        self.set_grace(grace);
    }

    fn set_grace(&mut self, grace: Duration) {
        match u32::try_from(grace.micros()) {
            Ok(grace_us) => {
                self.grace_us = grace_us;
                if let Some(rare) = &mut self.rare {
                    rare.grace = None;
                }
            }
            Err(_) => self.rare().grace = Some(grace),
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}
