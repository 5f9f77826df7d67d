//! Report a payment by its facts. The money has moved: it is matched where it can be, and counted in any case.

use super::{
    authorize::{LABEL_BYTES_MAX, Payee, RESOURCE_BYTES_MAX},
    join::Join,
};
use crate::kernel::{
    AgentIndex, Amount, EndpointId, Event, Failure, Name, NameId, OperationId, Outcome, Protocol, SessionNumber,
    Timestamp,
    event::{RecordBooked, SessionKind, SessionOpened},
    outcome::{Booking, Recorded},
    request::Record,
    state::{
        State,
        agent::Agent,
        asked,
        counters::{Change, Scope, Scopes},
        history::{Answered, Asked, Deed, Operation},
        hold::Hold,
        session::Session,
        slots::Slot,
        window::Weight,
    },
};

/// What a reported payment is booked against.
enum Match<'a> {
    /// A hold of its own.
    Hold(Slot),
    /// The deposit of this envelope, which takes the name of the report if it has none.
    Deposit(Slot, &'a Session),
    /// Nothing that is known.
    Nothing,
}

impl State {
    pub(crate) fn record(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Record<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        check_fields(asked)?;
        let payee = self.payee(asked.protocol, asked.recipient, asked.service)?;
        let operation = operation(asked, &payee);
        let content = Asked::Record(asked.amount, self.hash_of_reported(&payee));
        if let Some(id) = operation
            && let Some(Answered::Recorded(first)) = self.repeated(index, id, content)?
        {
            return Ok(Outcome::Recorded(Recorded { booking: Booking::Duplicate, overage: Amount::ZERO, ..first }));
        }
        let matched = self.find_match(index, agent, asked, &payee);
        let booked = match matched {
            Match::Hold(slot) if self.is_misdirected(slot, asked, &payee) => {
                let booked = self.against_nothing(now, index, agent, asked, operation, &payee, events);
                RecordBooked { booking: Booking::Misdirected, authorization: asked.authorization, ..booked }
            }
            // Nobody was allowed to pay it yet.
            Match::Hold(slot) | Match::Deposit(slot, _) if self.holds.at(slot).is_waiting() => {
                self.against_nothing(now, index, agent, asked, operation, &payee, events)
            }
            Match::Hold(slot) => self.against_hold(index, slot, asked, operation, &payee, events),
            Match::Deposit(slot, session) => {
                if session.name.is_empty() && !asked.session.is_empty() {
                    events.push(Event::SessionNamed(index, session.number, asked.session.into()));
                }
                self.against_hold(index, slot, asked, operation, &payee, events)
            }
            Match::Nothing => self.against_nothing(now, index, agent, asked, operation, &payee, events),
        };
        let recorded = self.recorded_effect(&booked);
        let slot = self.captured_by(&booked);
        let last = slot.is_some_and(|slot| !self.holds.at(slot).deposit);
        events.push(Event::Recorded(Box::new(booked)));
        self.spend_budget(index, slot, asked.amount, last, events);
        Ok(Outcome::Recorded(recorded))
    }

    pub(crate) fn recorded(&mut self, now: Timestamp, event: &RecordBooked) {
        let answer = self.recorded_effect(event);
        match self.captured_by(event) {
            Some(slot) => self.book_matched(now, slot, event),
            None => self.book_unmatched(now, event),
        }
        self.watch_recorded(now, event, answer);
        if let Some(id) = event.operation {
            let recipient = self.hash_of_kept(event.recipient);
            let Recorded { booking, authorization, overage } = answer;
            let deed = Deed::Recorded { amount: event.amount, recipient, booking, authorization, overage };
            self.remember(now, Operation { agent: event.agent, id, deed });
        }
    }

    /// Whether the report names a hold that is for somebody else.
    fn is_misdirected(&self, slot: Slot, asked: &Record<'_>, payee: &Payee<'_>) -> bool {
        let hold = self.holds.at(slot);
        asked.authorization == Some(hold.id) && payee.recipient_id != Some(hold.recipient)
    }

    /// The hold that a booked report captures or draws from.
    fn captured_by(&self, booked: &RecordBooked) -> Option<Slot> {
        let authorization = booked.authorization.filter(|_| booked.booking != Booking::Misdirected)?;
        self.holds.find(booked.agent, authorization)
    }

    fn find_match<'a>(
        &'a self,
        index: AgentIndex,
        agent: &'a Agent,
        asked: &Record<'_>,
        payee: &Payee<'_>,
    ) -> Match<'a> {
        if let Some(slot) = asked.authorization.and_then(|id| self.holds.find(index, id)) {
            return Match::Hold(slot);
        }
        if asked.protocol == Protocol::Mpp && !asked.session.is_empty() {
            let open = |session: &Session| self.deposit_hold(index, session).is_some_and(Hold::is_open);
            let joined = Join::mpp(agent, asked.session, payee.ids(), open);
            if let Some(session) = joined.and_then(Join::session)
                && let Some(deposit) = self.deposit_in(index, session)
            {
                let inside = |hold: &Hold| hold.from_deposit && hold.session == session.number;
                return match self.oldest_covering(agent, asked, payee, inside) {
                    Some(charge) => Match::Hold(charge),
                    None => Match::Deposit(deposit, session),
                };
            }
        }
        match self.oldest_covering(agent, asked, payee, |_| true) {
            Some(slot) => Match::Hold(slot),
            None => Match::Nothing,
        }
    }

    /// The agent's oldest open hold for the same payee that covers the payment.
    fn oldest_covering(
        &self,
        agent: &Agent,
        asked: &Record<'_>,
        payee: &Payee<'_>,
        also: impl Fn(&Hold) -> bool,
    ) -> Option<Slot> {
        let recipient = payee.recipient_id?;
        let service = payee.service_id;
        if payee.service.is_some() && service.is_none() {
            return None;
        }
        let covers = |hold: &Hold| {
            hold.protocol == asked.protocol
                && hold.recipient == recipient
                && hold.service() == service
                && !hold.is_waiting()
                && hold.headroom().saturating_sub(self.inside(hold)) >= asked.amount
        };
        self.holds.open_of(&agent.open_holds.0).find(|(_, hold)| covers(hold) && also(hold)).map(|(slot, _)| slot)
    }

    fn against_hold(
        &self,
        index: AgentIndex,
        slot: Slot,
        asked: &Record<'_>,
        operation: Option<OperationId>,
        payee: &Payee<'_>,
        events: &mut Vec<Event>,
    ) -> RecordBooked {
        let hold = self.holds.at(slot);
        let in_envelope = hold.deposit || hold.from_deposit;
        // The hold says who was to be paid; a report that names it and says otherwise is kept as reported.
        let (recipient, service) = self.reported(payee, events);
        RecordBooked {
            agent: index,
            booking: if in_envelope { Booking::Session } else { Booking::Matched },
            authorization: Some(hold.id),
            operation,
            amount: asked.amount,
            protocol: asked.protocol,
            recipient,
            service,
            session: hold.session,
            wallet: hold.wallet,
            calls: asked.calls,
            endpoint: None,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all the facts of a payment that nothing was known of")]
    pub(super) fn against_nothing(
        &self,
        now: Timestamp,
        index: AgentIndex,
        agent: &Agent,
        asked: &Record<'_>,
        operation: Option<OperationId>,
        payee: &Payee<'_>,
        events: &mut Vec<Event>,
    ) -> RecordBooked {
        let (recipient, service) = self.reported(payee, events);
        let named = agent.wallet_for(asked.wallet).or_else(|| agent.wallet_for(""));
        RecordBooked {
            agent: index,
            booking: if agent.unknown().is_empty() { Booking::Unauthorized } else { Booking::Recovered },
            authorization: None,
            operation,
            amount: asked.amount,
            protocol: asked.protocol,
            recipient,
            service,
            session: self.session_of_report(now, index, agent, asked, events),
            wallet: named.and_then(|position| u8::try_from(position).ok()),
            calls: asked.calls,
            endpoint: self.endpoint(agent, self.program(agent), asked.protocol, payee.service.as_ref(), asked.resource),
        }
    }

    /// The ids of who was paid. A report is never refused, so a name that the shard has no room for is kept as unknown.
    fn reported(&self, payee: &Payee<'_>, events: &mut Vec<Event>) -> (NameId, Option<NameId>) {
        if self.check_names(payee).is_ok() {
            return self.meet(payee, events);
        }
        let known = |id: Option<NameId>| id.unwrap_or(NameId::UNKNOWN);
        (known(payee.recipient_id), payee.service.as_ref().map(|_| known(payee.service_id)))
    }

    /// The hash of the recipient as a report of it is remembered.
    pub(super) fn hash_of_reported(&self, payee: &Payee<'_>) -> u64 {
        let kept = payee.recipient_id.is_some() || self.check_names(payee).is_ok();
        if kept { payee.recipient.hash() } else { self.hash_of_kept(NameId::UNKNOWN) }
    }

    fn hash_of_kept(&self, recipient: NameId) -> u64 {
        Name::canonical(self.names.text(recipient).into()).hash()
    }

    /// The session in which a payment counts that was never approved.
    fn session_of_report(
        &self,
        now: Timestamp,
        index: AgentIndex,
        agent: &Agent,
        asked: &Record<'_>,
        events: &mut Vec<Event>,
    ) -> SessionNumber {
        match asked.protocol {
            Protocol::Payment | Protocol::Card => SessionNumber::NONE,
            Protocol::Mpp => {
                // What is drawn from a deposit is kept by the deposit, and this is not: it counts outside.
                let named = agent.session_named(Protocol::Mpp, asked.session);
                let outside = named.filter(|session| self.deposit_hold(index, session).is_none());
                outside.map_or(SessionNumber::NONE, |session| session.number)
            }
            Protocol::X402 => match Join::x402(agent, now, asked.session, &self.options) {
                Join::In(session) => session.number,
                _ if agent.sessions().len() >= self.options.maxima.sessions_per_agent as usize => SessionNumber::NONE,
                join => {
                    let number = SessionNumber(agent.sessions_opened + 1);
                    let implicit = matches!(join, Join::BeginImplicit);
                    events.push(Event::SessionOpened(SessionOpened {
                        agent: index,
                        number,
                        protocol: Protocol::X402,
                        kind: if implicit { SessionKind::Implicit } else { SessionKind::Run },
                        name: if implicit { "" } else { asked.session }.into(),
                    }));
                    number
                }
            },
        }
    }

    /// What booking the report comes to. The event may speak of a session that is not there yet.
    fn recorded_effect(&self, booked: &RecordBooked) -> Recorded {
        let overage = match self.captured_by(booked) {
            _ if booked.booking == Booking::Misdirected => booked.amount,
            Some(slot) => self.capture_effect(slot, booked.amount, !self.holds.at(slot).deposit).overage,
            None => {
                let unknown = self.agents.get(booked.agent).map_or(Amount::ZERO, Agent::unknown_amount);
                booked.amount.saturating_sub(unknown)
            }
        };
        Recorded { booking: booked.booking, authorization: booked.authorization, overage }
    }

    fn book_matched(&mut self, now: Timestamp, slot: Slot, event: &RecordBooked) {
        let hold = self.holds.at(slot);
        let (deposit, protocol, service) = (hold.deposit, hold.protocol, hold.service());
        self.book_capture(now, slot, event.amount, !deposit);
        let agent = self.agent_mut(event.agent);
        State::touch(agent, event.session, now);
        // An approved charge was counted when it was approved; a deposit is no call, and what draws from it is.
        let calls = if deposit { event.calls } else { event.calls.saturating_sub(1) };
        if deposit {
            self.count_calls_for(now, slot, event.calls);
        }
        let service = self.agent_mut(event.agent).activity_mut().service_mut(protocol, service);
        service.calls += u64::from(calls);
        if deposit {
            service.asked = service.asked.saturating_add(event.amount);
        }
        service.last_at = now;
    }

    fn book_unmatched(&mut self, now: Timestamp, event: &RecordBooked) {
        let maxima = &self.options.maxima;
        let services_max = maxima.services_per_agent as usize;
        let weight = Weight { used: event.amount, spent: event.amount };
        let agent = self.agents.get_mut(event.agent).expect("INVARIANT: events speak of agents that exist");
        if event.booking != Booking::Misdirected {
            agent.draw_unknown(event.amount);
        }
        let known_service = agent.service(event.protocol, event.service).is_some();
        let counted = asked(&self.catalogue, &self.shadows, agent);
        let activity = agent.activity_mut();
        activity.ask(&counted, now);
        activity.book_windows(now, now, Weight::default(), weight);
        if let Some(budgets) = &mut activity.budgets {
            budgets.spend(event.amount);
        }
        if let Some(position) = event.wallet {
            activity.wallet_mut(usize::from(position)).book(now, now, Weight::default(), weight);
        }
        let room = event.service != Some(NameId::UNKNOWN) && activity.services.len() < services_max;
        let in_service = room || known_service;
        if in_service {
            let service = activity.service_mut(event.protocol, event.service);
            service.windows.book(now, now, Weight::default(), weight);
            service.calls += u64::from(event.calls);
            service.asked = service.asked.saturating_add(event.amount);
            service.last_at = now;
        }
        let has_room = |endpoint: &EndpointId| {
            activity.has_room_for(Scope::Endpoint(event.protocol, *endpoint), maxima.endpoints_per_agent)
        };
        let scopes = Scopes {
            protocol: event.protocol,
            wallet: event.wallet,
            service: event.service.filter(|_| in_service),
            endpoint: event.endpoint.filter(has_room),
        };
        let in_endpoint = scopes.endpoint == event.endpoint;
        let change = Change { placed: now, approved: event.amount, before: Weight::default(), after: weight };
        activity.book_counters(now, || scopes, change);
        activity.count_calls_in(now, &scopes, event.calls);
        let in_session = match State::touch(agent, event.session, now) {
            Some(session) => {
                session.weight.used = session.weight.used.saturating_add(event.amount);
                session.weight.spent = session.weight.spent.saturating_add(event.amount);
                true
            }
            None => event.protocol != Protocol::X402,
        };
        if !(in_service && in_endpoint && in_session) {
            // No room for another service, endpoint or session: it counts in all of them.
            let lost = agent.activity_mut().lost_mut();
            lost.unattributed = lost.unattributed.saturating_add(event.amount);
        }
        agent.count_calls(now, event.calls);
    }
}

fn check_fields(asked: &Record<'_>) -> Result<(), Failure> {
    let too_long = |text: &str, max: usize| text.len() > max;
    let invalid = |field, expected| Err(Failure::Invalid { field, expected });
    if asked.amount.is_zero() || asked.amount > Amount::MAX {
        return invalid("amount", "more than zero and at most 1000000000000");
    }
    if asked.calls == 0 {
        return invalid("batchItems", "at least one call");
    }
    if too_long(asked.resource, RESOURCE_BYTES_MAX) {
        return invalid("resourceUrl", "at most 2048 bytes");
    }
    for (text, field) in [
        (asked.session, "sessionId"),
        (asked.wallet, "walletId"),
        (asked.payment_id, "paymentId"),
        (asked.transaction, "transactionHash"),
    ] {
        if too_long(text, LABEL_BYTES_MAX) {
            return invalid(field, "at most 128 bytes");
        }
    }
    Ok(())
}

/// What names the payment, if anything does.
fn operation(asked: &Record<'_>, payee: &Payee<'_>) -> Option<OperationId> {
    if !asked.payment_id.is_empty() {
        return Some(OperationId::of_payment(asked.payment_id));
    }
    let named = !asked.transaction.is_empty();
    named.then(|| OperationId::of_settlement(asked.transaction, payee.recipient.text(), asked.resource, asked.amount))
}
