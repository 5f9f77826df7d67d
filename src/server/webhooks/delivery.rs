//! One webhook: how far it has read, what waits in its lanes, and how far that is kept. Passive: time and the feed are passed in.

use crate::{
    engine::{Feed, FeedCursor, FeedError, FeedPosition},
    kernel::{
        Timestamp,
        webhook::{EventPlace, Webhook, WebhookProgress, WebhookSource},
    },
    notice::{KindSet, Notice, NoticeFilter},
};

use super::lanes::{Fate, LANE_EVENTS_MAX, LETTERS_MAX, LaneKey, Lanes, Letter};

/// So many events are read at a time.
const EVENTS_A_TIME: usize = 256;
/// A lane is filled with at most so many letters where many wait in memory, so that those of others do not hold it up.
const REFILL_MIN: usize = 4;
/// Progress is kept after so many events of which none was to be delivered. They would be read again after a restart, and may be cut by then.
const SKIPPED_MAX: u64 = 50_000;
/// The most deliveries of one webhook that wait to be made again on demand.
pub const REDELIVERIES_MAX: usize = 1000;

/// A webhook at work.
pub(super) struct Delivery {
    source: WebhookSource,
    filter: NoticeFilter,
    cursor: FeedCursor,
    /// What happened, in order.
    lanes: Lanes,
    /// What was given up and is delivered again on demand. It is not part of the progress.
    again: Lanes,
    saved: WebhookProgress,
    /// Whether something was delivered, or begins to wait, since the progress was kept.
    has_moved: bool,
    skipped: u64,
}

/// Which of a webhook's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) key: LaneKey,
    pub(super) is_again: bool,
}

/// What reading came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Whether anything was read.
    pub(super) has_read: bool,
    /// Whether history was cut that the webhook was not told.
    pub(super) has_lost: bool,
}

impl Delivery {
    /// Goes on where `webhook` was kept.
    pub(super) fn new(webhook: &Webhook, feed: &Feed) -> Delivery {
        let Webhook { source, progress, .. } = webhook;
        let told = progress.told.iter().map(|place| FeedPosition::from(*place));
        let mut lanes = Lanes::default();
        progress.behind.iter().for_each(|(agent, from)| lanes.resume(*agent, *from));
        let cursor = if progress.told.is_empty() { feed.end() } else { FeedCursor::before(told) };
        Delivery {
            filter: filter(source),
            source: source.clone(),
            cursor,
            lanes,
            again: Lanes::default(),
            saved: progress.clone(),
            has_moved: false,
            skipped: 0,
        }
    }

    /// Is described anew. What waits already is delivered as it was chosen.
    pub(super) fn describe(&mut self, source: &WebhookSource) {
        if self.source != *source {
            (self.filter, self.source) = (filter(source), source.clone());
        }
    }

    pub(super) fn source(&self) -> &WebhookSource {
        &self.source
    }

    /// Reads a stretch of events, and fills a lane that has to be read again.
    pub(super) fn read(&mut self, feed: &Feed) -> Result<Reading, FeedError> {
        if !self.source.active {
            return Ok(Reading::default());
        }
        let refilled = self.refill(feed)?;
        let read = self.read_on(feed)?;
        Ok(Reading { has_read: refilled.has_read || read.has_read, has_lost: refilled.has_lost || read.has_lost })
    }

    fn read_on(&mut self, feed: &Feed) -> Result<Reading, FeedError> {
        if !self.lanes.has_room() || !feed.is_behind(&self.cursor) {
            return Ok(Reading::default());
        }
        let (mut stopped, mut skipped, mut offered) = (None, 0, false);
        let (lanes, filter) = (&mut self.lanes, &self.filter);
        let read = feed.read(&self.cursor, EVENTS_A_TIME, &mut |fact, after| {
            if stopped.is_some() {
                return;
            }
            let Some(notice) = Notice::of(fact, filter) else {
                skipped += 1;
                return;
            };
            if lanes.offer(letter(notice)) {
                offered = true;
            } else {
                // It is read again when there is room.
                let mut before = after.clone();
                before.set_position(fact.position);
                stopped = Some(before);
            }
        });
        self.skipped += skipped;
        self.has_moved |= offered;
        match read {
            Ok(next) => {
                self.cursor = stopped.unwrap_or(next);
                Ok(Reading { has_read: true, has_lost: false })
            }
            Err(FeedError::CursorTooOld { .. }) => {
                let places = self.cursor.positions().zip(feed.oldest().positions().collect::<Vec<_>>());
                self.cursor = FeedCursor::before(places.map(|(place, oldest)| place.max(oldest)).collect::<Vec<_>>());
                self.has_moved = true;
                Ok(Reading { has_read: true, has_lost: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Reads what one lane had no room for.
    fn refill(&mut self, feed: &Feed) -> Result<Reading, FeedError> {
        let Some((key, from)) = self.lanes.refill() else { return Ok(Reading::default()) };
        let Some(end) = self.cursor.position(key.shard) else { return Ok(Reading::default()) };
        let most = if self.lanes.letters() < LETTERS_MAX { LANE_EVENTS_MAX } else { REFILL_MIN };
        let (mut letters, mut rest) = (Vec::new(), None);
        let read = feed.read_shard(from.into(), EVENTS_A_TIME, &mut |fact| {
            if rest.is_some() || fact.position >= end {
                return;
            }
            let Some(notice) = Notice::of(fact, &self.filter).filter(|notice| notice.agent == key.agent) else {
                return;
            };
            if letters.len() < most {
                letters.push(letter(notice));
            } else {
                rest = Some(fact.position);
            }
        });
        let (next, has_lost) = match read {
            Ok(next) => (next, false),
            Err(FeedError::CursorTooOld { shard }) => {
                let oldest = feed.oldest();
                (oldest.position(shard).unwrap_or(end), true)
            }
            Err(error) => return Err(error),
        };
        let rest = rest.or((next < end).then_some(next));
        self.lanes.refilled(key, letters, rest.map(EventPlace::from));
        self.has_moved = true;
        Ok(Reading { has_read: true, has_lost })
    }

    /// The next delivery to attempt, where it goes, and which attempt of it.
    pub(super) fn begin(&mut self, now: Timestamp) -> Option<(Letter, Way, u32)> {
        if !self.source.active {
            return None;
        }
        let begun = self.lanes.begin(now).map(|begun| (begun, false));
        let ((letter, attempt), is_again) = begun.or_else(|| Some((self.again.begin(now)?, true)))?;
        let way = Way { key: letter.key(), is_again };
        Some((letter, way, attempt))
    }

    /// An attempt is over.
    pub(super) fn end(&mut self, now: Timestamp, way: Way, result: Result<(), String>) -> Fate {
        self.has_moved |= !way.is_again;
        self.lanes_of(way).end(now, way.key, result)
    }

    /// A delivery that was given up is kept as such.
    pub(super) fn buried(&mut self, now: Timestamp, way: Way) {
        self.has_moved |= !way.is_again;
        self.lanes_of(way).buried(now, way.key);
    }

    /// Delivers an event again that was given up.
    pub(super) fn redeliver(&mut self, now: Timestamp, place: EventPlace, feed: &Feed) -> bool {
        let wanted = FeedPosition::from(place);
        let mut found = None;
        let read = feed.read_shard(wanted, 1, &mut |fact| {
            found = Notice::of(fact, &NoticeFilter::ALL).filter(|notice| notice.position == wanted);
        });
        let has_room = self.again.letters() < REDELIVERIES_MAX;
        match (read, found) {
            (Ok(_), Some(notice)) if has_room => self.again.offer(Letter { moment: now, ..letter(notice) }),
            _ => false,
        }
    }

    /// Whether progress is to be kept: the event that says so is an event itself, and must not be a reason for the next one.
    pub(super) fn has_unsaved(&self) -> bool {
        self.has_moved || self.skipped >= SKIPPED_MAX
    }

    /// What is to be kept, where it differs from what was.
    pub(super) fn unsaved(&mut self) -> Option<WebhookProgress> {
        if !self.has_unsaved() {
            return None;
        }
        let told = self.cursor.positions().map(EventPlace::from).collect();
        let progress = WebhookProgress { told, behind: self.lanes.behind() };
        if progress == self.saved {
            self.saved(progress);
            return None;
        }
        Some(progress)
    }

    pub(super) fn saved(&mut self, progress: WebhookProgress) {
        (self.saved, self.has_moved, self.skipped) = (progress, false, 0);
    }

    /// When there is something to attempt at the earliest.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let due = self.lanes.next_due().into_iter().chain(self.again.next_due());
        due.min().filter(|_| self.source.active)
    }

    /// Whether there is something to read.
    pub(super) fn is_behind(&self, feed: &Feed) -> bool {
        let reads_on = self.lanes.has_room() && feed.is_behind(&self.cursor);
        self.source.active && (reads_on || self.lanes.refill().is_some())
    }

    /// When the oldest event happened that waits.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.lanes.oldest()
    }

    /// How many agents are behind.
    pub(super) fn lanes_behind(&self) -> usize {
        self.lanes.len()
    }

    fn lanes_of(&mut self, way: Way) -> &mut Lanes {
        if way.is_again { &mut self.again } else { &mut self.lanes }
    }
}

fn letter(notice: Notice) -> Letter {
    Letter {
        place: notice.position.into(),
        event: notice.kind.word(),
        agent: notice.agent,
        moment: notice.moment,
        body: notice.body.into(),
    }
}

/// What a webhook wants. Words are checked when they are written; one that names no kind any more names nothing.
fn filter(source: &WebhookSource) -> NoticeFilter {
    let words = || source.events.iter().map(String::as_str);
    let known: Vec<&str> = words().filter(|word| KindSet::of_words([*word]).is_ok()).collect();
    let is_none = known.is_empty() && !source.events.is_empty();
    let kinds = if is_none { KindSet::NONE } else { KindSet::of_words(known).unwrap_or(KindSet::NONE) };
    NoticeFilter { kinds, agents: source.agents.iter().copied().collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        engine::EngineOptions,
        kernel::{AgentId, Request, WebhookId, request::UpdateAgent, webhook::SigningSecret},
        testing::{HandDriven, Random, policy_for_everybody},
    };

    use super::*;

    const SHARDS: u16 = 2;
    const AGENTS: u128 = 5;

    /// A gateway whose agents are renamed again and again; one of them much more often than the others.
    fn lived(renames: u32) -> (HandDriven, Feed) {
        let mut options = EngineOptions::new(policy_for_everybody(Vec::new()));
        options.shards = SHARDS;
        let mut gateway = HandDriven::new(&options, Timestamp::from_micros(1_000_000));
        let feed = gateway.follow(Vec::new());
        (1..=AGENTS).for_each(|agent| gateway.create_agent(AgentId(agent)));
        for round in 0..renames {
            for agent in (1..=AGENTS).filter(|agent| *agent == 1 || round % 7 == 0) {
                let agent = gateway.engine().agent(AgentId(agent)).unwrap();
                let name = format!("name {round}");
                let update = UpdateAgent { name: Some(&name), ..UpdateAgent::default() };
                gateway.ask_durably(agent.shard, &Request::UpdateAgent(agent.index, update)).unwrap();
            }
        }
        gateway.feed();
        (gateway, feed)
    }

    fn webhook(progress: WebhookProgress) -> Webhook {
        let source = WebhookSource {
            id: WebhookId(1),
            url: "https://hooks.example.com".to_owned(),
            secret: SigningSecret::new("whsec_x"),
            description: String::new(),
            events: vec!["agent.*".to_owned()],
            agents: Vec::new(),
            active: true,
        };
        Webhook { source, progress, dead_letters: Vec::new() }
    }

    fn begin(feed: &Feed) -> WebhookProgress {
        WebhookProgress { told: feed.oldest().positions().map(EventPlace::from).collect(), behind: Vec::new() }
    }

    /// What should be told, agent by agent.
    fn expected(feed: &Feed) -> BTreeMap<Option<AgentId>, Vec<EventPlace>> {
        let (mut expected, mut cursor): (BTreeMap<_, Vec<_>>, _) = (BTreeMap::new(), feed.oldest());
        let filter = filter(&webhook(WebhookProgress::default()).source);
        while feed.is_behind(&cursor) {
            let read = feed.read(&cursor, 100, &mut |fact, _| {
                if let Some(notice) = Notice::of(fact, &filter) {
                    expected.entry(notice.agent).or_default().push(notice.position.into());
                }
            });
            cursor = read.unwrap();
        }
        expected
    }

    /// Attempts fail at random, and the process dies at random and goes on from what was kept: every agent's events arrive in order, none is
    /// missing, and what comes twice comes because of a crash.
    #[test]
    fn whatever_fails_every_event_arrives_in_the_order_of_its_agent() {
        let (_gateway, feed) = lived(400);
        let expected = expected(&feed);
        assert!(expected[&Some(AgentId(1))].len() > 3 * LANE_EVENTS_MAX, "lanes run over");
        for seed in 0..20 {
            let crashes = seed % 2 == 1;
            let (mut random, mut now) = (Random::new(seed), Timestamp::from_micros(2_000_000));
            let (mut kept, mut told): (_, BTreeMap<Option<AgentId>, Vec<EventPlace>>) = (begin(&feed), BTreeMap::new());
            let mut delivery = Delivery::new(&webhook(kept.clone()), &feed);
            let mut flying = Vec::new();
            while delivery.is_behind(&feed) || delivery.lanes_behind() > 0 {
                delivery.read(&feed).unwrap();
                while let Some((letter, way, _)) = delivery.begin(now) {
                    flying.push((letter, way));
                }
                if !flying.is_empty() {
                    let (letter, way) = flying.swap_remove(random.below(flying.len() as u64) as usize);
                    let result = if random.chance(10) { Err("answered 500".to_owned()) } else { Ok(()) };
                    if result.is_ok() {
                        told.entry(letter.agent).or_default().push(letter.place);
                    }
                    assert!(!matches!(delivery.end(now, way, result), Fate::GivenUp(_)));
                } else if let Some(due) = delivery.next_due() {
                    now = now.max(due);
                }
                if random.chance(5)
                    && let Some(progress) = delivery.unsaved()
                {
                    kept = progress.clone();
                    delivery.saved(progress);
                }
                if crashes && random.chance(1) {
                    flying.clear();
                    delivery = Delivery::new(&webhook(kept.clone()), &feed);
                }
            }
            for (agent, places) in &expected {
                let told = told.get(agent).unwrap();
                if !crashes {
                    assert_eq!(told, places, "seed {seed}");
                }
                let mut first_times = Vec::new();
                for place in told {
                    match first_times.last() {
                        Some(last) if place <= last => assert!(crashes, "seed {seed}: twice"),
                        _ => first_times.push(*place),
                    }
                }
                assert_eq!(first_times, *places, "seed {seed}, {agent:?}");
            }
            let end = delivery.unsaved().unwrap_or(kept);
            assert!(end.behind.is_empty(), "seed {seed}");
        }
    }

    #[test]
    fn history_that_was_cut_is_missed_and_said_to_be() {
        let mut options = EngineOptions::new(policy_for_everybody(Vec::new()));
        options.shards = 1;
        options.retention.bytes_max = Some(1);
        let mut gateway = HandDriven::new(&options, Timestamp::from_micros(1_000_000));
        let feed = gateway.follow(Vec::new());
        (1..20).for_each(|agent| gateway.create_agent(AgentId(agent)));
        gateway.feed();
        let (begin, end) = (begin(&feed), feed.newest().positions().map(EventPlace::from).collect::<Vec<_>>());
        // One is behind as a whole, the other with one agent.
        let behind = WebhookProgress { told: end, behind: vec![(Some(AgentId(1)), begin.told[0])] };
        gateway.retain();
        for progress in [begin, behind] {
            let mut delivery = Delivery::new(&webhook(progress), &feed);
            assert!(delivery.read(&feed).unwrap().has_lost);
            while delivery.is_behind(&feed) {
                assert!(!delivery.read(&feed).unwrap().has_lost, "said once");
            }
            assert!(delivery.has_unsaved());
        }
    }

    #[test]
    fn skipping_is_kept_now_and_then_and_not_by_itself() {
        let (_gateway, feed) = lived(10);
        let mut kept = webhook(begin(&feed));
        kept.source.events = vec!["alert.created".to_owned()];
        let mut delivery = Delivery::new(&kept, &feed);
        while delivery.is_behind(&feed) {
            delivery.read(&feed).unwrap();
        }
        assert!(!delivery.has_unsaved() && delivery.unsaved().is_none(), "an event that says so would be read as well");
        delivery.skipped = SKIPPED_MAX;
        let progress = delivery.unsaved().unwrap();
        assert_eq!(progress.told, feed.newest().positions().map(EventPlace::from).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_is_not_active_reads_and_sends_nothing_and_goes_on_later() {
        let (_gateway, feed) = lived(3);
        let mut paused = webhook(begin(&feed));
        paused.source.active = false;
        let mut delivery = Delivery::new(&paused, &feed);
        assert_eq!(delivery.read(&feed).unwrap(), Reading::default());
        assert!(!delivery.is_behind(&feed));
        delivery.describe(&webhook(WebhookProgress::default()).source);
        assert!(delivery.read(&feed).unwrap().has_read);
        assert!(delivery.begin(Timestamp::from_micros(2_000_000)).is_some());
    }

    #[test]
    fn what_is_delivered_again_is_no_part_of_the_progress() {
        let (_gateway, feed) = lived(3);
        let end = feed.newest().positions().map(EventPlace::from).collect();
        let progress = WebhookProgress { told: end, behind: Vec::new() };
        let mut delivery = Delivery::new(&webhook(progress), &feed);
        let now = Timestamp::from_micros(2_000_000);
        let place = expected(&feed)[&Some(AgentId(1))][0];
        assert!(delivery.redeliver(now, place, &feed));
        let (letter, way, attempt) = delivery.begin(now).unwrap();
        assert_eq!((letter.place, way.is_again, attempt), (place, true, 1));
        assert!(!delivery.has_unsaved());
        assert_eq!(delivery.end(now, way, Ok(())), Fate::Delivered(place));
        assert!(!delivery.redeliver(now, EventPlace { index: 99, ..place }, &feed), "no event is there");
    }
}
