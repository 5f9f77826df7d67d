//! Report what was really paid against a hold.

use crate::kernel::{
    AgentIndex, Amount, Event, Failure, Outcome, Timestamp,
    event::CaptureBooked,
    outcome::{Captured, HoldStatus},
    request::Capture,
    state::{
        State, asked, book,
        history::{Answered, Asked, Deed, Operation},
        session::SessionEnd,
        slots::Slot,
        window::Weight,
    },
};

impl State {
    pub(crate) fn capture(
        &self,
        index: AgentIndex,
        asked: &Capture,
        events: &mut Vec<Event>,
    ) -> Result<Outcome, Failure> {
        let agent = self.agent(index)?;
        let content = Asked::Capture(asked.id, asked.amount, asked.last);
        if let Some(Answered::Captured(captured)) = self.repeated(index, asked.operation, content)? {
            return Ok(Outcome::Captured(captured));
        }
        if asked.amount > Amount::MAX {
            return Err(Failure::Invalid { field: "amount", expected: "at most 1000000000000" });
        }
        let slot = self.holds.find(index, asked.id);
        let captured = match slot {
            Some(slot) => self.capture_effect(slot, asked.amount, asked.last),
            None if agent.unknown().is_empty() => return Err(Failure::UnknownAuthorization),
            None => lost_effect(agent.unknown_amount(), asked.amount),
        };
        events.push(Event::Captured(CaptureBooked {
            agent: index,
            id: asked.id,
            operation: asked.operation,
            amount: asked.amount,
            last: asked.last,
        }));
        self.spend_budget(index, slot, asked.amount, asked.last, events);
        Ok(Outcome::Captured(captured))
    }

    pub(crate) fn captured(&mut self, now: Timestamp, event: &CaptureBooked) {
        let captured = match self.holds.find(event.agent, event.id) {
            Some(slot) => {
                let effect = self.capture_effect(slot, event.amount, event.last);
                self.book_capture(now, slot, event.amount, event.last);
                effect
            }
            None => self.book_lost_capture(now, event.agent, event.amount),
        };
        self.watch_captured(now, event, captured);
        let deed = Deed::Captured { of: event.id, amount: event.amount, last: event.last, answer: captured };
        self.remember(now, Operation { agent: event.agent, id: event.operation, deed });
    }

    /// What capturing `amount` of the hold would come to.
    pub(crate) fn capture_effect(&self, slot: Slot, amount: Amount, last: bool) -> Captured {
        let hold = self.holds.at(slot);
        let late = !hold.is_open();
        // Whoever pays before people have decided is as late as one who pays after the end.
        let told_late = late || hold.is_waiting();
        let captured = hold.captured().saturating_add(amount);
        let (before, after, left) = match self.deposit_of(hold) {
            Some(deposit) => {
                let deposit = self.holds.at(deposit);
                let inside = self.inside(deposit);
                let own = if late { Amount::ZERO } else { hold.headroom().min(amount) };
                let charged = deposit.captured().saturating_add(amount);
                let after = deposit.weight_at(charged, inside.saturating_sub(own));
                (deposit.weight(inside), after, hold.amount().saturating_sub(captured))
            }
            None => {
                let inside = self.inside(hold);
                let after = hold.weight_at(captured, inside);
                (hold.weight(inside), after, after.used.saturating_sub(after.spent))
            }
        };
        let held = match (late, last) {
            (true, _) => Amount::ZERO,
            (false, true) => self.inside(hold),
            (false, false) => left,
        };
        Captured { captured, overage: after.used.saturating_sub(before.used), held, late: told_late }
    }

    /// Books a capture of a hold.
    pub(crate) fn book_capture(&mut self, now: Timestamp, slot: Slot, amount: Amount, last: bool) {
        let hold = self.holds.at(slot);
        let (open, is_deposit, agent, session) = (hold.is_open(), hold.deposit, hold.agent, hold.session);
        if hold.from_deposit {
            return self.book_charge(now, slot, amount, last);
        }
        if open && last && !is_deposit {
            return self.finish_with(now, slot, HoldStatus::Captured, |hold| hold.capture(amount));
        }
        self.change(now, slot, |hold| hold.capture(amount));
        if open && last {
            self.session_closed(now, agent, session, SessionEnd::Captured);
        }
    }

    /// Books a capture of a charge inside an envelope: it is a capture of the deposit.
    fn book_charge(&mut self, now: Timestamp, slot: Slot, amount: Amount, last: bool) {
        let deposit = self.deposit_of(self.holds.at(slot));
        let hold = self.holds.at_mut(slot);
        let (open, agent, session) = (hold.is_open(), hold.agent, hold.session);
        let headroom = if open { hold.headroom() } else { Amount::ZERO };
        hold.capture(amount);
        let kept = if open && !last { hold.headroom() } else { Amount::ZERO };
        match deposit {
            Some(deposit) => self.change_envelope(now, deposit, |hold, inside| {
                hold.capture(amount);
                *inside = inside.saturating_sub(headroom).saturating_add(kept);
            }),
            // The session is forgotten: nothing holds the charge any more, so it weighs on the agent itself.
            None => {
                let weight = Weight { used: amount, spent: amount };
                let hold = self.holds.at(slot);
                if let Some(agent) = self.agents.get_mut(hold.agent) {
                    let counted = asked(&self.catalogue, &self.shadows, agent);
                    book(agent, hold, now, Weight::default(), weight, &counted);
                }
            }
        }
        if open && last {
            self.finish(now, slot, HoldStatus::Captured);
        }
        self.settle(now, agent, session);
    }

    /// Books a capture of a hold that a crash lost: now, and as if it could have been in any session, at any service and from any wallet.
    fn book_lost_capture(&mut self, now: Timestamp, index: AgentIndex, amount: Amount) -> Captured {
        let agent = self.agents.get_mut(index).expect("INVARIANT: events speak of agents that exist");
        let drawn = agent.draw_unknown(amount);
        let weight = Weight { used: amount, spent: amount };
        let wallets = agent.wallets.len();
        let counted = asked(&self.catalogue, &self.shadows, agent);
        let activity = agent.activity_mut();
        activity.ask(&counted, now);
        activity.book_windows(now, now, Weight::default(), weight);
        for position in 0..wallets {
            activity.wallet_mut(position).book(now, now, Weight::default(), weight);
        }
        if let Some(budgets) = &mut activity.budgets {
            budgets.spend(amount);
        }
        activity.book_lost(now, weight, wallets);
        let lost = activity.lost_mut();
        lost.unattributed = lost.unattributed.saturating_add(amount);
        lost_effect(drawn, amount)
    }
}

fn lost_effect(unknown: Amount, amount: Amount) -> Captured {
    Captured { captured: amount, overage: amount.saturating_sub(unknown), held: Amount::ZERO, late: true }
}
