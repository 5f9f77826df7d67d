//! Asking for a hold.

use super::{
    Model,
    agent::{Content, Hold, Place, Session, SessionSort},
    approval::Waiting,
    counted::NarrowCall,
    examine::{Ask, Question, Verdict},
    lease::inner,
    operator::room,
    place::{Target, check, check_fields, payee},
    sum::{left, micros},
};
use crate::kernel::{
    Duration, Failure, Outcome, SessionNumber, Timestamp,
    outcome::{Approval, Denial, HoldStatus},
    policy::{ApprovalTerms, Rule},
    reason::Reasons,
    request::{Authorize, Intent},
    state::approval::{APPROVAL_TIMEOUT, WAITING_PER_AGENT_MAX},
};

/// Where a request for a hold belongs.
struct Belonging {
    recipient: String,
    service: String,
    target: Target,
    place: Place,
    wallet: Option<usize>,
    wallet_missing: bool,
    /// The wallet that the money comes from.
    payer: Option<usize>,
    endpoint: Option<String>,
}

impl Model {
    pub(super) fn authorize(&mut self, agent: usize, request: &Authorize<'_>) -> Result<Outcome, Failure> {
        let content = content(request);
        if let Some(position) = self.agents[agent].hold(request.id) {
            let hold = &self.agents[agent].holds[position];
            return if hold.content == content { Ok(self.standing(agent, position)) } else { Err(Failure::IdReused) };
        }
        let belonging = self.belonging(agent, request)?;
        let verdict = self.examine(agent, &self.question(agent, request, &belonging));
        if !verdict.violations.is_empty() {
            if let Some(session) = belonging.target.existing() {
                self.agents[agent].touch(session, self.now);
            }
            self.watch_denial(agent, &verdict.violations);
            let denial = Denial { violations: verdict.violations, policy_revision: self.revision };
            return Ok(Outcome::Denied(denial));
        }
        self.check_room(agent, &belonging)?;
        let terms = (!verdict.about.is_empty()).then(|| self.terms(agent, &self.question(agent, request, &belonging)));
        let waits = self.agents[agent].holds.iter().filter(|hold| hold.is_waiting()).count();
        if terms.is_some() && waits >= WAITING_PER_AGENT_MAX {
            return Err(Failure::Capacity { what: "waiting", maximum: WAITING_PER_AGENT_MAX as u64 });
        }
        Ok(self.place(agent, request, content, belonging, verdict, terms))
    }

    fn belonging(&self, agent: usize, request: &Authorize<'_>) -> Result<Belonging, Failure> {
        check_fields(&self.options, request)?;
        let (recipient, service) = payee(request.protocol, request.recipient, request.service)?;
        let index = agent;
        let agent = &self.agents[agent];
        let target = match request.intent {
            Intent::Charge => {
                let payee = (recipient.as_str(), service.as_str());
                agent.target(&self.options, self.now, request.protocol, request.session, payee)
            }
            Intent::Session { .. } => {
                check(agent.session_named(request.protocol, request.session).is_none(), "session")?;
                Target::New(SessionSort::Envelope { ends_at: self.ends_at(agent, request.intent) })
            }
        };
        let envelope = target.existing().filter(|n| agent.session(*n).is_some_and(Session::is_envelope));
        let end = match target {
            Target::New(SessionSort::Envelope { ends_at }) => Some(ends_at),
            _ => envelope.and_then(|number| agent.session(number)?.ends_at()),
        };
        if let Some(until) = settles_until(self.now, request) {
            check(until > self.now, "validBefore")?;
            check(until <= self.now.after(self.options.hold_max), "validBefore")?;
            check(end.is_none_or(|end| until <= end), "validBefore")?;
        }
        let named = !request.wallet.is_empty();
        let wallet = match envelope {
            // The deposit's wallet pays.
            Some(_) => None,
            None if named => agent.wallet_named(request.wallet),
            None => agent.first_wallet(),
        };
        let place = match (request.intent, envelope) {
            (Intent::Session { .. }, _) => Place::Deposit,
            (Intent::Charge, Some(_)) => Place::Envelope,
            (Intent::Charge, None) => Place::Own,
        };
        let wallet_missing = wallet.is_none() && (named || self.options.require_wallet);
        let payer = envelope.and_then(|session| agent.deposit(session)).map(|deposit| agent.holds[deposit].wallet);
        let payer = if envelope.is_some() { payer.flatten() } else { wallet };
        let endpoint = self.endpoint(index, request.protocol, &service, request.resource);
        Ok(Belonging { recipient, service, target, place, wallet, wallet_missing, payer, endpoint })
    }

    fn ends_at(&self, agent: &super::agent::Agent, intent: Intent) -> Timestamp {
        let position = self.agents.iter().position(|each| each.id == agent.id).expect("it is in the list");
        let rules = self.rules(position).unwrap_or_default();
        let longest = rules.into_iter().filter_map(|rule| match inner(rule) {
            Rule::SessionDuration { max } => Some(max),
            _ => None,
        });
        let asked = if let Intent::Session { duration } = intent { duration } else { None };
        self.now.after(asked.or(longest.min()).unwrap_or(self.options.session_default))
    }

    fn question<'a>(&'a self, agent: usize, request: &'a Authorize<'_>, belonging: &'a Belonging) -> Question<'a> {
        Question {
            agent: &self.agents[agent],
            now: self.now,
            protocol: request.protocol,
            recipient: &belonging.recipient,
            service: &belonging.service,
            session: belonging.target.existing(),
            in_session: belonging.target != Target::None,
            wallet_missing: belonging.wallet_missing,
            wallet: belonging.wallet,
            payer: belonging.payer,
            endpoint: belonging.endpoint.clone(),
            whole: micros(request.amount),
            more: micros(request.amount),
            ask: match request.intent {
                Intent::Charge => Ask::Charge,
                Intent::Session { duration } => Ask::Deposit { duration },
            },
            judged: false,
            facts: request.facts.as_deref(),
            directory: &self.counterparties,
            sanctions: &self.sanctions,
        }
    }

    fn check_room(&self, agent: usize, belonging: &Belonging) -> Result<(), Failure> {
        let (maxima, agent) = (&self.options.maxima, &self.agents[agent]);
        let unmet = self.unmet(&[&belonging.recipient, &belonging.service]).len();
        room("names", (self.names.len() + unmet).saturating_sub(1), maxima.names)?;
        let mut services: Vec<&str> = agent.calls.iter().map(|call| call.service.as_str()).collect();
        services.extend(agent.holds.iter().map(|hold| hold.service.as_str()));
        services.sort_unstable();
        services.dedup();
        if !belonging.service.is_empty() && !services.contains(&belonging.service.as_str()) {
            room("services", services.len(), maxima.services_per_agent)?;
        }
        if let Target::New(_) = belonging.target {
            let sessions = agent.sessions.iter().filter(|session| !session.forgotten).count();
            room("sessions", sessions, maxima.sessions_per_agent)?;
        }
        let open = |agent: &super::agent::Agent| agent.holds.iter().filter(|hold| hold.is_open()).count();
        room("open holds", self.agents.iter().map(open).sum(), maxima.open_holds)?;
        room("open holds", open(agent), maxima.open_holds_per_agent)
    }

    fn place(
        &mut self,
        agent: usize,
        request: &Authorize<'_>,
        content: Content,
        belonging: Belonging,
        verdict: Verdict,
        terms: Option<ApprovalTerms>,
    ) -> Outcome {
        self.agents[agent].active = true;
        self.ask(agent);
        self.meet(&[&belonging.recipient, &belonging.service]);
        let session = self.join(agent, &belonging.target, request, (&belonging.recipient, &belonging.service));
        let mut expires_at = self.expires_at(agent, request, session);
        let waiting = terms.map(|terms| {
            let least = APPROVAL_TIMEOUT.max(request.hold_for.unwrap_or(Duration::ZERO));
            let decide_by = self.now.after(terms.timeout.unwrap_or(least));
            let lasts = expires_at.since(self.now);
            expires_at = decide_by;
            Waiting::new(verdict.about.clone(), &terms, lasts, decide_by)
        });
        if let (Some(waiting), Intent::Session { .. }) = (&waiting, request.intent)
            && let Some(session) = self.agents[agent].session_mut(session)
        {
            session.sort = SessionSort::Envelope { ends_at: waiting.decide_by };
        }
        self.holds_placed += 1;
        let available = belonging.wallet.and_then(|wallet| self.agents[agent].available(wallet));
        let approval = Approval {
            id: request.id,
            amount: request.amount,
            expires_at,
            remaining: verdict.remaining,
            wallet: belonging.wallet.and_then(|wallet| u8::try_from(wallet).ok()),
            available: available.map(|available| left(available - micros(request.amount))),
            reasons: Reasons::default(),
            session: SessionNumber(session),
            policy_revision: self.revision,
            repeated: false,
        };
        self.count_approval(agent, request, &belonging);
        let (recipient, is_own) = (belonging.recipient.clone(), belonging.place != Place::Envelope);
        self.agents[agent].holds.push(Hold {
            id: request.id,
            place: belonging.place,
            status: HoldStatus::Open,
            amount: micros(request.amount),
            captured: 0,
            refunded: 0,
            protocol: request.protocol,
            recipient: belonging.recipient,
            service: belonging.service,
            session,
            wallet: belonging.wallet,
            endpoint: belonging.endpoint,
            placed_at: self.now,
            placed_as: self.holds_placed,
            expires_at,
            ended_at: Timestamp::ZERO,
            forgotten: false,
            content,
            approval: approval.clone(),
            waiting: waiting.clone(),
            transaction: None,
            released: None,
        });
        if let Some(waiting) = waiting {
            let hold = self.agents[agent].holds.last().expect("it was placed just now");
            return Outcome::ApprovalRequired(Box::new(self.required(agent, hold, &waiting, false)));
        }
        if request.intent == Intent::Charge {
            self.arm(agent, expires_at.since(self.now));
        }
        self.watch_payment(agent, micros(request.amount), is_own, Some(&recipient));
        let claimed = request.facts.as_ref().and_then(|facts| facts.trust_score);
        if let Some(score) = self.described(&recipient).and_then(|entry| entry.trust_score).or(claimed) {
            self.watch_trust(agent, score);
        }
        Outcome::Approved(approval)
    }

    /// Joins or begins the session of the request.
    fn join(&mut self, agent: usize, target: &Target, request: &Authorize<'_>, payee: (&str, &str)) -> u32 {
        match *target {
            Target::None => 0,
            Target::Known(number) => {
                self.agents[agent].touch(number, self.now);
                number
            }
            Target::Named(number) => {
                self.agents[agent].touch(number, self.now);
                self.agents[agent].name_session(number, request.session);
                number
            }
            Target::New(sort) => self.begin_session(agent, request.protocol, sort, request.session, payee),
        }
    }

    fn expires_at(&self, agent: usize, request: &Authorize<'_>, session: u32) -> Timestamp {
        let end = self.agents[agent].session(session).and_then(Session::ends_at);
        let lasts: Duration = request.hold_for.unwrap_or(self.options.hold_default);
        match (request.intent, end) {
            (Intent::Session { .. }, Some(end)) => end,
            (_, Some(end)) => self.now.after(lasts).min(end),
            (_, None) => self.now.after(lasts),
        }
        .max(settles_until(self.now, request).unwrap_or_default())
    }

    fn count_approval(&mut self, agent: usize, request: &Authorize<'_>, belonging: &Belonging) {
        let now = self.now;
        self.agents[agent].paces.push((now, 1));
        self.agents[agent].narrow_calls.push(NarrowCall {
            at: now,
            count: 1,
            wallet: belonging.payer,
            protocol: request.protocol,
            endpoint: belonging.endpoint.clone(),
            lost: false,
        });
        let count = u64::from(belonging.place != Place::Deposit);
        self.agents[agent].count_calls(now, request.protocol, &belonging.service, count);
    }
}

/// Until when the payment may settle.
fn settles_until(now: Timestamp, request: &Authorize<'_>) -> Option<Timestamp> {
    let facts = request.facts.as_ref()?;
    facts.valid_before.into_iter().chain(facts.valid_for.map(|validity| now.after(validity))).max()
}

fn content(request: &Authorize<'_>) -> Content {
    let texts = [request.recipient, request.service, request.resource, request.session, request.wallet];
    Content {
        amount: request.amount,
        protocol: request.protocol,
        intent: request.intent,
        texts: texts.map(str::to_owned),
        hold_for: request.hold_for,
        facts: format!("{:?}", request.facts),
    }
}
