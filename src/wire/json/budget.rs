//! What is left of an agent's limits, and what it spent where.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    Amount, AuthorizationId, Duration, Protocol, Timestamp,
    outcome::{BudgetView, LimitView, Measure, ServiceView, SessionView},
};

use super::{Money, authorize::MeasureBody};

const MICROS_PER_HOUR: u64 = 3_600_000_000;
/// The end of the year 9999.
const LATEST: Timestamp = Timestamp::from_micros(253_402_300_799_000_000);

/// The answer to `budget`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetBody {
    protocol: &'static str,
    /// The tightest of what is left; `null` without a cumulative limit.
    remaining: Option<Money>,
    spent: Money,
    calls: u64,
    held: Money,
    spent_today: Money,
    spent_this_week: Money,
    spent_this_month: Money,
    /// Today's spend an hour, over the hours of today so far, at least one.
    burn_rate_per_hour: Money,
    /// When nothing would be left at today's rate; `null` without a limit, or when nothing was spent today.
    #[schema(value_type = Option<Timestamp>)]
    projected_exhaustion_at: Option<String>,
    limits: Vec<LimitBody>,
    session: Option<SessionBody>,
}

impl BudgetBody {
    /// What `view` shows at `now`.
    #[must_use]
    pub fn of(view: BudgetView, protocol: Protocol, now: Timestamp) -> BudgetBody {
        let [day, week, month] = view.used;
        let rate = per_hour(day, now);
        BudgetBody {
            protocol: protocol.word(),
            remaining: view.remaining.map(Money),
            spent: Money(view.spent),
            calls: view.calls,
            held: Money(view.held),
            spent_today: Money(day),
            spent_this_week: Money(week),
            spent_this_month: Money(month),
            burn_rate_per_hour: Money(rate),
            projected_exhaustion_at: exhausted_at(view.remaining, rate, now).map(|at| at.to_string()),
            limits: view.limits.iter().map(LimitBody::of).collect(),
            session: view.session.map(SessionBody::of),
        }
    }
}

fn per_hour(spent_today: Amount, now: Timestamp) -> Amount {
    let elapsed = u128::from(now.time_of_day().micros().max(MICROS_PER_HOUR));
    let rate = u128::from(spent_today.micros()) * u128::from(MICROS_PER_HOUR) / elapsed;
    Amount::from_micros(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// When nothing is left, if an hour costs as much as it did today. Windows that begin anew until then are not looked at.
fn exhausted_at(remaining: Option<Amount>, rate: Amount, now: Timestamp) -> Option<Timestamp> {
    let remaining = remaining.filter(|_| !rate.is_zero())?;
    let micros = u128::from(remaining.micros()) * u128::from(MICROS_PER_HOUR) / u128::from(rate.micros());
    // What is further away than a text can say is no date.
    let at = now.after(Duration::from_micros(u64::try_from(micros).ok()?));
    (at <= LATEST).then_some(at)
}

#[derive(Debug, Serialize, ToSchema)]
struct LimitBody {
    #[serde(rename = "type")]
    kind: &'static str,
    limit: MeasureBody,
    used: MeasureBody,
    remaining: MeasureBody,
}

impl LimitBody {
    fn of(view: &LimitView) -> LimitBody {
        LimitBody {
            kind: view.kind.code(),
            limit: MeasureBody::of(view.limit),
            used: MeasureBody::of(view.used),
            remaining: MeasureBody::of(left(view.limit, view.used)),
        }
    }
}

fn left(limit: Measure, used: Measure) -> Measure {
    match (limit, used) {
        (Measure::Money(limit), Measure::Money(used)) => Measure::Money(limit.saturating_sub(used)),
        (Measure::Count(limit), Measure::Count(used)) => Measure::Count(limit.saturating_sub(used)),
        (
            Measure::Money(_)
            | Measure::Count(_)
            | Measure::Time(_)
            | Measure::Score(_)
            | Measure::Missing(_)
            | Measure::None,
            _,
        ) => Measure::None,
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionBody {
    session_id: Option<String>,
    status: &'static str,
    deposit: Option<Money>,
    spent: Money,
    held: Money,
    remaining: Option<Money>,
    #[schema(value_type = Timestamp)]
    opened_at: String,
    #[schema(value_type = Timestamp)]
    ends_at: String,
    #[schema(value_type = Option<AuthorizationId>)]
    authorization_id: Option<String>,
}

impl SessionBody {
    fn of(view: SessionView) -> SessionBody {
        let left = |deposit: Amount| deposit.saturating_sub(view.spent).saturating_sub(view.held);
        SessionBody {
            status: if view.open { "OPEN" } else { "CLOSED" },
            deposit: view.deposit.map(Money),
            spent: Money(view.spent),
            held: Money(view.held),
            remaining: view.deposit.map(|deposit| Money(left(deposit))),
            opened_at: view.opened_at.to_string(),
            ends_at: view.ends_at.to_string(),
            authorization_id: view.authorization.map(|id| id.to_string()),
            session_id: Some(view.name).filter(|name| !name.is_empty()),
        }
    }
}

/// The most services of a page, which is what an agent may have on one rail; a page has so many where the request does not say.
pub const RAIL_SERVICES_PAGE_MAX: usize = 1024;

/// The answer to `services`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicesBody {
    /// The dearest first.
    services: Vec<ServiceBody>,
    /// How many there are on all pages.
    total: u64,
    has_more: bool,
}

impl ServicesBody {
    /// What `views` show after the first `offset`, at most `limit`.
    #[must_use]
    pub fn of(mut views: Vec<ServiceView>, offset: usize, limit: usize) -> ServicesBody {
        views.sort_by(|one, other| other.spent.cmp(&one.spent).then_with(|| one.service.cmp(&other.service)));
        let total = views.len();
        ServicesBody {
            services: views.into_iter().skip(offset).take(limit).map(ServiceBody::of).collect(),
            total: total as u64,
            has_more: offset.saturating_add(limit) < total,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ServiceBody {
    service_domain: String,
    total_spend: Money,
    total_calls: u64,
    held: Money,
    #[schema(value_type = Timestamp)]
    last_used_at: String,
}

impl ServiceBody {
    fn of(view: ServiceView) -> ServiceBody {
        ServiceBody {
            service_domain: view.service,
            total_spend: Money(view.spent),
            total_calls: view.calls,
            held: Money(view.held),
            last_used_at: view.last_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burn_rate_is_todays_spend_over_todays_hours() {
        let hour = |hours: u64| Timestamp::from_micros(hours * MICROS_PER_HOUR + 24 * MICROS_PER_HOUR);
        for (hours, rate) in [(0, 12), (1, 12), (2, 6), (12, 1)] {
            assert_eq!(per_hour(Amount::from_units(12), hour(hours)), Amount::from_units(rate), "{hours}");
        }
        assert!(per_hour(Amount::from_micros(u64::MAX), hour(23)) > Amount::ZERO);
    }

    #[test]
    fn what_is_left_lasts_as_long_as_todays_rate_says() {
        let units = |units| Amount::from_units(units);
        let now = Timestamp::from_micros(7);
        for (remaining, rate, hours) in
            [(Some(12), 4, Some(3)), (Some(0), 4, Some(0)), (Some(12), 0, None), (None, 4, None)]
        {
            let expected = hours.map(|hours: u64| now.after(Duration::from_micros(hours * MICROS_PER_HOUR)));
            assert_eq!(exhausted_at(remaining.map(units), units(rate), now), expected);
        }
        assert_eq!(exhausted_at(Some(Amount::MAX), Amount::from_micros(1), now), None, "in a hundred million years");
    }

    #[test]
    fn what_is_left_is_never_less_than_nothing() {
        let money = |units| Measure::Money(Amount::from_units(units));
        assert_eq!(left(money(5), money(3)), money(2));
        assert_eq!(left(money(5), money(9)), money(0));
        assert_eq!(left(Measure::Count(5), Measure::Count(1)), Measure::Count(4));
        assert_eq!(left(Measure::None, Measure::None), Measure::None);
    }
}
