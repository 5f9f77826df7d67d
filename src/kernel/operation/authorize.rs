//! Ask for a hold.

use std::borrow::Cow;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{
    approval,
    join::Join,
    limits::{self, Party, Payment, Verdict},
};
use crate::kernel::{
    AgentIndex, Amount, Duration, EndpointId, Event, Failure, Name, NameId, Outcome, Protocol, SessionNumber,
    Timestamp,
    event::{Approved, Denied, SessionKind, SessionOpened},
    facts::Split,
    outcome::{Approval, Denial},
    policy::Program,
    request::{Authorize, Intent},
    state::{
        State,
        agent::Agent,
        approval::{ApprovalRequest, WAITING_PER_AGENT_MAX},
        asked, book,
        counters::Scope,
        hold::Hold,
        session::Session,
        window::Weight,
    },
};

/// The longest resource, in bytes.
pub(crate) const RESOURCE_BYTES_MAX: usize = 2048;
/// The longest name of a session or wallet, and the longest id of a payment or transaction, in bytes.
pub(crate) const LABEL_BYTES_MAX: usize = 128;

/// The canonical names of who is paid, with their ids as far as the shard has met them.
pub(crate) struct Payee<'a> {
    pub(crate) recipient: Name<'a>,
    pub(crate) service: Option<Name<'a>>,
    pub(crate) recipient_id: Option<NameId>,
    pub(crate) service_id: Option<NameId>,
}

impl State {
    pub(crate) fn authorize(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Authorize<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let program = self.program(self.agent(index)?);
        self.authorize_under(program, now, index, asked, None, events)
    }

    /// Decides about a payment of the past, of whose resource no more is known than its endpoint, if that.
    pub(crate) fn authorize_again(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Authorize<'_>,
        endpoint: Option<EndpointId>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let program = self.program(self.agent(index)?);
        self.authorize_under(program, now.max(self.moment), index, asked, endpoint, events)
    }

    /// The endpoint of a payment of which the service alone is known, where endpoints are counted: all of a service is one then.
    pub(crate) fn endpoint_somewhere(
        &self,
        index: AgentIndex,
        protocol: Protocol,
        service: Option<NameId>,
    ) -> Option<EndpointId> {
        let agent = self.agents.get(index)?;
        let service = service.map(|service| Name::canonical(self.names.text(service).into()));
        self.endpoint(agent, self.program(agent), protocol, service.as_ref(), "")
    }

    /// Decides under a program that need not be the agent's own. The endpoint is that of the resource unless it is known.
    pub(crate) fn authorize_under(
        &self,
        program: &Program,
        now: Timestamp,
        index: AgentIndex,
        asked: &Authorize<'_>,
        endpoint: Option<EndpointId>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        self.holds.foresee_insert(&agent.open_holds.0);
        let payee = self.payee(asked.protocol, asked.recipient, asked.service)?;
        let fingerprint = fingerprint(asked, &payee);
        if let Some(slot) = self.holds.find(index, asked.id) {
            let hold = self.holds.at(slot);
            return if hold.answers(fingerprint, asked.amount) {
                Ok(approval::standing(hold))
            } else {
                Err(Failure::IdReused)
            };
        }
        self.check_fields(agent, asked)?;
        let join = Join::of(agent, now, asked, payee.ids(), &self.options);
        let life = self.life(program, now, asked, join)?;
        let deposit = join.session().and_then(|session| self.deposit_hold(index, session));
        let wallet = agent.wallet_for(asked.wallet);
        let entry = self.described(program, &payee.recipient);
        let others = self.others(program, asked)?;
        let payment = Payment {
            protocol: asked.protocol,
            amount: asked.amount,
            whole: asked.amount,
            recipient: &payee.recipient,
            service: payee.service.as_ref(),
            recipient_id: payee.recipient_id,
            service_id: payee.service_id,
            join,
            deposit,
            duration: asked_duration(asked),
            wallet,
            wallet_named: !asked.wallet.is_empty(),
            payer: payer(join, deposit, wallet),
            endpoint: endpoint
                .or_else(|| self.endpoint(agent, program, asked.protocol, payee.service.as_ref(), asked.resource)),
            enlarges: false,
            judged: false,
            facts: asked.facts.as_deref(),
            entry,
            stops: self.stops(&payee.recipient, entry, &others, asked.facts.as_deref()),
            others,
        };
        let verdict = limits::check(agent, program, &self.options, &payment, now);
        let shadows = |events: &mut Vec<Event>| {
            if !self.shadows.is_empty() {
                self.compare_with_shadows(agent, index, asked.id, &payment, now, &verdict, events);
            }
        };
        if let Some(first) = verdict.violations.first() {
            let session = join.session().map_or(SessionNumber::NONE, |session| session.number);
            let denied = Denied { agent: index, kind: first.kind, count: 1, amount: asked.amount, session };
            events.push(Event::Denied(denied));
            shadows(events);
            let policy_revision = self.catalogue.revision();
            return Ok(Outcome::Denied(Denial { violations: verdict.violations, policy_revision }));
        }
        self.check_capacity(agent, &payment, &payee)?;
        shadows(events);
        if verdict.terms.is_some() && self.approvals.waiting_of(index) >= WAITING_PER_AGENT_MAX {
            let what = "payments of the agent that wait for approval";
            return Err(Failure::Capacity { what, maximum: WAITING_PER_AGENT_MAX as u64 });
        }
        Ok(self.place(now, index, asked, &payee, &payment, verdict, life, fingerprint, events))
    }

    /// Says what happens when the payment is approved, and the answer.
    #[expect(clippy::too_many_arguments, reason = "all that was found out on the way to an approval")]
    fn place(
        &self,
        now: Timestamp,
        index: AgentIndex,
        asked: &Authorize<'_>,
        payee: &Payee<'_>,
        payment: &Payment<'_>,
        verdict: Verdict,
        life: Duration,
        fingerprint: u64,
        events: &mut Vec<Event>,
    ) -> Outcome {
        // People are asked first: the hold lasts as long as they have for it, and how long the caller may pay counts from then.
        let timeout = approval::timeout(&verdict, asked);
        let (lasts, life) = (life, timeout.unwrap_or(life));
        let agent = self.agents.get(index).expect("INVARIANT: the payment of an agent was checked");
        let (recipient, service) = self.meet(payee, events);
        let draws = payment.draws();
        let number = SessionNumber(agent.sessions_opened + 1);
        let opened = |kind, name: &str| {
            Event::SessionOpened(SessionOpened {
                agent: index,
                number,
                protocol: asked.protocol,
                kind,
                name: name.into(),
            })
        };
        let session = match payment.join {
            Join::None => SessionNumber::NONE,
            Join::In(session) => session.number,
            Join::Name(session) => {
                events.push(Event::SessionNamed(index, session.number, asked.session.into()));
                session.number
            }
            Join::BeginImplicit => {
                events.push(opened(SessionKind::Implicit, ""));
                number
            }
            Join::BeginRun => {
                events.push(opened(SessionKind::Run, asked.session));
                number
            }
            Join::Deposit => {
                let service = service.expect("INVARIANT: a payment over MPP has a service");
                let ends_at = now.after(life);
                events.push(opened(
                    SessionKind::Envelope { recipient, service, deposit: asked.id, ends_at },
                    asked.session,
                ));
                number
            }
        };
        let wallet = if draws { None } else { payment.wallet };
        let available = wallet.and_then(|position| agent.available(position));
        let lease = self.lease(index);
        let deposit = matches!(payment.join, Join::Deposit);
        let rides = timeout.is_none()
            && !deposit
            && life <= self.options.lease.hold_max
            && !lease.amount.is_zero()
            && lease.count > 0;
        let approved = Approved {
            agent: index,
            id: asked.id,
            amount: asked.amount,
            protocol: asked.protocol,
            recipient,
            service,
            session,
            from_deposit: draws,
            deposit,
            wallet: wallet.and_then(|position| u8::try_from(position).ok()),
            expires_after: life,
            remaining: verdict.remaining,
            reasons: verdict.reasons,
            policy_revision: self.catalogue.revision(),
            fingerprint,
            arms: rides && !lease.armed,
            endpoint: payment.endpoint,
        };
        let approval = Approval {
            id: approved.id,
            amount: approved.amount,
            expires_at: now.after(life),
            remaining: approved.remaining,
            wallet: approved.wallet,
            available: available.map(|available| available.saturating_sub(asked.amount)),
            reasons: approved.reasons,
            session,
            policy_revision: approved.policy_revision,
            repeated: false,
        };
        if let Some(facts) = &asked.facts {
            let facts =
                bincode::encode_to_vec(facts, bincode::config::standard()).expect("INVARIANT: memory takes facts");
            events.push(Event::FactsTold(index, facts.into()));
        }
        if timeout.is_some() {
            let (answer, event) = self.ask_people(now, asked, verdict, lasts, approved);
            events.push(event);
            return Outcome::ApprovalRequired(Box::new(answer));
        }
        events.push(Event::Approved(approved));
        if let (true, Some(score)) = (self.options.detectors, self.trust_in(payment, asked)) {
            events.push(Event::TrustSeen(index, score));
        }
        Outcome::Approved(approval)
    }

    /// How far a payee is trusted, where anybody says; the directory is believed before the request, which is the agent's word.
    fn trust_in(&self, payment: &Payment<'_>, asked: &Authorize<'_>) -> Option<u32> {
        // Looked up already where a rule asks for it.
        let find = || if self.counterparties.is_empty() { None } else { self.counterparties.find(payment.recipient) };
        payment.entry.or_else(find).and_then(|entry| entry.trust_score).or_else(|| asked.facts.as_ref()?.trust_score)
    }

    pub(crate) fn approved(&mut self, now: Timestamp, event: &Approved) {
        self.place_hold(now, event, None);
        self.watch_approved(now, event);
    }

    /// Places a hold, which waits where people are asked first.
    pub(crate) fn place_hold(&mut self, now: Timestamp, event: &Approved, request: Option<ApprovalRequest>) {
        let (serial, incarnation) = (self.serial, self.incarnation);
        self.serial += 1;
        let agent = self.agents.get_mut(event.agent).expect("INVARIANT: events speak of agents that exist");
        let available = event.wallet.and_then(|position| agent.available(usize::from(position)));
        let available = available.map(|available| available.saturating_sub(event.amount));
        let mut hold = Hold::placed(event, serial, now, self.options.grace, available);
        if let Some(request) = request {
            hold.wait(request);
        }
        let weight = hold.weight(Amount::ZERO);
        let slot = self.holds.insert(hold, &mut agent.open_holds.0);
        self.deadlines.push_hold(slot, self.holds.at(slot));
        if let Some(session) = State::touch(agent, event.session, now) {
            session.kept_by += 1;
            session.open_charges += u32::from(event.from_deposit);
        }
        if !event.from_deposit {
            let counted = asked(&self.catalogue, &self.shadows, agent);
            book(agent, self.holds.at(slot), now, Weight::default(), weight, &counted);
        }
        let service = agent.activity_mut().service_mut(event.protocol, event.service);
        if !event.deposit {
            service.calls += 1;
            service.asked = service.asked.saturating_add(event.amount);
        }
        service.last_at = now;
        if event.arms {
            agent.armed_in = incarnation;
        }
        self.count_calls_for(now, slot, 1);
        if event.from_deposit
            && let Some(deposit) = self.deposit_of(self.holds.at(slot))
        {
            self.change_inside(now, deposit, |inside| inside.saturating_add(event.amount));
        }
        self.count_in_shadow(event.agent, 1);
    }

    pub(crate) fn denied(&mut self, now: Timestamp, event: &Denied) {
        State::touch(self.agent_mut(event.agent), event.session, now);
        self.watch_denied(now, event);
        self.count_in_shadow(event.agent, event.count);
    }

    /// The endpoint of a payment, where endpoints are counted.
    pub(super) fn endpoint(
        &self,
        agent: &Agent,
        program: &Program,
        protocol: Protocol,
        service: Option<&Name<'_>>,
        resource: &str,
    ) -> Option<EndpointId> {
        let counted = program.counted().has_endpoints(protocol)
            || agent.activity().has_endpoints(protocol)
            || self.shadows.programs(agent.id).any(|(_, shadow)| shadow.counted().has_endpoints(protocol));
        counted.then(|| EndpointId::of(service, resource))
    }

    /// The canonical names of a payee.
    pub(crate) fn payee<'a>(
        &self,
        protocol: Protocol,
        recipient: &'a str,
        service: &'a str,
    ) -> Result<Payee<'a>, Failure> {
        let name = "a name of 1 to 256 bytes without white space or control characters";
        let recipient =
            Name::recipient(recipient).map_err(|_| Failure::Invalid { field: "recipientAddress", expected: name })?;
        let service = if service.is_empty() && matches!(protocol, Protocol::Payment | Protocol::Card) {
            None
        } else {
            let domain = "a domain of 1 to 256 bytes in ASCII (`xn--…` for other letters) without white space or control characters";
            Some(Name::service(service).map_err(|_| Failure::Invalid { field: "serviceDomain", expected: domain })?)
        };
        let recipient_id = self.names.find(&recipient);
        let service_id = service.as_ref().and_then(|service| self.names.find(service));
        Ok(Payee { recipient, service, recipient_id, service_id })
    }

    /// The ids of a payee, with the events that give them where the shard meets a name for the first time.
    pub(crate) fn meet(&self, payee: &Payee<'_>, events: &mut Vec<Event>) -> (NameId, Option<NameId>) {
        let mut next = self.names.count() as u32;
        let mut meet = |name: &Name<'_>, id: Option<NameId>| {
            id.unwrap_or_else(|| {
                events.push(Event::NameMet(name.text().into()));
                next += 1;
                NameId(next - 1)
            })
        };
        let recipient = meet(&payee.recipient, payee.recipient_id);
        let service = payee.service.as_ref().map(|service| {
            let same = payee.service_id.is_none() && *service == payee.recipient;
            if same { recipient } else { meet(service, payee.service_id) }
        });
        (recipient, service)
    }

    /// The deposit of a session, if it is an envelope.
    pub(crate) fn deposit_hold(&self, agent: AgentIndex, session: &Session) -> Option<&Hold> {
        self.deposit_in(agent, session).map(|slot| self.holds.at(slot))
    }

    /// Who else gets a part of the payment.
    fn others<'a>(&'a self, program: &Program, asked: &'a Authorize<'_>) -> Result<Vec<Party<'a>>, Failure> {
        let splits = asked.facts.iter().flat_map(|facts| &facts.splits);
        let party = |split: &'a Split<'_>| {
            let name = Name::recipient(split.recipient);
            let expected = "recipients with names of 1 to 256 bytes without white space or control characters";
            let name = name.map_err(|_| Failure::Invalid { field: "splits", expected })?;
            let entry = self.described(program, &name);
            Ok(Party { name, entry })
        };
        splits.map(party).collect()
    }

    fn check_fields(&self, agent: &Agent, asked: &Authorize<'_>) -> Result<(), Failure> {
        let invalid = |field, expected| Err(Failure::Invalid { field, expected });
        let in_range = |life: Duration| life > Duration::ZERO && life <= self.options.hold_max;
        if asked.amount.is_zero() {
            return invalid("amount", "more than zero");
        }
        if asked.amount > Amount::MAX {
            return invalid("amount", "at most 1000000000000");
        }
        if asked.resource.len() > RESOURCE_BYTES_MAX {
            return invalid("resourceUrl", "at most 2048 bytes");
        }
        if asked.session.len() > LABEL_BYTES_MAX {
            return invalid("sessionId", "at most 128 bytes");
        }
        if asked.wallet.len() > LABEL_BYTES_MAX {
            return invalid("walletId", "at most 128 bytes");
        }
        if asked.hold_for.is_some_and(|life| !in_range(life)) {
            return invalid("holdSeconds", "more than zero and at most the configured maximum");
        }
        if let Intent::Session { duration } = asked.intent {
            if asked.protocol != Protocol::Mpp {
                return invalid("intent", "`charge`; sessions with a deposit exist over MPP only");
            }
            if agent.session_named(Protocol::Mpp, asked.session).is_some() {
                return invalid("sessionId", "a name that no other session of the agent has");
            }
            if duration.is_some_and(|life| !in_range(life)) {
                return invalid("durationSeconds", "more than zero and at most the configured maximum");
            }
        }
        asked.facts.as_ref().map_or(Ok(()), |facts| facts.check(asked.amount))
    }

    fn check_capacity(&self, agent: &Agent, payment: &Payment<'_>, payee: &Payee<'_>) -> Result<(), Failure> {
        let maxima = &self.options.maxima;
        let begins = payment.join.session().is_none() && !matches!(payment.join, Join::None);
        let new_service = payee.service.is_some() && payee.service_id.is_none()
            || agent.service(payment.protocol, payee.service_id).is_none();
        let has_room_for_endpoint = payment.endpoint.is_none_or(|endpoint| {
            let scope = Scope::Endpoint(payment.protocol, endpoint);
            agent.activity().has_room_for(scope, maxima.endpoints_per_agent)
        });
        self.check_names(payee)?;
        for (full, what, maximum) in [
            (self.holds.open_count() >= maxima.open_holds, "open authorizations of the shard", maxima.open_holds),
            (
                agent.open_holds.0.count >= maxima.open_holds_per_agent,
                "open authorizations of the agent",
                maxima.open_holds_per_agent,
            ),
            (
                begins && agent.sessions().len() >= maxima.sessions_per_agent as usize,
                "sessions of the agent",
                maxima.sessions_per_agent,
            ),
            (
                new_service && agent.activity().services.len() >= maxima.services_per_agent as usize,
                "services of the agent",
                maxima.services_per_agent,
            ),
            (!has_room_for_endpoint, "endpoints of the agent", maxima.endpoints_per_agent),
        ] {
            if full {
                return Err(Failure::Capacity { what, maximum: u64::from(maximum) });
            }
        }
        Ok(())
    }

    /// Whether the names of a payee still fit the shard.
    pub(crate) fn check_names(&self, payee: &Payee<'_>) -> Result<(), Failure> {
        let maximum = self.options.maxima.names;
        let new = usize::from(payee.recipient_id.is_none())
            + usize::from(payee.service.is_some() && payee.service_id.is_none());
        if new > 0 && self.names.count() + new > maximum as usize {
            return Err(Failure::Capacity {
                what: "distinct recipients and services of the shard",
                maximum: u64::from(maximum),
            });
        }
        Ok(())
    }
}

impl Payee<'_> {
    /// The ids of both, where the shard has met both.
    pub(crate) fn ids(&self) -> Option<(NameId, NameId)> {
        self.recipient_id.zip(self.service_id)
    }

    /// Names that the shard keeps, as a payee.
    pub(crate) fn known<'a>(state: &'a State, recipient: NameId, service: Option<NameId>) -> Payee<'a> {
        let name = |id: NameId| Name::canonical(Cow::Borrowed(state.names.text(id)));
        Payee {
            recipient: name(recipient),
            service: service.map(name),
            recipient_id: Some(recipient),
            service_id: service,
        }
    }
}

/// The wallet that pays: for a charge inside an envelope, the wallet of its deposit, as long as that is remembered.
fn payer(join: Join<'_>, deposit: Option<&Hold>, wallet: Option<usize>) -> Option<u8> {
    match join.session() {
        Some(session) if session.envelope().is_some() => deposit.and_then(|deposit| deposit.wallet),
        Some(_) | None => wallet.and_then(|position| u8::try_from(position).ok()),
    }
}

fn asked_duration(asked: &Authorize<'_>) -> Option<Duration> {
    match asked.intent {
        Intent::Charge => None,
        Intent::Session { duration } => duration,
    }
}

/// A hash of everything that a repeated id must agree with. The amount is compared by itself.
fn fingerprint(asked: &Authorize<'_>, payee: &Payee<'_>) -> u64 {
    let (intent, duration) = match asked.intent {
        Intent::Charge => (0, Duration::ZERO),
        Intent::Session { duration } => (1 + u64::from(duration.is_some()), duration.unwrap_or_default()),
    };
    let numbers = [
        asked.protocol as u64,
        intent,
        duration.micros(),
        u64::from(asked.hold_for.is_some()),
        asked.hold_for.unwrap_or_default().micros(),
        payee.recipient.hash(),
        payee.service.as_ref().map_or(0, Name::hash),
        asked.session.len() as u64,
        asked.wallet.len() as u64,
    ];
    let mut bytes = [0; 72];
    for (chunk, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        chunk.copy_from_slice(&number.to_le_bytes());
    }
    // Each text is hashed with the hash before it as the seed, so that no text can pass for a part of its neighbour.
    let texts = [asked.session, asked.wallet, asked.resource].into_iter().filter(|text| !text.is_empty());
    let hash = texts.fold(xxh3_64(&bytes), |seed, text| xxh3_64_with_seed(text.as_bytes(), seed));
    asked.facts.as_ref().map_or(hash, |facts| {
        let bytes = bincode::encode_to_vec(facts, bincode::config::standard()).expect("INVARIANT: memory takes facts");
        xxh3_64_with_seed(&bytes, hash)
    })
}
