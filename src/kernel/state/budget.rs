//! The budgets that one agent asked for. An approved one is a limit on everything that the agent pays, until it ends.
//!
//! Holds are numbered in the order of their placement, and a budget knows with which number it began and ended. So whether a hold counts
//! in it follows from the hold's number, and a hold need not say.

use bincode::{Decode, Encode};

use super::{
    agent::Agent,
    window::{Weight, replace},
};
use crate::kernel::{
    Amount, BudgetRequestId, Duration, Timestamp,
    event::BudgetRequested,
    outcome::{BudgetRequestView, BudgetStatus},
};

/// So many budget requests of an agent are remembered: the one that is waiting or in force, and the latest of the others.
pub const BUDGET_REQUESTS_MAX: usize = 32;
/// A request that nobody decides expires so long after it was made.
pub const PENDING_FOR: Duration = Duration::from_secs(24 * 3600);
/// An approved budget ends so long after its approval where its approver does not say.
pub const APPROVED_FOR_DEFAULT: Duration = Duration::from_secs(24 * 3600);
/// The longest that an approver may say.
pub const APPROVED_FOR_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A hold with this number is never placed.
const NEVER: u64 = u64::MAX;

/// The budget requests of one agent, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct BudgetRequests {
    requests: Vec<BudgetRequest>,
    /// How many there ever were.
    made: u32,
}

/// A budget that an agent asked for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BudgetRequest {
    /// Chosen by whoever asked.
    pub id: BudgetRequestId,
    /// Counts the requests of the agent.
    pub number: u32,
    /// What has become of it.
    pub status: BudgetStatus,
    /// What the agent asked for.
    pub requested: Amount,
    /// What was approved; nothing before.
    pub approved: Amount,
    /// What for, in the agent's words.
    pub purpose: Box<str>,
    /// What kind of spend; empty where it was not said.
    pub category: Box<str>,
    /// What else the agent said: a JSON object, or nothing.
    pub metadata: Box<str>,
    /// What its approver said.
    pub comment: Box<str>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was approved or rejected.
    pub decided_at: Option<Timestamp>,
    /// When it expires, waiting or approved.
    pub expires_at: Timestamp,
    /// What the holds that count in it weigh, and what was paid beyond or without a hold while it was in force.
    pub weight: Weight,
    /// The number of the first hold that counts in it.
    begins_with: u64,
    /// The number of the first hold that no longer does.
    ends_with: u64,
}

impl BudgetRequest {
    /// A request that waits for its approver.
    #[must_use]
    pub fn asked(event: &BudgetRequested, number: u32, now: Timestamp) -> BudgetRequest {
        BudgetRequest {
            id: event.id,
            number,
            status: BudgetStatus::Pending,
            requested: event.amount,
            approved: Amount::ZERO,
            purpose: event.purpose.clone(),
            category: event.category.clone(),
            metadata: event.metadata.clone(),
            comment: "".into(),
            created_at: now,
            decided_at: None,
            expires_at: now.after(PENDING_FOR),
            weight: Weight::default(),
            begins_with: 0,
            ends_with: 0,
        }
    }

    /// It is in force from the hold with the number `serial` on.
    pub fn approve(&mut self, amount: Amount, expires_at: Timestamp, comment: &str, now: Timestamp, serial: u64) {
        self.status = BudgetStatus::Approved;
        self.approved = amount;
        self.expires_at = expires_at;
        self.comment = comment.into();
        self.decided_at = Some(now);
        (self.begins_with, self.ends_with) = (serial, NEVER);
    }

    /// It was rejected.
    pub fn reject(&mut self, comment: &str, now: Timestamp) {
        self.status = BudgetStatus::Rejected;
        self.comment = comment.into();
        self.decided_at = Some(now);
    }

    /// It is no limit any more: the hold with the number `serial` does not count in it.
    pub fn end(&mut self, serial: u64) {
        if self.is_in_force() {
            self.ends_with = serial;
        }
        self.status = self.status_once_over();
    }

    /// The status that it has once its time is over.
    #[must_use]
    pub fn status_once_over(&self) -> BudgetStatus {
        match self.status {
            BudgetStatus::Pending | BudgetStatus::Approved => BudgetStatus::Expired,
            over @ (BudgetStatus::Rejected | BudgetStatus::Expired | BudgetStatus::Exhausted) => over,
        }
    }

    /// Whether it limits what the agent pays: it is approved or exhausted, and has not ended.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.ends_with == NEVER
    }

    /// Whether it stands in the way of another request.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self.status {
            BudgetStatus::Pending | BudgetStatus::Approved => true,
            BudgetStatus::Rejected | BudgetStatus::Expired | BudgetStatus::Exhausted => false,
        }
    }

    /// Whether it expires at `due`, and not later or never.
    #[must_use]
    pub fn expires_by(&self, due: Timestamp) -> bool {
        (self.status == BudgetStatus::Pending || self.is_in_force()) && self.expires_at <= due
    }

    /// Whether the hold with the number `serial` counts in it.
    #[must_use]
    pub fn counts(&self, serial: u64) -> bool {
        (self.begins_with..self.ends_with).contains(&serial)
    }

    /// As it is told.
    #[must_use]
    pub fn view(&self, agent: &Agent) -> BudgetRequestView {
        BudgetRequestView {
            id: self.id,
            agent: agent.id,
            agent_name: agent.name().to_owned(),
            status: self.status,
            requested: self.requested,
            approved: self.decided_at.filter(|_| self.status != BudgetStatus::Rejected).map(|_| self.approved),
            spent: self.weight.spent,
            held: self.weight.used.saturating_sub(self.weight.spent),
            purpose: self.purpose.to_string(),
            category: self.category.to_string(),
            metadata: self.metadata.to_string(),
            comment: self.comment.to_string(),
            created_at: self.created_at,
            decided_at: self.decided_at,
            expires_at: self.expires_at,
        }
    }

    /// What a hold that does not count in it weighs more was spent beyond that hold, and now.
    fn book(&mut self, serial: u64, before: Weight, after: Weight) {
        if self.counts(serial) {
            self.weight.used = replace(self.weight.used, before.used, after.used);
            self.weight.spent = replace(self.weight.spent, before.spent, after.spent);
        } else if self.is_in_force() {
            self.spend(after.used.saturating_sub(before.used));
        }
    }

    fn spend(&mut self, amount: Amount) {
        self.weight.used = self.weight.used.saturating_add(amount);
        self.weight.spent = self.weight.spent.saturating_add(amount);
    }
}

impl BudgetRequests {
    /// The number of the next request.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.made + 1
    }

    /// Adds a new request, and forgets the oldest that is over where there are too many; returns what was forgotten.
    pub fn add(&mut self, request: BudgetRequest) -> Option<BudgetRequest> {
        self.made = request.number;
        let full = self.requests.len() >= BUDGET_REQUESTS_MAX;
        let over = |request: &BudgetRequest| !request.is_active() && !request.is_in_force();
        let oldest = self.requests.iter().position(over).filter(|_| full);
        let forgotten = oldest.map(|position| self.requests.remove(position));
        self.requests.push(request);
        forgotten
    }

    /// Books what a hold weighs now.
    pub fn book(&mut self, serial: u64, before: Weight, after: Weight) {
        self.requests.iter_mut().for_each(|request| request.book(serial, before, after));
    }

    /// Books a payment that nothing was held for.
    pub fn spend(&mut self, amount: Amount) {
        self.requests.iter_mut().filter(|request| request.is_in_force()).for_each(|request| request.spend(amount));
    }

    /// A request by its id, to change it.
    pub fn get_mut(&mut self, id: BudgetRequestId) -> Option<&mut BudgetRequest> {
        self.requests.iter_mut().find(|request| request.id == id)
    }

    /// The one in force ends before the hold with the number `serial`.
    pub fn end_in_force(&mut self, serial: u64) {
        self.requests.iter_mut().filter(|request| request.is_in_force()).for_each(|request| request.end(serial));
    }

    /// A request by its id.
    #[must_use]
    pub fn get(&self, id: BudgetRequestId) -> Option<&BudgetRequest> {
        self.requests.iter().find(|request| request.id == id)
    }

    /// A request by its number.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Option<&BudgetRequest> {
        self.requests.iter().find(|request| request.number == number)
    }

    /// The one that limits what the agent pays.
    #[must_use]
    pub fn in_force(&self) -> Option<&BudgetRequest> {
        self.requests.iter().rev().find(|request| request.is_in_force())
    }

    /// Oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &BudgetRequest> {
        self.requests.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::AgentIndex;

    fn asked(requests: &BudgetRequests) -> BudgetRequest {
        let number = requests.next_number();
        let event = BudgetRequested {
            agent: AgentIndex(0),
            id: BudgetRequestId(u128::from(number)),
            amount: Amount::from_units(1),
            purpose: "p".into(),
            category: "".into(),
            metadata: "".into(),
        };
        BudgetRequest::asked(&event, number, Timestamp::ZERO)
    }

    fn weight(used: u64, spent: u64) -> Weight {
        Weight { used: Amount::from_micros(used), spent: Amount::from_micros(spent) }
    }

    #[test]
    fn a_hold_counts_by_its_number() {
        let mut requests = BudgetRequests::default();
        let mut request = asked(&requests);
        request.approve(Amount::from_units(1), Timestamp::MAX, "", Timestamp::ZERO, 5);
        requests.add(request);
        let book = |requests: &mut BudgetRequests, serial, before, after| {
            requests.book(serial, before, after);
            requests
                .get(BudgetRequestId(1))
                .map(|request| (request.weight.used.micros(), request.weight.spent.micros()))
        };
        // Placed before: only what is spent beyond it counts.
        assert_eq!(book(&mut requests, 4, weight(10, 0), weight(10, 10)), Some((0, 0)));
        assert_eq!(book(&mut requests, 4, weight(10, 10), weight(13, 13)), Some((3, 3)));
        assert_eq!(book(&mut requests, 4, weight(13, 13), weight(1, 1)), Some((3, 3)));
        assert_eq!(book(&mut requests, 5, weight(0, 0), weight(7, 0)), Some((10, 3)));
        requests.end_in_force(6);
        // It is over, yet what becomes of its holds is told.
        assert_eq!(book(&mut requests, 5, weight(7, 0), weight(2, 2)), Some((5, 5)));
        assert_eq!(book(&mut requests, 6, weight(0, 0), weight(9, 9)), Some((5, 5)));
        assert!(requests.in_force().is_none());
    }

    #[test]
    fn only_so_many_are_remembered_and_never_without_the_one_in_force() {
        let mut requests = BudgetRequests::default();
        for place in 0..BUDGET_REQUESTS_MAX + 2 {
            let mut request = asked(&requests);
            if place == 0 {
                request.approve(Amount::from_units(1), Timestamp::MAX, "", Timestamp::ZERO, 0);
                request.status = BudgetStatus::Exhausted;
            } else {
                request.reject("", Timestamp::ZERO);
            }
            let forgotten = requests.add(request).map(|request| request.number);
            assert_eq!(forgotten, (place >= BUDGET_REQUESTS_MAX).then(|| (place - BUDGET_REQUESTS_MAX + 2) as u32));
        }
        assert_eq!(requests.iter().count(), BUDGET_REQUESTS_MAX);
        assert_eq!(requests.in_force().map(|request| request.number), Some(1));
    }
}
