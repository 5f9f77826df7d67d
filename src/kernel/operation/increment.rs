//! Enlarge a hold.

use super::{
    authorize::Payee,
    join::Join,
    limits::{self, Payment},
};
use crate::kernel::{
    AgentIndex, Amount, AuthorizationId, Event, Failure, Outcome, Timestamp,
    event::{Denied, Increased},
    outcome::Denial,
    request::Increment,
    state::{
        State,
        budget::BudgetRequest,
        history::{Answered, Asked, Deed, Operation},
        hold::Hold,
    },
};

impl State {
    pub(crate) fn increment(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Increment,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let content = Asked::Increment(asked.id, asked.amount);
        if let Some(Answered::Increased { amount, remaining }) = self.repeated(index, asked.operation, content)? {
            return Ok(Outcome::Increased { amount, remaining });
        }
        if asked.amount.is_zero() || asked.amount > Amount::MAX {
            return Err(Failure::Invalid { field: "amount", expected: "more than zero and at most 1000000000000" });
        }
        let hold = self.open_charge(index, asked.id)?;
        if hold.placed_at.day() != now.day() {
            return Err(Failure::Invalid {
                field: "authorizationId",
                expected: "an authorization of today: a hold counts in the windows of its day; ask for a new one",
            });
        }
        let within = |budget: &BudgetRequest| hold.from_deposit || budget.counts(hold.serial);
        if !agent.budget_in_force().is_none_or(within) {
            return Err(Failure::Invalid {
                field: "authorizationId",
                expected: "an authorization of the budget in force: a hold counts in the budget of its time; ask for a new one",
            });
        }
        if hold.endpoint().is_none() && self.program(agent).counted().has_endpoints(hold.protocol) {
            return Err(Failure::Invalid {
                field: "authorizationId",
                expected: "an authorization from after endpoints began to be limited; ask for a new one",
            });
        }
        let whole = hold.amount().saturating_add(asked.amount);
        let payee = Payee::known(self, hold.recipient, hold.service());
        let session = agent.session(hold.session);
        let entry = self.described(self.program(agent), &payee.recipient);
        let payment = Payment {
            protocol: hold.protocol,
            amount: asked.amount,
            whole,
            recipient: &payee.recipient,
            service: payee.service.as_ref(),
            recipient_id: payee.recipient_id,
            service_id: payee.service_id,
            join: session.map_or(Join::None, Join::In),
            deposit: session.and_then(|session| self.deposit_hold(index, session)),
            duration: None,
            wallet: hold.wallet.map(usize::from),
            wallet_named: false,
            payer: self.payer(hold),
            endpoint: hold.endpoint(),
            enlarges: true,
            judged: hold.policy_revision() == self.catalogue.revision(),
            facts: None,
            entry,
            others: Vec::new(),
            stops: self.stops(&payee.recipient, entry, &[], None),
        };
        let verdict = limits::check(agent, self.program(agent), &self.options, &payment, now);
        if let Some(first) = verdict.first_refusal() {
            let denied =
                Denied { agent: index, kind: first.kind, count: 1, amount: asked.amount, session: hold.session };
            events.push(Event::Denied(denied));
            let policy_revision = self.catalogue.revision();
            return Ok(Outcome::Denied(Denial { violations: verdict.refusals(), policy_revision }));
        }
        events.push(Event::Increased(Increased {
            agent: index,
            id: asked.id,
            operation: asked.operation,
            by: asked.amount,
            remaining: verdict.remaining,
        }));
        Ok(Outcome::Increased { amount: whole, remaining: verdict.remaining })
    }

    pub(crate) fn increased(&mut self, now: Timestamp, event: &Increased) {
        let slot = self.holds.find(event.agent, event.id).expect("INVARIANT: events speak of holds that exist");
        let before = self.holds.at(slot).headroom();
        self.change(now, slot, |hold| hold.resize(hold.amount().saturating_add(event.by)));
        let hold = self.holds.at(slot);
        let (amount, after, session) = (hold.amount(), hold.headroom(), hold.session);
        if let Some(deposit) = self.deposit_of(hold) {
            self.change_inside(now, deposit, |inside| inside.saturating_sub(before).saturating_add(after));
        }
        State::touch(self.agent_mut(event.agent), session, now);
        self.watch_increased(now, slot, event);
        let deed = Deed::Increased { of: event.id, by: event.by, amount, remaining: event.remaining };
        self.remember(now, Operation { agent: event.agent, id: event.operation, deed });
    }

    /// An open hold that is no deposit.
    pub(crate) fn open_charge(&self, index: AgentIndex, id: AuthorizationId) -> Result<&Hold, Failure> {
        let slot = self.holds.find(index, id).ok_or(Failure::UnknownAuthorization)?;
        let hold = self.holds.at(slot);
        if hold.deposit {
            return Err(Failure::Invalid {
                field: "authorizationId",
                expected: "an authorization that is no session deposit; open another session instead",
            });
        }
        if hold.is_waiting() {
            return Err(Failure::AwaitsApproval);
        }
        if hold.is_open() { Ok(hold) } else { Err(Failure::AuthorizationOver(hold.status)) }
    }
}
