//! How long does a hold last?

use super::join::Join;
use crate::kernel::{
    Duration, Failure, Timestamp,
    policy::Program,
    request::{Authorize, Intent},
    state::{State, session::Session},
};

impl State {
    /// How long the caller may pay: what was asked, but at least as long as the payment may settle and at most as long as its envelope.
    pub(super) fn life(
        &self,
        program: &Program,
        now: Timestamp,
        asked: &Authorize<'_>,
        join: Join<'_>,
    ) -> Result<Duration, Failure> {
        let (life, end) = if let Intent::Session { duration } = asked.intent {
            let by_policy = program.session_duration_max();
            let life = duration.or(by_policy).unwrap_or(self.options.session_default).min(self.options.hold_max);
            (life, Some(life))
        } else {
            let life = asked.hold_for.unwrap_or(self.options.hold_default);
            let end = join.session().and_then(Session::envelope).map(|envelope| envelope.ends_at.since(now));
            (end.map_or(life, |end| life.min(end)), end)
        };
        match asked.facts.as_ref().and_then(|facts| facts.settles_until(now)) {
            None => Ok(life),
            Some(until) => self.needed(until.since(now), end).map(|needed| life.max(needed)),
        }
    }

    /// What a payment needs that may settle for so long, where its deposit is held until `end`.
    fn needed(&self, needed: Duration, end: Option<Duration>) -> Result<Duration, Failure> {
        let invalid = |expected| Err(Failure::Invalid { field: "validBefore", expected });
        if needed == Duration::ZERO {
            return invalid("a moment to come: the payment could not settle any more");
        }
        if needed > self.options.hold_max {
            return invalid("a moment within the longest hold: money is held until the payment cannot settle any more");
        }
        if end.is_some_and(|end| needed > end) {
            return invalid("a moment before the session ends: its deposit is free again then");
        }
        Ok(needed)
    }
}
