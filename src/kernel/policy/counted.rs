//! What must be counted beyond what is counted for everybody, for the rules that look at it.

use bincode::{Decode, Encode};
use xxhash_rust::xxh3::xxh3_64;

use super::{CalendarWindow, Rule, ServiceWindow};
use crate::kernel::{Duration, Period, Protocol, Zone};

/// The most different counters that the policies in force may ask for.
pub const COUNTED_MAX: usize = 64;

/// A counter that some rule looks at: one for each scope of the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct Counted {
    /// Whose payments.
    pub whose: Whose,
    /// Over which time.
    pub over: Over,
}

/// Whose payments a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Whose {
    /// All of the agent's.
    Agent,
    /// Those from one wallet.
    Wallet,
    /// Those to one service through a protocol.
    Service(Protocol),
    /// Those to one endpoint of a service through a protocol.
    Endpoint(Protocol),
}

/// Over which time a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Over {
    /// The money of the calendar windows in UTC, and of all time.
    Utc,
    /// The money of the calendar windows in a zone.
    Calendar(Zone),
    /// The money of any span of this length.
    Rolling(Duration),
    /// The number of payments in any span as long as the period.
    Calls(Period),
}

impl Counted {
    /// Whether it goes on being counted when no rule looks at it any more. What has no end or no upper bound that is known must, since
    /// to drop a policy and write it again is no fresh allowance.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        match self.over {
            Over::Utc | Over::Calls(_) => true,
            Over::Calendar(_) | Over::Rolling(_) => false,
        }
    }
}

/// A set of counters, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedSet {
    counted: Box<[Counted]>,
    digest: u64,
}

impl CountedSet {
    /// All of them, in order, each once.
    #[must_use]
    pub fn as_slice(&self) -> &[Counted] {
        &self.counted
    }

    /// Whether there are none.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// What tells two sets apart; zero for the empty one.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether endpoints are counted for a protocol.
    #[must_use]
    pub fn has_endpoints(&self, protocol: Protocol) -> bool {
        self.counted.iter().any(|counted| counted.whose == Whose::Endpoint(protocol))
    }
}

impl FromIterator<Counted> for CountedSet {
    /// Whoever counts an endpoint in any way counts it in UTC, too: what begins later begins with what is known from there.
    fn from_iter<I: IntoIterator<Item = Counted>>(counted: I) -> CountedSet {
        let with_basis = |counted: Counted| {
            let basis = matches!(counted.whose, Whose::Endpoint(_)).then_some(counted.whose);
            basis.map(|whose| Counted { whose, over: Over::Utc }).into_iter().chain([counted])
        };
        let mut counted: Vec<Counted> = counted.into_iter().flat_map(with_basis).collect();
        counted.sort();
        counted.dedup();
        if counted.is_empty() {
            return CountedSet::default();
        }
        let bytes = bincode::encode_to_vec(&counted, bincode::config::standard());
        let digest = xxh3_64(&bytes.expect("INVARIANT: memory takes what is counted")).max(1);
        CountedSet { counted: counted.into(), digest }
    }
}

impl Rule {
    /// The number of payments in some time that passes; `None` for what does not count payments.
    #[must_use]
    pub fn cumulative_count(&self) -> Option<u32> {
        if let Rule::OnWallets { rule, .. } = self {
            return rule.cumulative_count();
        }
        let (Rule::Velocity { max_count, .. } | Rule::VelocityPerEndpoint { max_count, .. }) = self else {
            return None;
        };
        Some(*max_count)
    }

    /// What must be counted for it beyond what is counted for everybody, where its totals are those of `whose`.
    #[must_use]
    pub fn counted(&self, whose: Whose) -> Option<Counted> {
        let in_zone =
            |whose, window: &CalendarWindow| (!window.is_utc()).then(|| Counted { whose, over: window.over.clone() });
        match self {
            Rule::WindowLimit { window, .. } | Rule::BudgetCap { window, .. } => in_zone(whose, window),
            Rule::RollingLimit { length, .. } => Some(Counted { whose, over: Over::Rolling(*length) }),
            Rule::MaxPerService { rail, window: ServiceWindow::Calendar(window), .. } => {
                in_zone(Whose::Service(rail.protocol()), window)
            }
            Rule::MaxPerEndpoint { rail, window, .. } => {
                Some(Counted { whose: Whose::Endpoint(rail.protocol()), over: window.over().clone() })
            }
            Rule::VelocityPerEndpoint { rail, period, .. } => {
                Some(Counted { whose: Whose::Endpoint(rail.protocol()), over: Over::Calls(*period) })
            }
            // Those of an agent are counted for everybody who has such a rule.
            Rule::Velocity { period, .. } => {
                (whose != Whose::Agent).then_some(Counted { whose, over: Over::Calls(*period) })
            }
            Rule::OnWallets { rule, .. } => rule.counted(Whose::Wallet),
            _ => None,
        }
    }
}
