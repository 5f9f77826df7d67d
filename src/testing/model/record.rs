//! Payments reported by their facts.

use super::{
    Model,
    agent::{Agent, Call, Hold, OperationContent, Payment, Place},
    counted::NarrowCall,
    place::{Target, check, check_amount, payee},
    sum::{amount, micros},
};
use crate::kernel::{
    Amount, AuthorizationId, Failure, OperationId, Outcome, Protocol, Timestamp,
    outcome::{Booking, Recorded},
    request::Record,
};

/// A payment as it was reported, in canonical form.
struct Reported<'a> {
    authorization: Option<AuthorizationId>,
    paid: i128,
    protocol: Protocol,
    recipient: &'a str,
    service: &'a str,
    session: &'a str,
}

impl Model {
    pub(super) fn record(&mut self, agent: usize, request: &Record<'_>) -> Result<Outcome, Failure> {
        check_amount(request.amount)?;
        check(request.calls >= 1, "calls")?;
        check(request.session.len() <= 128, "session")?;
        let (recipient, service) = payee(request.protocol, request.recipient, request.service)?;
        let content = OperationContent::Record(recipient.clone(), request.amount);
        let operation = operation(request, &recipient);
        if let Some(known) = operation.and_then(|id| self.agents[agent].operation(id)) {
            return duplicate(&known.answer, known.content == content);
        }
        let reported = Reported {
            authorization: request.authorization,
            paid: micros(request.amount),
            protocol: request.protocol,
            recipient: &recipient,
            service: &service,
            session: request.session,
        };
        let recorded = self.book(agent, &reported, request);
        self.exhaust(agent);
        let answer = Outcome::Recorded(recorded);
        if let Some(operation) = operation {
            let now = self.now;
            self.agents[agent].remember(operation, content, &answer, now);
        }
        Ok(answer)
    }

    fn book(&mut self, agent: usize, reported: &Reported<'_>, request: &Record<'_>) -> Recorded {
        let now = self.now;
        self.agents[agent].active = true;
        self.ask(agent);
        self.meet(&[reported.recipient, reported.service]);
        if let Some(authorization) = self.agents[agent].named_for_another(reported) {
            self.book_alone(agent, reported, request);
            let overage = amount(reported.paid);
            return Recorded { booking: Booking::Misdirected, authorization: Some(authorization), overage };
        }
        let waits = |found: &(usize, Option<u32>)| self.agents[agent].holds[found.0].is_waiting();
        let matched = self.agents[agent].matching(reported).filter(|found| !waits(found));
        if let Some((position, names)) = matched {
            let of_agent = &mut self.agents[agent];
            if let Some(session) = names {
                of_agent.name_session(session, reported.session);
            }
            let is_deposit = of_agent.holds[position].place == Place::Deposit;
            let recorded = of_agent.book_against(position, reported.paid, request.calls, now);
            self.watch_success(agent);
            if is_deposit {
                self.watch_payment(agent, reported.paid, false, Some(reported.recipient));
            }
            return recorded;
        }
        let recovered = !self.agents[agent].unknown_holds.is_empty();
        let overage = amount(reported.paid - self.agents[agent].draw_unknown(reported.paid));
        self.book_alone(agent, reported, request);
        let booking = if recovered { Booking::Recovered } else { Booking::Unauthorized };
        Recorded { booking, authorization: None, overage }
    }

    fn book_alone(&mut self, agent: usize, reported: &Reported<'_>, request: &Record<'_>) {
        let (now, index) = (self.now, agent);
        let session = self.session_of_unauthorized(agent, reported);
        let endpoint = self.endpoint(agent, reported.protocol, reported.service, request.resource);
        let agent = &mut self.agents[agent];
        let wallet = agent.wallet_named(request.wallet).or_else(|| agent.first_wallet());
        agent.payments.push(Payment {
            at: now,
            amount: reported.paid,
            protocol: Some(reported.protocol),
            service: reported.service.to_owned(),
            session,
            wallets: wallet.into_iter().collect(),
            endpoint: endpoint.clone(),
        });
        agent.narrow_calls.push(NarrowCall {
            at: now,
            count: u64::from(request.calls),
            wallet,
            protocol: reported.protocol,
            endpoint,
            lost: false,
        });
        agent.paces.push((now, u64::from(request.calls)));
        agent.count_calls(now, reported.protocol, reported.service, u64::from(request.calls));
        self.watch_success(index);
        self.watch_payment(index, reported.paid, true, Some(reported.recipient));
    }

    fn session_of_unauthorized(&mut self, agent: usize, reported: &Reported<'_>) -> u32 {
        let (protocol, name, now) = (reported.protocol, reported.session, self.now);
        let payee = (reported.recipient, reported.service);
        let target = match protocol {
            // An envelope whose deposit is forgotten is like a run.
            Protocol::Mpp => {
                let named = self.agents[agent].session_named(protocol, name);
                named.filter(|number| self.agents[agent].deposit(*number).is_none()).map_or(Target::None, Target::Known)
            }
            Protocol::Payment | Protocol::X402 | Protocol::Card => {
                self.agents[agent].target(&self.options, now, protocol, name, payee)
            }
        };
        match target {
            Target::None => 0,
            Target::Known(number) | Target::Named(number) => {
                self.agents[agent].touch(number, now);
                number
            }
            Target::New(sort) => self.begin_session(agent, protocol, sort, name, payee),
        }
    }

    /// The shard has met these names.
    pub(super) fn meet(&mut self, names: &[&str]) {
        let unmet: Vec<String> = self.unmet(names).into_iter().map(str::to_owned).collect();
        self.names.extend(unmet);
    }
}

fn operation(request: &Record<'_>, recipient: &str) -> Option<OperationId> {
    if !request.payment_id.is_empty() {
        Some(OperationId::of_payment(request.payment_id))
    } else if !request.transaction.is_empty() {
        let (transaction, resource) = (request.transaction, request.resource);
        Some(OperationId::of_settlement(transaction, recipient, resource, request.amount))
    } else {
        None
    }
}

fn duplicate(first: &Outcome, same: bool) -> Result<Outcome, Failure> {
    match first {
        Outcome::Recorded(recorded) if same => {
            let (booking, overage) = (Booking::Duplicate, Amount::ZERO);
            Ok(Outcome::Recorded(Recorded { booking, authorization: recorded.authorization, overage }))
        }
        _ => Err(Failure::IdReused),
    }
}

impl Agent {
    /// The hold that the payment was made under, and the session that takes its name with it.
    fn matching(&self, reported: &Reported<'_>) -> Option<(usize, Option<u32>)> {
        let named = reported.authorization.and_then(|id| self.hold(id)).map(|position| (position, None));
        named.or_else(|| self.matching_in_session(reported)).or_else(|| {
            let fits = |hold: &Hold| hold.protocol == reported.protocol && self.covers(hold, reported);
            self.holds.iter().position(fits).map(|position| (position, None))
        })
    }

    /// The hold that the report names, where it is for somebody else.
    fn named_for_another(&self, reported: &Reported<'_>) -> Option<AuthorizationId> {
        let position = self.hold(reported.authorization?)?;
        (self.holds[position].recipient != reported.recipient).then_some(self.holds[position].id)
    }

    fn matching_in_session(&self, reported: &Reported<'_>) -> Option<(usize, Option<u32>)> {
        if reported.protocol != Protocol::Mpp || reported.session.is_empty() {
            return None;
        }
        let named = self.session_named(Protocol::Mpp, reported.session);
        let (number, names) = match named {
            Some(number) => (number, None),
            None => {
                let open = |number: &u32| self.deposit(*number).is_some_and(|position| self.holds[position].is_open());
                let number = self.unnamed_envelopes(reported.recipient, reported.service).find(open)?;
                (number, Some(number))
            }
        };
        let deposit = self.deposit(number)?;
        let inside = |hold: &Hold| hold.session == number && hold.place == Place::Envelope;
        let charge = self.holds.iter().position(|hold| inside(hold) && self.covers(hold, reported));
        Some((charge.unwrap_or(deposit), names))
    }

    /// Whether a hold is open, for the same payee, and large enough.
    fn covers(&self, hold: &Hold, reported: &Reported<'_>) -> bool {
        let rest = match hold.place {
            Place::Own | Place::Envelope => hold.reserved(),
            Place::Deposit => self.free_of_deposit(hold),
        };
        let payee = hold.recipient == reported.recipient && hold.service == reported.service;
        hold.is_open() && !hold.is_waiting() && payee && rest >= reported.paid
    }

    fn book_against(&mut self, position: usize, paid: i128, calls: u32, now: Timestamp) -> Recorded {
        let hold = self.holds[position].clone();
        let drawn = hold.place == Place::Deposit;
        let captured = self.capture(position, paid, !drawn, now);
        self.touch(hold.session, now);
        let more_calls = if drawn { calls } else { calls - 1 };
        self.count_calls(now, hold.protocol, &hold.service, u64::from(more_calls));
        if drawn {
            self.paces.push((now, u64::from(calls)));
            self.narrow_calls.push(NarrowCall {
                at: now,
                count: u64::from(calls),
                wallet: hold.wallet,
                protocol: hold.protocol,
                endpoint: hold.endpoint.clone(),
                lost: false,
            });
        }
        let booking = if hold.place == Place::Own { Booking::Matched } else { Booking::Session };
        Recorded { booking, authorization: Some(hold.id), overage: captured.overage }
    }

    pub(super) fn count_calls(&mut self, at: Timestamp, protocol: Protocol, service: &str, count: u64) {
        self.calls.push(Call { at, protocol, service: service.to_owned(), count });
    }
}
