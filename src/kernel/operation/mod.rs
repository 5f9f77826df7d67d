//! What can be done to a shard: one file an operation, its decision beside its application. This file only delegates.

mod administration;
mod alarm;
mod alert;
mod approval;
mod asking;
mod authorize;
mod budget;
mod capture;
mod capture_to;
mod counterparty;
mod extend;
mod freeze;
mod increment;
mod join;
mod life;
mod lifecycle;
mod limits;
mod looked_at;
mod ordinary;
mod policy;
mod read;
mod record;
mod refund;
mod sanctions;
mod session;
mod settle;
mod shadow;
mod simulate;
mod void;
mod webhook;

pub(crate) use alarm::Found;

use super::{
    Actor, Event, Failure, Outcome, Request, Timestamp,
    state::{State, session::SessionEnd},
};

impl State {
    /// Decides a request at `now` and says what happened in `events`, changing nothing.
    ///
    /// Requires that [`State::advance`] was called for `now`. Whoever keeps the answer must apply the events, in order. No events
    /// means that nothing changes.
    ///
    /// # Errors
    /// [`Failure`] where something is wrong with the request; there are no events then.
    pub fn decide(&self, now: Timestamp, request: &Request<'_>, events: &mut Vec<Event>) -> Result<Outcome, Failure> {
        let now = now.max(self.moment);
        match request {
            Request::Authorize(agent, asked) => self.authorize(now, *agent, asked, events),
            Request::Capture(agent, asked) => self.capture(*agent, asked, events),
            Request::CaptureTo(agent, asked) => self.capture_to(now, *agent, asked, events),
            Request::Settle(agent, asked) => self.settle_hold(now, *agent, asked, events),
            Request::Void(agent, id) => self.void(*agent, *id, events),
            Request::Extend(agent, asked) => self.extend(now, *agent, asked, events),
            Request::Increment(agent, asked) => self.increment(now, *agent, asked, events),
            Request::Refund(agent, asked) => self.refund(*agent, asked, events),
            Request::Record(agent, asked) => self.record(now, *agent, asked, events),
            Request::CloseSession(agent, asked) => self.close_session(*agent, asked, events),
            Request::UpdateAgent(agent, asked) => self.update_agent(*agent, asked, events),
            Request::PutWallet(agent, wallet) => self.put_wallet(*agent, wallet, events),
            Request::CreateAgent(asked) => self.create_agent(asked, events),
            Request::IssueKey(key) => self.issue_key(key, events),
            Request::RevokeKey(id) => self.revoke_key(*id, events),
            Request::PutPolicy(source, revision) => self.put_policy(source, *revision, events),
            Request::RemovePolicy(id, revision) => self.remove_policy(*id, *revision, events),
            Request::PutShadow(source, revision) => self.put_shadow(source, *revision, events),
            Request::RemoveShadow(id, revision) => self.remove_shadow(*id, *revision, events),
            Request::PutCounterparty(counterparty, revision) => self.put_counterparty(counterparty, *revision, events),
            Request::RemoveCounterparty(id, revision) => self.remove_counterparty(*id, *revision, events),
            Request::StageSanctions(part) => self.stage_sanctions(part, events),
            Request::SwitchSanctions(summary, revision) => self.switch_sanctions(summary.as_deref(), *revision, events),
            Request::SetOptions(options) => Ok(self.set_options(options, events)),
            Request::Read(query) => self.read(now, query).map(Outcome::View),
            Request::Webhook(change) => self.change_webhook(change, events),
            Request::Freeze(agent, asked) => self.freeze(*agent, asked, events),
            Request::Unfreeze(agent) => self.unfreeze(*agent, events),
            Request::ChangeAlert(number, status) => self.change_alert(*number, *status, events),
            Request::NoteExport(what) => Self::note_export(what, events),
            Request::By(actor, asked) => self.decide_by(now, actor, asked, events),
            Request::RequestBudget(agent, asked) => self.request_budget(now, *agent, asked, events),
            Request::DecideBudget(agent, asked) => self.decide_budget(now, *agent, asked, events),
            Request::DecideApproval(agent, asked) => self.decide_approval(now, *agent, asked, events),
        }
    }

    /// Decides a change and says who asked for it and what was there before, if anything happened.
    fn decide_by(
        &self,
        now: Timestamp,
        actor: &Actor,
        asked: &Request<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        if let Request::By(..) = asked {
            return Err(Failure::Invalid { field: "actor", expected: "one actor" });
        }
        let place = events.len();
        let outcome = self.decide(now, asked, events)?;
        if events.len() > place {
            if let Some(former) = self.former(asked) {
                events.insert(place, Event::Before(Box::new(former)));
            }
            let count = events.len() - place;
            events.insert(place, Event::By(Box::new(actor.clone()), count as u32));
        }
        Ok(outcome)
    }

    /// Makes an event part of the state. Total and deterministic: the same events in the same order give the same state.
    ///
    /// Requires that the event was decided by a state that had applied the same events before.
    pub fn apply(&mut self, now: Timestamp, event: &Event) {
        assert!(now >= self.moment, "INVARIANT: time does not run backwards");
        self.moment = now;
        match event {
            Event::NameMet(text) => {
                self.names.add(text.clone());
            }
            Event::Approved(approved) => self.approved(now, approved),
            Event::Denied(denied) => self.denied(now, denied),
            Event::Captured(booked) => self.captured(now, booked),
            Event::Settled(booked) => self.settled(now, booked),
            Event::Voided(agent, id) => self.voided(now, *agent, *id),
            Event::Expired(agent, id) => self.expired(now, *agent, *id),
            Event::Extended(extended) => self.extended(now, extended),
            Event::Increased(increased) => self.increased(now, increased),
            Event::Refunded(booked) => self.refunded(now, booked),
            Event::Recorded(booked) => self.recorded(now, booked),
            Event::SessionOpened(opened) => self.session_opened(now, opened),
            Event::SessionNamed(agent, number, name) => self.session_named(*agent, *number, name),
            Event::SessionClosed(agent, number) => self.session_closed(now, *agent, *number, SessionEnd::Closed),
            Event::SessionForgotten(agent, number) => self.session_forgotten(*agent, *number),
            Event::HistoryForgotten { holds, operations } => self.history_forgotten(now, *holds, *operations),
            Event::UnknownExpired(agent) => self.unknown_expired(now, *agent),
            Event::AgentCreated(created) => self.agent_created(now, created),
            Event::AgentUpdated(agent, status, name, lease) => {
                self.agent_updated(*agent, *status, name.as_deref(), *lease);
            }
            Event::WalletPut(agent, wallet) => self.wallet_put(*agent, wallet),
            Event::KeyIssued(key) => self.key_issued(key),
            Event::KeyRevoked(id) => self.key_revoked(*id),
            Event::PolicyPut(source, revision) => self.policy_put(source, *revision),
            Event::PolicyRemoved(id, revision) => self.policy_removed(*id, *revision),
            Event::CounterpartyPut(counterparty, revision) => self.counterparty_put(counterparty, *revision),
            Event::CounterpartyRemoved(id, revision) => self.counterparty_removed(*id, *revision),
            Event::SanctionsStaged(part) => self.sanctions.stage(part),
            Event::SanctionsSwitched(summary, revision) => {
                self.sanctions_switched(now, summary.as_deref(), *revision);
            }
            Event::ShadowPut(source, revision) => self.shadow_put(now, source, *revision),
            Event::ShadowRemoved(id, revision) => self.shadow_removed(*id, *revision),
            Event::ShadowDiffered(differed) => self.shadows.differed(now, differed),
            Event::OptionsSet(options) => self.options_set(options),
            Event::Started { incarnation } => self.started(now, *incarnation),
            Event::Stopped => self.stopped(),
            Event::Webhook(change) => self.webhook_changed(change),
            Event::BudgetRequested(requested) => self.budget_requested(now, requested),
            Event::BudgetApproved(approved) => self.budget_approved(now, approved),
            Event::BudgetRejected(rejected) => self.budget_rejected(now, rejected),
            Event::BudgetSpent(agent, id, spent) => self.budget_spent(*agent, *id, *spent),
            Event::BudgetExhausted(agent, id) => self.budget_exhausted(*agent, *id),
            Event::BudgetExpired(agent, id, _) => self.budget_expired(*agent, *id),
            Event::ApprovalAsked(asked) => self.approval_asked(now, asked),
            Event::ApprovalGiven(given) => self.approval_given(now, given),
            Event::ApprovalRejected(rejected) => self.approval_rejected(now, rejected),
            Event::ApprovalExpired(agent, id) => self.expired(now, *agent, *id),
            Event::Alerted(raised) => self.alerted(now, raised),
            Event::AlertChanged(_, number, status) => self.alert_changed(now, *number, *status),
            Event::AgentFrozen(frozen) => self.frozen(now, frozen),
            Event::AgentUnfrozen(agent) => self.unfrozen(*agent),
            Event::HoldsVoided(agent, next) => self.holds_voided_until(*agent, *next),
            Event::WatchingChanged(agent, change) => self.watching_changed(*agent, change),
            Event::TrustSeen(agent, score) => self.watch_trust(now, *agent, *score),
            Event::Checkpoint(_)
            | Event::By(..)
            | Event::Before(_)
            | Event::FactsTold(..)
            | Event::AuditExported(_) => {}
        }
    }
}
