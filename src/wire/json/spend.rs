//! What was spent at which services over a span of time, as views show it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    kernel::{AgentId, Protocol, Timestamp},
    query::{DecisionCount, Figures, ServiceSpend, Span},
};

use super::{Money, Refusal};

/// Services of a page where the request does not say.
pub const SERVICES_PAGE_DEFAULT: usize = 10;
/// The most services of a page.
pub const SERVICES_PAGE_MAX: usize = 1000;

/// What spend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendFilter {
    /// Over which span.
    pub span: Span,
    /// Over which rail; over all without one.
    pub protocol: Option<Protocol>,
}

impl SpendFilter {
    /// Reads `period` and `protocol`.
    ///
    /// # Errors
    /// A [`Refusal`] that names the parameter.
    pub fn read(period: Option<&str>, protocol: Option<&str>) -> Result<SpendFilter, Refusal> {
        Ok(SpendFilter { span: span(period)?.unwrap_or_default(), protocol: rail(protocol)? })
    }

    fn covers(self, spend: &ServiceSpend) -> bool {
        self.protocol.is_none_or(|protocol| spend.protocol == Some(protocol))
    }
}

/// Reads a `period`.
///
/// # Errors
/// A [`Refusal`] that names it.
pub fn span(period: Option<&str>) -> Result<Option<Span>, Refusal> {
    let Some(word) = period else { return Ok(None) };
    let known = Span::ALL.into_iter().find(|span| span.word() == word);
    known.map(Some).ok_or_else(|| Refusal::invalid("period", "is not a period", "`24h`, `7d`, `30d` or `all`"))
}

/// Reads a `protocol`; nothing for all.
///
/// # Errors
/// A [`Refusal`] that names it.
pub fn rail(protocol: Option<&str>) -> Result<Option<Protocol>, Refusal> {
    let Some(word) = protocol.filter(|word| *word != "all") else { return Ok(None) };
    let known = Protocol::ALL.into_iter().find(|protocol| protocol.word() == word);
    let expected = "`all`, `x402`, `mpp`, `payment` or `card`";
    known.map(Some).ok_or_else(|| Refusal::invalid("protocol", "is not a protocol", expected))
}

/// The answer to `service-spend/summary`.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpendSummaryBody {
    filters: FiltersBody,
    summary: SummaryBody,
    decisions: DecisionsBody,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FiltersBody {
    #[schema(pattern = "^(24h|7d|30d|all)$")]
    period: &'static str,
    protocol: &'static str,
    organization_id: Option<String>,
    #[schema(value_type = Option<AgentId>)]
    agent_id: Option<String>,
    /// When the period begins, which is with a whole hour; `null` for `all`.
    #[schema(value_type = Option<Timestamp>)]
    start_date: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SummaryBody {
    /// What was paid and did not come back.
    total_spend: Money,
    /// What came back.
    total_refunded: Money,
    total_calls: u64,
    active_services: u64,
    active_agents: u64,
    /// Alerts that nobody has looked at yet, of every period and rail.
    active_alerts: u64,
    /// Payments that were reported.
    micropayment_transactions: u64,
    x402_spend: Money,
    x402_calls: u64,
    mpp_spend: Money,
    mpp_calls: u64,
    /// Neither over x402 nor over MPP.
    other_spend: Money,
    other_calls: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct DecisionsBody {
    approved: u64,
    denied: u64,
    /// By the first reason, the most frequent first.
    denials: Vec<DenialsBody>,
}

#[derive(Debug, Serialize, ToSchema)]
struct DenialsBody {
    #[serde(rename = "type")]
    kind: &'static str,
    count: u64,
    amount: Money,
}

impl SpendSummaryBody {
    /// The sums of `spend`, which so many active agents made; so many of their alerts are active.
    #[must_use]
    pub fn of(
        filter: SpendFilter,
        agent: Option<AgentId>,
        now: Timestamp,
        spend: &[ServiceSpend],
        active: (u64, u64),
        decisions: &[DecisionCount],
    ) -> SpendSummaryBody {
        SpendSummaryBody {
            filters: FiltersBody::of(filter, agent, now),
            summary: SummaryBody::of(filter, spend, active),
            decisions: DecisionsBody::of(decisions),
        }
    }
}

impl FiltersBody {
    fn of(filter: SpendFilter, agent: Option<AgentId>, now: Timestamp) -> FiltersBody {
        FiltersBody {
            period: filter.span.word(),
            protocol: filter.protocol.map_or("all", Protocol::word),
            organization_id: None,
            agent_id: agent.map(|agent| agent.to_string()),
            start_date: filter.span.begins_at(now).map(|begins_at| begins_at.to_string()),
        }
    }
}

impl SummaryBody {
    fn of(filter: SpendFilter, spend: &[ServiceSpend], active: (u64, u64)) -> SummaryBody {
        let sum = |is_of: &dyn Fn(&ServiceSpend) -> bool| {
            let mut sum = Figures::default();
            let of = spend.iter().filter(|spend| filter.covers(spend) && is_of(spend));
            of.for_each(|spend| sum.add(&spend.figures));
            sum
        };
        let over = |protocol| sum(&|spend: &ServiceSpend| spend.protocol == Some(protocol));
        let (all, x402, mpp) = (sum(&|_| true), over(Protocol::X402), over(Protocol::Mpp));
        let others = sum(&|spend| !matches!(spend.protocol, Some(Protocol::X402 | Protocol::Mpp)));
        let services = spend.iter().filter(|spend| filter.covers(spend) && spend.service.is_some());
        SummaryBody {
            total_spend: Money(all.net()),
            total_refunded: Money(all.refunded),
            total_calls: all.calls,
            active_services: services.count() as u64,
            active_agents: active.0,
            active_alerts: active.1,
            micropayment_transactions: all.payments,
            x402_spend: Money(x402.net()),
            x402_calls: x402.calls,
            mpp_spend: Money(mpp.net()),
            mpp_calls: mpp.calls,
            other_spend: Money(others.net()),
            other_calls: others.calls,
        }
    }
}

impl DecisionsBody {
    fn of(decisions: &[DecisionCount]) -> DecisionsBody {
        let approvals = decisions.iter().filter(|count| count.denied_for.is_none());
        let mut denials: Vec<DenialsBody> = decisions
            .iter()
            .filter_map(|count| {
                let (kind, figures) = (count.denied_for?.code(), count.figures);
                Some(DenialsBody { kind, count: figures.calls, amount: Money(figures.amount) })
            })
            .collect();
        denials.sort_by(|one, other| other.count.cmp(&one.count).then(one.kind.cmp(other.kind)));
        DecisionsBody {
            approved: approvals.map(|count| count.figures.calls).sum(),
            denied: denials.iter().map(|denials| denials.count).sum(),
            denials,
        }
    }
}

/// The answer to `service-spend/services`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendServicesBody {
    filters: FiltersBody,
    /// The dearest first.
    services: Vec<SpentServiceBody>,
    /// How many there are on all pages.
    total: u64,
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SpentServiceBody {
    /// `null` for what was paid outside any service.
    service_domain: Option<String>,
    /// `null` where a crash lost for what the payment was approved.
    protocol: Option<&'static str>,
    total_spend: Money,
    total_refunded: Money,
    total_calls: u64,
    /// Payments that were reported.
    transactions: u64,
    active_agents: u64,
    #[schema(value_type = Timestamp)]
    last_used_at: String,
}

impl SpendServicesBody {
    /// The services after the first `offset`, at most `limit`.
    #[must_use]
    pub fn of(
        filter: SpendFilter,
        agent: Option<AgentId>,
        now: Timestamp,
        spend: &[ServiceSpend],
        offset: usize,
        limit: usize,
    ) -> SpendServicesBody {
        let mut services = spend.iter().filter(|spend| filter.covers(spend));
        let total = services.clone().count();
        let shown = services.by_ref().skip(offset).take(limit).map(SpentServiceBody::of).collect();
        SpendServicesBody {
            filters: FiltersBody::of(filter, agent, now),
            services: shown,
            total: total as u64,
            has_more: offset.saturating_add(limit) < total,
        }
    }
}

impl SpentServiceBody {
    fn of(spend: &ServiceSpend) -> SpentServiceBody {
        SpentServiceBody {
            service_domain: spend.service.as_deref().map(str::to_owned),
            protocol: spend.protocol.map(Protocol::word),
            total_spend: Money(spend.figures.net()),
            total_refunded: Money(spend.figures.refunded),
            total_calls: spend.figures.calls,
            transactions: spend.figures.payments,
            active_agents: spend.agents,
            last_used_at: spend.last_at.to_string(),
        }
    }
}
