//! The state of one shard, and the bookings that every operation is made of.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    agent::Agent,
    agents::Agents,
    approval::Approvals,
    catalogue::Catalogue,
    counterparties::Counterparties,
    counters::{Change, Scopes},
    deadline::{Deadline, Deadlines, Due},
    history::{Answered, Asked, History, Operation},
    hold::Hold,
    holds::Holds,
    names::Names,
    sanctions::Sanctions,
    session::{Session, SessionEnd},
    shadow::Shadows,
    slots::Slot,
    window::{Weight, replace},
};
use crate::kernel::operation::Found;
use crate::kernel::{
    AgentId, AgentIndex, Amount, BudgetRequestId, Failure, KeyId, OperationId, Options, SessionNumber, Timestamp,
    WebhookId,
    anomaly::Alerts,
    outcome::HoldStatus,
    policy::{CountedSet, PolicySource, Program},
    request::KeySource,
    webhook::Webhook,
};

/// Everything a shard remembers.
#[derive(Debug)]
pub struct State {
    pub(crate) options: Options,
    pub(crate) moment: Timestamp,
    pub(crate) incarnation: u32,
    pub(crate) clean: bool,
    pub(crate) serial: u64,
    pub(crate) agents: Agents,
    pub(crate) names: Names,
    pub(crate) holds: Holds,
    pub(crate) history: History,
    pub(crate) catalogue: Catalogue,
    pub(crate) shadows: Shadows,
    pub(crate) counterparties: Counterparties,
    pub(crate) sanctions: Sanctions,
    pub(crate) keys: BTreeMap<KeyId, KeySource>,
    pub(crate) webhooks: BTreeMap<WebhookId, Webhook>,
    pub(crate) deadlines: Deadlines,
    pub(crate) approvals: Approvals,
    /// All budget requests that are remembered, by when they were made, by agent and number. Rebuilt from the agents.
    pub(crate) budget_index: BTreeSet<(Timestamp, AgentIndex, u32)>,
    /// The same by their ids.
    pub(crate) budget_ids: BTreeSet<(BudgetRequestId, AgentIndex)>,
    pub(crate) alerts: Alerts,
    /// What is to be said as events before anything else happens.
    pub(crate) found: Vec<Found>,
}

/// What may be approved for an agent ahead of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// This much money.
    pub amount: Amount,
    /// This many approvals.
    pub count: u32,
    /// Whether an approval of this incarnation has armed it. It covers nothing before that approval is durable.
    pub armed: bool,
}

impl State {
    /// An empty shard.
    #[must_use]
    pub fn new(options: Options) -> State {
        let mut catalogue = Catalogue::new(&options.default_policy);
        catalogue.compile();
        State {
            options,
            moment: Timestamp::ZERO,
            incarnation: 0,
            clean: true,
            serial: 0,
            agents: Agents::default(),
            names: Names::default(),
            holds: Holds::default(),
            history: History::default(),
            catalogue,
            shadows: Shadows::default(),
            counterparties: Counterparties::default(),
            sanctions: Sanctions::default(),
            keys: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            deadlines: Deadlines::default(),
            approvals: Approvals::default(),
            budget_index: BTreeSet::new(),
            budget_ids: BTreeSet::new(),
            alerts: Alerts::default(),
            found: Vec::new(),
        }
    }

    /// The moment of the latest event.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.moment
    }

    /// How often the shard was started.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Whether the process that had the shard last let it go with everything durable.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.clean
    }

    /// The options that decisions depend on.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The lease of an agent; nothing for an agent that does not exist.
    #[must_use]
    pub fn lease(&self, agent: AgentIndex) -> Lease {
        self.agents.get(agent).map_or(Lease { amount: Amount::ZERO, count: 0, armed: false }, |agent| Lease {
            amount: agent.lease_amount,
            count: agent.lease_count,
            armed: !self.clean && agent.armed_in == self.incarnation && agent.armed_in != 0,
        })
    }

    /// All agents in the order of creation.
    pub fn agents(&self) -> impl Iterator<Item = (AgentIndex, AgentId)> {
        self.agents.iter().map(|(index, agent)| (index, agent.id))
    }

    /// All credentials that are not revoked.
    pub fn keys(&self) -> impl Iterator<Item = &KeySource> {
        self.keys.values()
    }

    /// All webhooks.
    pub fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.webhooks.values()
    }

    /// The policies in force, each with the revision that wrote it.
    pub fn policies(&self) -> impl Iterator<Item = (&PolicySource, u32)> {
        self.catalogue.sources()
    }

    /// The payees that the organization describes.
    #[must_use]
    pub fn counterparties(&self) -> &Counterparties {
        &self.counterparties
    }

    /// Who must not be paid.
    #[must_use]
    pub fn sanctions(&self) -> &Sanctions {
        &self.sanctions
    }

    /// The policy catalogue, removed policies included.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The alerts that are kept.
    #[must_use]
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// The policies in shadow, those that are no more included.
    #[must_use]
    pub fn shadows(&self) -> &Shadows {
        &self.shadows
    }

    /// When [`State::advance`] has something to do at the earliest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let history = self.history.next(self.options.history_kept);
        let at_once = self.has_findings().then_some(self.moment);
        [self.deadlines.next(), history, at_once].into_iter().flatten().min()
    }

    pub(crate) fn agent(&self, index: AgentIndex) -> Result<&Agent, Failure> {
        self.agents.get(index).ok_or(Failure::UnknownAgent)
    }

    /// An agent that an event speaks of.
    pub(crate) fn agent_mut(&mut self, index: AgentIndex) -> &mut Agent {
        self.agents.get_mut(index).expect("INVARIANT: events speak of agents that exist")
    }

    pub(crate) fn program(&self, agent: &Agent) -> &Arc<Program> {
        self.catalogue.program(agent.program.0)
    }

    /// The answer to an operation that was carried out before; a failure where the id stood for something else.
    pub(crate) fn repeated(
        &self,
        agent: AgentIndex,
        id: OperationId,
        asked: Asked,
    ) -> Result<Option<Answered>, Failure> {
        match self.history.operation(agent, id) {
            None => Ok(None),
            Some(operation) if operation.deed.asked() == asked => Ok(Some(operation.deed.answered())),
            Some(_) => Err(Failure::IdReused),
        }
    }

    pub(crate) fn remember(&mut self, now: Timestamp, operation: Operation) {
        self.history.remember(now, operation);
        if self.history.operations_count() > self.options.maxima.operations as usize {
            self.history.forget_operation();
        }
    }

    /// What charges hold inside the envelope whose deposit this is.
    pub(crate) fn inside(&self, hold: &Hold) -> Amount {
        if !hold.deposit {
            return Amount::ZERO;
        }
        let agent = self.agents.get(hold.agent);
        agent.and_then(|agent| agent.session(hold.session)).map_or(Amount::ZERO, |session| session.inside)
    }

    /// Where the deposit is that this charge draws from.
    pub(crate) fn deposit_of(&self, hold: &Hold) -> Option<Slot> {
        if !hold.from_deposit {
            return None;
        }
        let session = self.agents.get(hold.agent)?.session(hold.session)?;
        self.deposit_in(hold.agent, session)
    }

    /// Where the deposit of a session is, as long as it is remembered. Once it is forgotten, its id may name a hold of another session.
    pub(crate) fn deposit_in(&self, agent: AgentIndex, session: &Session) -> Option<Slot> {
        let slot = self.holds.find(agent, session.envelope()?.deposit)?;
        (self.holds.at(slot).session == session.number).then_some(slot)
    }

    /// The wallet that pays for a hold: for a charge inside an envelope, the wallet of its deposit.
    pub(crate) fn payer(&self, hold: &Hold) -> Option<u8> {
        match self.deposit_of(hold) {
            Some(deposit) => self.holds.at(deposit).wallet,
            None => hold.wallet,
        }
    }

    /// Counts calls of an agent, which were made for a hold.
    pub(crate) fn count_calls_for(&mut self, now: Timestamp, slot: Slot, calls: u32) {
        let hold = self.holds.at(slot);
        let agent = self.agents.get_mut(hold.agent).expect("INVARIANT: a hold has an agent");
        agent.count_calls(now, calls);
        let counted = asked(&self.catalogue, &self.shadows, agent);
        agent.activity_mut().ask(&counted, now);
        if agent.activity().has_counters() {
            let scopes = scopes(self.holds.at(slot), self.payer(self.holds.at(slot)));
            self.agent_mut(self.holds.at(slot).agent).activity_mut().count_calls_in(now, &scopes, calls);
        }
    }

    /// Changes a hold and books what that does to the counters it weighs on.
    pub(crate) fn change(&mut self, now: Timestamp, slot: Slot, change: impl FnOnce(&mut Hold)) {
        let inside = self.inside(self.holds.at(slot));
        let hold = self.holds.at_mut(slot);
        let before = hold.weight(inside);
        change(hold);
        let after = hold.weight(inside);
        let hold = self.holds.at(slot);
        if !hold.from_deposit
            && let Some(agent) = self.agents.get_mut(hold.agent)
        {
            let counted = asked(&self.catalogue, &self.shadows, agent);
            book(agent, hold, now, before, after, &counted);
        }
    }

    /// Changes what charges hold inside an envelope, and books what that does to the weight of its deposit.
    pub(crate) fn change_inside(&mut self, now: Timestamp, deposit: Slot, inside: impl FnOnce(Amount) -> Amount) {
        self.change_envelope(now, deposit, |_, held| *held = inside(*held));
    }

    /// Changes a deposit and what charges hold inside its envelope, and books both as one.
    pub(crate) fn change_envelope(
        &mut self,
        now: Timestamp,
        deposit: Slot,
        change: impl FnOnce(&mut Hold, &mut Amount),
    ) {
        let hold = self.holds.at_mut(deposit);
        let Some(agent) = self.agents.get_mut(hold.agent) else { return };
        let Some(session) = agent.session_mut(hold.session) else { return };
        let before = hold.weight(session.inside);
        change(hold, &mut session.inside);
        let after = hold.weight(session.inside);
        let counted = asked(&self.catalogue, &self.shadows, agent);
        book(agent, hold, now, before, after, &counted);
    }

    /// A hold is over: what it does not weigh any more is booked, and it becomes history.
    pub(crate) fn finish(&mut self, now: Timestamp, slot: Slot, status: HoldStatus) {
        self.finish_with(now, slot, status, |_| ());
    }

    /// Changes a hold and finishes it, and books both as one.
    pub(crate) fn finish_with(
        &mut self,
        now: Timestamp,
        slot: Slot,
        status: HoldStatus,
        change: impl FnOnce(&mut Hold),
    ) {
        let inside = self.inside(self.holds.at(slot));
        let hold = self.holds.at_mut(slot);
        let (before, agent_index) = (hold.weight(inside), hold.agent);
        change(hold);
        let was_waiting = hold.is_waiting();
        let agent = self.agents.get_mut(agent_index).expect("INVARIANT: a hold has an agent");
        self.holds.finish(slot, status, &mut agent.open_holds.0);
        if was_waiting {
            self.holds.at_mut(slot).end_waiting(now);
            if let Some(request) = self.holds.at(slot).approval_request() {
                self.approvals.decided(agent_index, request.id);
            }
        }
        let hold = self.holds.at(slot);
        if !hold.from_deposit {
            let counted = asked(&self.catalogue, &self.shadows, agent);
            book(agent, hold, now, before, hold.weight(inside), &counted);
        }
        let (session, due) = (hold.session, hold.due());
        if hold.from_deposit
            && let Some(session) = agent.session_mut(session)
        {
            session.open_charges -= 1;
        }
        self.let_session_go(now, agent_index, session, |session| session.envelope().is_none());
        self.deadlines.outdate_hold(due, &self.holds);
        self.history.finish(now, slot);
        if self.history.finished_count() > self.options.maxima.finished_holds as usize {
            self.forget_hold(now);
        }
    }

    /// A hold keeps its session no longer, where that is so for sessions of the kind; with the last one the session may be forgotten.
    fn let_session_go(
        &mut self,
        now: Timestamp,
        index: AgentIndex,
        number: SessionNumber,
        of_kind: fn(&Session) -> bool,
    ) {
        let agent = self.agents.get_mut(index);
        let Some(session) = agent.and_then(|agent| agent.session_mut(number)).filter(|session| of_kind(session)) else {
            return;
        };
        session.kept_by -= 1;
        if session.kept_by == 0 && !session.awaits_deadline.0 {
            session.awaits_deadline.0 = true;
            let due = session.forgotten_at(self.options.session_kept).max(now);
            self.deadlines.push(Deadline { due, what: Due::Session(index, number) });
        }
    }

    /// Forgets the oldest hold that is over.
    pub(crate) fn forget_hold(&mut self, now: Timestamp) {
        if let Some(slot) = self.history.forget_hold() {
            let hold = self.holds.at(slot);
            let (agent, session, in_envelope) = (hold.agent, hold.session, hold.deposit || hold.from_deposit);
            if let Some(request) = hold.approval_request() {
                self.approvals.forget(agent, hold.placed_at, request.id);
            }
            self.holds.remove(slot);
            if in_envelope {
                self.let_session_go(now, agent, session, |session| session.envelope().is_some());
            }
        }
    }

    /// An envelope that is closed releases what is neither captured nor held inside it; with the last of its
    /// open charges it is over.
    ///
    /// The deposit is looked up here, after whatever ended: to remember that may have cost the memory of the deposit.
    pub(crate) fn settle(&mut self, now: Timestamp, agent: AgentIndex, session: SessionNumber) {
        let closed = |session: &&Session| !session.is_open();
        let Some(session) = self.agents.get(agent).and_then(|agent| agent.session(session)).filter(closed) else {
            return;
        };
        let (inside, charges) = (session.inside, session.open_charges);
        let captured = session.end == SessionEnd::Captured;
        let deposit = self.deposit_in(agent, session);
        let Some(deposit) = deposit.filter(|slot| self.holds.at(*slot).is_open()) else { return };
        self.change(now, deposit, |hold| {
            hold.resize(hold.amount().min(hold.captured().saturating_add(inside)));
        });
        if charges == 0 {
            self.finish(now, deposit, if captured { HoldStatus::Captured } else { HoldStatus::Voided });
        }
    }

    /// Gives every agent the program that its policies make, and brings what follows from it up to date.
    pub(crate) fn recompile(&mut self) {
        self.assign_programs();
        for (_, agent) in self.agents.iter_mut() {
            refresh(agent, &self.options, &self.catalogue, &self.shadows, self.moment);
        }
    }

    pub(crate) fn assign_programs(&mut self) {
        self.catalogue.compile();
        self.shadows.compile(&self.catalogue);
        for (_, agent) in self.agents.iter_mut() {
            agent.program.0 = self.catalogue.program_of(agent.id);
        }
    }

    /// Brings what follows from an agent's limits up to date: what is counted of it, and its lease.
    pub(crate) fn refresh(&mut self, index: AgentIndex) {
        if let Some(agent) = self.agents.get_mut(index) {
            refresh(agent, &self.options, &self.catalogue, &self.shadows, self.moment);
        }
    }

    /// The session of an event, which counts as a request in it.
    pub(crate) fn touch(agent: &mut Agent, number: SessionNumber, now: Timestamp) -> Option<&mut Session> {
        let session = agent.session_mut(number)?;
        session.last_request = now;
        Some(session)
    }
}

/// Books the difference of a hold's weight in every counter that it was placed in, and in those that its agent's program asks for.
pub(crate) fn book(
    agent: &mut Agent,
    hold: &Hold,
    now: Timestamp,
    before: Weight,
    after: Weight,
    counted: &CountedSet,
) {
    if before == after {
        return;
    }
    let activity = agent.activity_mut();
    activity.ask(counted, now);
    activity.book_windows(hold.placed_at, now, before, after);
    if let Some(budgets) = &mut activity.budgets {
        budgets.book(hold.serial, before, after);
    }
    activity.service_mut(hold.protocol, hold.service()).windows.book(hold.placed_at, now, before, after);
    if let Some(position) = hold.wallet {
        activity.wallet_mut(usize::from(position)).book(hold.placed_at, now, before, after);
    }
    if !hold.deposit
        && let Some(session) = activity.session_mut(hold.session)
    {
        session.weight.used = replace(session.weight.used, before.used, after.used);
        session.weight.spent = replace(session.weight.spent, before.spent, after.spent);
    }
    let change = Change { placed: hold.placed_at, approved: hold.approved_amount(), before, after };
    activity.book_counters(now, || scopes(hold, hold.wallet), change);
}

/// What the policies of an agent ask to be counted, those in shadow included.
#[inline]
pub(crate) fn asked<'a>(catalogue: &'a Catalogue, shadows: &'a Shadows, agent: &Agent) -> Cow<'a, CountedSet> {
    let live = catalogue.program(agent.program.0).counted();
    if shadows.is_empty() { Cow::Borrowed(live) } else { shadows.counted(agent.id, live) }
}

/// What a hold counts in, where `wallet` pays.
fn scopes(hold: &Hold, wallet: Option<u8>) -> Scopes {
    Scopes { protocol: hold.protocol, wallet, service: hold.service(), endpoint: hold.endpoint() }
}

/// Brings what follows from an agent's limits up to date: what is counted of it, and its lease.
fn refresh(agent: &mut Agent, options: &Options, catalogue: &Catalogue, shadows: &Shadows, now: Timestamp) {
    let program = catalogue.program(agent.program.0);
    if let Some(watch) = agent.watch_mut() {
        watch.look_soon();
    }
    // A period that no policy asks for any more goes on being counted: to drop a policy and write it again is no fresh allowance.
    agent.counted = agent.counted.union(program.velocity_periods()).union(shadows.velocity_periods(agent.id));
    agent.ask(&asked(catalogue, shadows, agent), now);
    let (amount, count) = lease(options, agent, program);
    if (amount, count) != (agent.lease_amount, agent.lease_count) {
        (agent.lease_amount, agent.lease_count, agent.armed_in) = (amount, count, 0);
    }
}

/// The lease that the rule of the options gives an agent: amount and count.
fn lease(options: &Options, agent: &Agent, program: &Program) -> (Amount, u32) {
    let rule = &options.lease;
    let share = |whole: u64| (u128::from(whole) * u128::from(rule.share_percent.min(100)) / 100) as u64;
    let budget = agent.budget_in_force().map(|budget| budget.approved);
    let smallest = [program.smallest_amount_limit(), agent.smallest_wallet_limit(), budget].into_iter().flatten().min();
    let amount = match (rule.ceiling, agent.own_lease, smallest) {
        (Amount::ZERO, _, _) => Amount::ZERO,
        (_, Some(own), _) => own,
        (ceiling, None, None) => ceiling,
        (ceiling, None, Some(cap)) => Amount::from_micros(share(cap.micros())).max(rule.floor).min(ceiling),
    };
    let count = match program.smallest_count_limit() {
        None => rule.count_max,
        Some(smallest) => (share(u64::from(smallest)) as u32).min(rule.count_max),
    };
    (amount, count)
}
