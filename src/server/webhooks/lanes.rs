//! What a webhook still has to deliver: a lane for every agent, so that the events of one agent arrive in order and one that fails holds
//! back nobody else. Time is passed in, and nothing is sent here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::kernel::{
    AgentId, Duration, ShardId, Timestamp,
    webhook::{BEHIND_MAX, DeadLetter, EventPlace},
};

/// How long after a failed attempt the next one is made; after the last of them a delivery is given up, about 21 hours after the first.
pub const RETRY_AFTER: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(6 * 3600),
    Duration::from_secs(8 * 3600),
];
/// An event that is older is attempted once and not again. Without this, everything that happened while a receiver was away would get a day
/// of its own, one event after the other.
pub const LETTER_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The most events of one agent that wait in memory; the later ones are read from the journal again when it is their turn.
pub const LANE_EVENTS_MAX: usize = 128;
/// The most events of a webhook that wait in memory, over all agents.
pub const LETTERS_MAX: usize = 2048;
/// The most attempts of one webhook that are made at once; of one whose last attempt failed there is one at a time.
pub const IN_FLIGHT_MAX: usize = 4;

/// An event to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// Its name for ever.
    pub(super) place: EventPlace,
    /// Its kind.
    pub(super) event: &'static str,
    /// Whose it is.
    pub(super) agent: Option<AgentId>,
    /// When it happened; of one that is delivered again on demand, when that was demanded.
    pub(super) moment: Timestamp,
    /// What is sent.
    pub(super) body: Arc<str>,
}

/// Which lane: that of an agent, or that of a shard's events of no agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    pub(super) agent: Option<AgentId>,
    pub(super) shard: ShardId,
}

impl Letter {
    pub(super) fn key(&self) -> LaneKey {
        LaneKey { agent: self.agent, shard: self.place.shard }
    }
}

/// What has become of a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrived.
    Delivered(EventPlace),
    /// It is tried again, or nobody waits for it any more.
    Postponed,
    /// It was tried for the last time. It stays at the head of its lane until it is [`buried`](Lanes::buried).
    GivenUp(DeadLetter),
}

/// The lanes of one webhook. There are at most [`BEHIND_MAX`].
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<LaneKey, Lane>,
    letters: usize,
    in_flight: usize,
    /// Whether the last attempt failed.
    is_failing: bool,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Letter>,
    /// The first event that had no room. From there on the agent's events have to be read again.
    spilled: Option<EventPlace>,
    /// How often the first letter was tried.
    attempts: u32,
    /// When it is tried next.
    ready_at: Timestamp,
    /// Whether nothing of it is attempted now: an attempt is being made, or its first letter is given up and that is not recorded yet.
    is_held: bool,
}

impl Lanes {
    /// Takes an event at the end of its agent's lane. Nothing is taken where there is no room for another lane: the events of everybody
    /// wait in the journal then.
    #[must_use]
    pub(super) fn offer(&mut self, letter: Letter) -> bool {
        if self.lanes.len() >= BEHIND_MAX && !self.lanes.contains_key(&letter.key()) {
            return false;
        }
        let has_room = self.letters < LETTERS_MAX;
        let lane = self.lanes.entry(letter.key()).or_default();
        if lane.spilled.is_none() && has_room && lane.waiting.len() < LANE_EVENTS_MAX {
            lane.waiting.push_back(letter);
            self.letters += 1;
        } else {
            lane.spilled.get_or_insert(letter.place);
        }
        true
    }

    /// Whether an event of anybody would be taken.
    pub(super) fn has_room(&self) -> bool {
        self.lanes.len() < BEHIND_MAX
    }

    /// A lane that is to begin at a place that was not read yet: as after a restart.
    pub(super) fn resume(&mut self, agent: Option<AgentId>, from: EventPlace) {
        self.lanes.entry(LaneKey { agent, shard: from.shard }).or_default().spilled = Some(from);
    }

    /// The next delivery to attempt, and which attempt of it.
    pub(super) fn begin(&mut self, now: Timestamp) -> Option<(Letter, u32)> {
        if self.in_flight >= if self.is_failing { 1 } else { IN_FLIGHT_MAX } {
            return None;
        }
        let ready = |lane: &&mut Lane| !lane.is_held && lane.ready_at <= now && !lane.waiting.is_empty();
        let lane = self.lanes.values_mut().filter(ready).min_by_key(|lane| lane.ready_at)?;
        let letter = lane.waiting.front()?.clone();
        lane.is_held = true;
        self.in_flight += 1;
        Some((letter, lane.attempts + 1))
    }

    /// An attempt is over.
    pub(super) fn end(&mut self, now: Timestamp, key: LaneKey, result: Result<(), String>) -> Fate {
        let Some(lane) = self.lanes.get_mut(&key).filter(|lane| lane.is_held) else { return Fate::Postponed };
        let Some(letter) = lane.waiting.front() else { return Fate::Postponed };
        self.in_flight -= 1;
        self.is_failing = result.is_err();
        lane.attempts += 1;
        let Err(reason) = result else {
            let place = letter.place;
            self.next(now, key);
            return Fate::Delivered(place);
        };
        let again = RETRY_AFTER.get(lane.attempts as usize - 1).map(|wait| now.after(*wait));
        match again.filter(|again| *again <= letter.moment.after(LETTER_AGE_MAX)) {
            Some(again) => {
                (lane.ready_at, lane.is_held) = (again, false);
                Fate::Postponed
            }
            None => Fate::GivenUp(DeadLetter {
                place: letter.place,
                event: letter.event.into(),
                agent: letter.agent,
                attempts: lane.attempts,
                failed_at: now,
                reason: reason.into(),
            }),
        }
    }

    /// A delivery that was given up is recorded, so that the next one may be attempted.
    pub(super) fn buried(&mut self, now: Timestamp, key: LaneKey) {
        self.next(now, key);
    }

    /// The first letter of a lane is done with.
    fn next(&mut self, now: Timestamp, key: LaneKey) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            self.letters -= usize::from(lane.waiting.pop_front().is_some());
            (lane.attempts, lane.ready_at, lane.is_held) = (0, now, false);
        }
        self.drop_if_done(key);
    }

    /// A lane whose letters in memory are done with and whose later events have to be read from a place on.
    pub(super) fn refill(&self) -> Option<(LaneKey, EventPlace)> {
        let empty = self.lanes.iter().filter(|(_, lane)| lane.waiting.is_empty());
        empty.filter_map(|(key, lane)| Some((*key, lane.spilled?))).next()
    }

    /// Fills a lane with the events that were read, of which the last is followed by `rest`, where there is one.
    pub(super) fn refilled(
        &mut self,
        key: LaneKey,
        letters: impl IntoIterator<Item = Letter>,
        rest: Option<EventPlace>,
    ) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            let before = lane.waiting.len();
            lane.waiting.extend(letters);
            self.letters += lane.waiting.len() - before;
            lane.spilled = rest;
        }
        self.drop_if_done(key);
    }

    /// When there is something to attempt at the earliest, of what waits for time.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let waiting = self.lanes.values().filter(|lane| !lane.is_held && !lane.waiting.is_empty());
        waiting.map(|lane| lane.ready_at).min()
    }

    /// When the oldest event happened that waits in memory.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.lanes.values().filter_map(|lane| Some(lane.waiting.front()?.moment)).min()
    }

    /// Who is behind, and from where on.
    pub(super) fn behind(&self) -> Vec<(Option<AgentId>, EventPlace)> {
        let first = |lane: &Lane| lane.waiting.front().map(|letter| letter.place).or(lane.spilled);
        self.lanes.iter().filter_map(|(key, lane)| Some((key.agent, first(lane)?))).collect()
    }

    /// How many events wait in memory.
    pub(super) fn letters(&self) -> usize {
        self.letters
    }

    /// How many lanes there are.
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    fn drop_if_done(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.get(&key)
            && lane.waiting.is_empty()
            && lane.spilled.is_none()
        {
            self.lanes.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Option<AgentId> = Some(AgentId(1));
    const BOB: Option<AgentId> = Some(AgentId(2));

    fn place(sequence: u64) -> EventPlace {
        EventPlace { shard: ShardId(0), sequence, index: 0 }
    }

    fn letter(agent: Option<AgentId>, sequence: u64) -> Letter {
        let (place, moment) = (place(sequence), Timestamp::ZERO);
        Letter { place, event: "payment.approved", agent, moment, body: "{}".into() }
    }

    fn key(agent: Option<AgentId>) -> LaneKey {
        LaneKey { agent, shard: ShardId(0) }
    }

    fn delivered(sequence: u64) -> Fate {
        Fate::Delivered(place(sequence))
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn begun(lanes: &mut Lanes, now: Timestamp) -> Option<(u64, u32)> {
        lanes.begin(now).map(|(letter, attempt)| (letter.place.sequence, attempt))
    }

    fn failed() -> Result<(), String> {
        Err("answered 500".to_owned())
    }

    #[test]
    fn events_of_one_agent_go_one_after_the_other_and_those_of_others_beside_them() {
        let mut lanes = Lanes::default();
        for event in [letter(ALICE, 1), letter(ALICE, 2), letter(BOB, 3), letter(None, 4)] {
            assert!(lanes.offer(event));
        }
        let first: Vec<_> = std::iter::from_fn(|| begun(&mut lanes, at(0))).collect();
        assert_eq!(first, [(4, 1), (1, 1), (3, 1)]);
        assert_eq!(lanes.end(at(0), key(ALICE), Ok(())), delivered(1));
        assert_eq!(begun(&mut lanes, at(0)), Some((2, 1)));
        for (agent, sequence) in [(ALICE, 2), (BOB, 3), (None, 4)] {
            assert_eq!(lanes.end(at(0), key(agent), Ok(())), delivered(sequence));
        }
        assert_eq!((begun(&mut lanes, at(0)), lanes.behind(), lanes.next_due()), (None, vec![], None));
    }

    #[test]
    fn one_that_fails_holds_back_its_own_agent_alone() {
        let mut lanes = Lanes::default();
        for event in [letter(ALICE, 1), letter(ALICE, 2), letter(BOB, 3)] {
            assert!(lanes.offer(event));
        }
        assert_eq!(begun(&mut lanes, at(0)), Some((1, 1)));
        assert_eq!(lanes.end(at(0), key(ALICE), failed()), Fate::Postponed);
        assert_eq!(begun(&mut lanes, at(0)), Some((3, 1)));
        assert_eq!(lanes.end(at(0), key(BOB), Ok(())), delivered(3));
        assert_eq!((begun(&mut lanes, at(4)), lanes.next_due()), (None, Some(at(5))));
        assert_eq!(lanes.behind(), [(ALICE, place(1))]);
        assert_eq!(begun(&mut lanes, at(5)), Some((1, 2)));
        assert_eq!(lanes.end(at(6), key(ALICE), Ok(())), delivered(1));
        assert_eq!(begun(&mut lanes, at(6)), Some((2, 1)));
    }

    #[test]
    fn what_fails_for_hours_is_given_up_and_the_next_has_its_own_attempts() {
        let mut lanes = Lanes::default();
        assert!(lanes.offer(letter(ALICE, 1)) && lanes.offer(letter(ALICE, 2)));
        let mut now = at(0);
        for (wait, attempt) in RETRY_AFTER.iter().zip(1..) {
            assert_eq!(begun(&mut lanes, now), Some((1, attempt)));
            assert_eq!(lanes.end(now, key(ALICE), failed()), Fate::Postponed);
            now = now.after(*wait);
        }
        assert_eq!(begun(&mut lanes, now), Some((1, 11)));
        let Fate::GivenUp(dead) = lanes.end(now, key(ALICE), failed()) else { panic!() };
        assert_eq!((dead.place, dead.attempts, &*dead.reason), (place(1), 11, "answered 500"));
        assert!((20 * 3600..24 * 3600).contains(&(now.micros() / 1_000_000)), "retries go on for hours");
        assert_eq!(begun(&mut lanes, now), None, "nothing is sent until it is recorded");
        assert_eq!(lanes.behind(), [(ALICE, place(1))]);
        lanes.buried(now, key(ALICE));
        assert_eq!(begun(&mut lanes, now), Some((2, 1)));
    }

    #[test]
    fn what_is_a_day_old_is_tried_once() {
        let mut lanes = Lanes::default();
        assert!(lanes.offer(letter(ALICE, 1)));
        let day = at(24 * 3600);
        assert_eq!(begun(&mut lanes, day), Some((1, 1)));
        assert!(matches!(lanes.end(day, key(ALICE), failed()), Fate::GivenUp(_)));
    }

    #[test]
    fn a_receiver_that_fails_is_asked_for_one_thing_at_a_time() {
        let mut lanes = Lanes::default();
        assert!([ALICE, BOB, None].into_iter().all(|agent| lanes.offer(letter(agent, 1))));
        assert_eq!(begun(&mut lanes, at(0)), Some((1, 1)));
        assert_eq!(lanes.end(at(0), key(None), failed()), Fate::Postponed);
        assert_eq!(std::iter::from_fn(|| begun(&mut lanes, at(0))).count(), 1);
        assert_eq!(lanes.end(at(0), key(ALICE), Ok(())), delivered(1));
        assert_eq!(std::iter::from_fn(|| begun(&mut lanes, at(9))).count(), 2);
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let mut lanes = Lanes::default();
        for agent in 0..10 {
            assert!(lanes.offer(letter(Some(AgentId(agent)), 1)));
        }
        assert_eq!(std::iter::from_fn(|| begun(&mut lanes, at(0))).count(), IN_FLIGHT_MAX);
    }

    #[test]
    fn what_has_no_room_is_read_again() {
        let mut lanes = Lanes::default();
        let most = LANE_EVENTS_MAX as u64;
        for sequence in 1..=most + 3 {
            assert!(lanes.offer(letter(ALICE, sequence)));
        }
        for sequence in 1..=most {
            assert_eq!(lanes.refill(), None);
            assert_eq!(begun(&mut lanes, at(0)), Some((sequence, 1)));
            assert_eq!(lanes.end(at(0), key(ALICE), Ok(())), delivered(sequence));
        }
        assert_eq!(lanes.refill(), Some((key(ALICE), place(most + 1))));
        assert_eq!(lanes.behind(), [(ALICE, place(most + 1))]);
        assert!(lanes.offer(letter(ALICE, most + 4)), "comes after what is still to be read");
        lanes.refilled(key(ALICE), [letter(ALICE, most + 1), letter(ALICE, most + 2)], Some(place(most + 3)));
        for sequence in [most + 1, most + 2] {
            assert_eq!(begun(&mut lanes, at(0)), Some((sequence, 1)));
            assert_eq!(lanes.end(at(0), key(ALICE), Ok(())), delivered(sequence));
        }
        assert_eq!(lanes.refill(), Some((key(ALICE), place(most + 3))));
        lanes.refilled(key(ALICE), [], None);
        assert_eq!(lanes.behind(), []);
    }

    #[test]
    fn with_too_many_agents_behind_everybody_waits_in_the_journal() {
        let mut lanes = Lanes::default();
        for agent in 0..BEHIND_MAX as u128 {
            assert!(lanes.offer(letter(Some(AgentId(agent)), 1)));
        }
        assert!(!lanes.offer(letter(None, 2)));
        assert!(lanes.offer(letter(ALICE, 2)), "an agent that has a lane goes on");
        assert_eq!(begun(&mut lanes, at(0)), Some((1, 1)));
        assert_eq!(lanes.end(at(0), key(Some(AgentId(0))), Ok(())), delivered(1));
        assert!(lanes.offer(letter(None, 2)));
    }

    #[test]
    fn so_many_letters_wait_in_memory_and_the_rest_is_read_again() {
        let mut lanes = Lanes::default();
        let agents = (LETTERS_MAX / LANE_EVENTS_MAX) as u128;
        for agent in 0..agents {
            (0..LANE_EVENTS_MAX as u64)
                .for_each(|sequence| assert!(lanes.offer(letter(Some(AgentId(agent)), sequence))));
        }
        assert_eq!((lanes.letters, lanes.refill()), (LETTERS_MAX, None));
        assert!(lanes.offer(letter(None, 7)));
        assert_eq!((lanes.letters, lanes.refill()), (LETTERS_MAX, Some((key(None), place(7)))));
        lanes.refilled(key(None), [letter(None, 7)], None);
        assert_eq!(lanes.behind().len() as u128, agents + 1);
    }
}
