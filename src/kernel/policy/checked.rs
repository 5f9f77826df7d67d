//! Second stage: a policy that means something. What is not understood is refused here, when it is written; nothing is ignored.

use super::{
    ApprovalTerms, Counted, PolicyError, PolicyScope, PolicySource, Rail, Rule, RuleKind, RuleSource, SpendWindow,
    WalletSet, Whose, circumstance,
    operator::{Action, Operator, Shape},
    value::{Value, ZONE_EXPECTED},
};
use crate::kernel::{Duration, PolicyId, Zone};

/// The most rules of a policy.
pub const RULES_MAX: usize = 64;
/// The most agents that a policy is assigned to.
pub const AGENTS_MAX: usize = 10_000;
/// The most wallets that a policy is for.
pub const WALLETS_MAX: usize = 1_000;
/// The longest id of a wallet, in bytes.
pub const WALLET_BYTES_MAX: usize = 128;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// The longest description, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 2_000;
/// The most bytes of all texts of a policy together.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// The most credentials that may approve what a policy asks about.
pub const APPROVERS_MAX: usize = 64;
/// The longest that an approval may be waited for.
pub const APPROVAL_TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The highest priority.
pub const PRIORITY_MAX: u8 = 100;

/// What a policy may call itself. Labels only: every rule type may stand in every one of them.
pub const POLICY_TYPES: [&str; 18] = [
    "SPEND_LIMIT",
    "TIME_WINDOW",
    "MERCHANT",
    "CATEGORY",
    "VELOCITY",
    "GEOGRAPHIC",
    "APPROVAL_THRESHOLD",
    "COUNTERPARTY",
    "BUDGET_ALLOCATION",
    "WHITELIST",
    "EXPIRATION",
    "COMPOSITE",
    "CONTRACT_ALLOWLIST",
    "BLACKOUT_PERIOD",
    "X402_CONTROLS",
    "MPP_CONTROLS",
    "CARD_PAYMENT",
    "AGENTSCORE_COMPLIANCE",
];

/// A policy whose every rule is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPolicy {
    id: PolicyId,
    priority: u8,
    active: bool,
    rules: Box<[Rule]>,
    asking: Box<[Rule]>,
    approval: Option<ApprovalTerms>,
}

impl CheckedPolicy {
    /// The policy's id.
    #[must_use]
    pub fn id(&self) -> PolicyId {
        self.id
    }

    /// 0 to [`PRIORITY_MAX`]; higher first.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// Whether its rules apply.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// Its rules whose breach denies, in the order in which they were written.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Its rules whose breach asks a human, in the order in which they were written.
    #[must_use]
    pub fn asking(&self) -> &[Rule] {
        &self.asking
    }

    /// What must be counted for it beyond what is counted for everybody.
    pub fn counted(&self) -> impl Iterator<Item = Counted> {
        self.rules.iter().chain(&self.asking).filter_map(|rule| rule.counted(Whose::Agent))
    }

    /// On which terms a human is asked, where it says.
    #[must_use]
    pub fn approval(&self) -> Option<&ApprovalTerms> {
        self.approval.as_ref()
    }
}

/// Reads what an operator wrote. Policies that are not active are read as strictly as others.
///
/// # Errors
/// [`PolicyError`] with the first place that is not understood or over a named maximum.
pub fn check(source: &PolicySource) -> Result<CheckedPolicy, PolicyError> {
    check_sizes(source)?;
    check_head(source)?;
    check_wallets(source)?;
    check_approval(source.approval.as_ref())?;
    let zone = check_zone(source)?;
    let wallets: WalletSet = source.wallets.iter().map(String::as_str).collect();
    let (mut rules, mut asking) = (Vec::new(), Vec::new());
    for (index, rule) in source.rules.iter().enumerate() {
        let (rule, asks) = check_rule(index, rule, zone.as_ref())?;
        let rule = match source.scope {
            PolicyScope::Organization | PolicyScope::Assigned => rule,
            PolicyScope::Wallet => Rule::OnWallets { wallets: wallets.clone(), rule: Box::new(rule) },
        };
        if asks { asking.push(rule) } else { rules.push(rule) }
    }
    Ok(CheckedPolicy {
        id: source.id,
        priority: source.priority,
        active: source.active,
        rules: rules.into(),
        asking: asking.into(),
        approval: source.approval.clone(),
    })
}

fn check_sizes(source: &PolicySource) -> Result<(), PolicyError> {
    PolicyError::at_most("name", source.name.len(), NAME_BYTES_MAX, "bytes")?;
    PolicyError::at_most("description", source.description.len(), DESCRIPTION_BYTES_MAX, "bytes")?;
    PolicyError::at_most("agents", source.agents.len(), AGENTS_MAX, "entries")?;
    PolicyError::at_most("wallets", source.wallets.len(), WALLETS_MAX, "entries")?;
    PolicyError::at_most("rules", source.rules.len(), RULES_MAX, "entries")?;
    PolicyError::at_most("policy", source.text_bytes(), SOURCE_BYTES_MAX, "bytes of text")
}

fn check_head(source: &PolicySource) -> Result<(), PolicyError> {
    if source.name.trim().is_empty() {
        return Err(PolicyError::invalid("name", &source.name, "a name that people will recognise"));
    }
    if !POLICY_TYPES.contains(&source.policy_type.as_str()) {
        let expected = "a policy type such as `SPEND_LIMIT`";
        return Err(PolicyError::unsupported("policy_type", &source.policy_type, expected, POLICY_TYPES));
    }
    if source.priority > PRIORITY_MAX {
        let expected = format!("a number from 0 to {PRIORITY_MAX}");
        return Err(PolicyError::invalid("priority", &source.priority.to_string(), expected));
    }
    if source.scope == PolicyScope::Organization && !source.agents.is_empty() {
        let found = format!("{} agents", source.agents.len());
        return Err(PolicyError::invalid("agents", &found, "no agents, since the scope is the whole organization"));
    }
    Ok(())
}

fn check_wallets(source: &PolicySource) -> Result<(), PolicyError> {
    let is_for_wallets = source.scope == PolicyScope::Wallet;
    if is_for_wallets == source.wallets.is_empty() {
        let found = format!("{} wallets", source.wallets.len());
        let expected = if is_for_wallets { "the ids of wallets" } else { "no wallets, since the scope is no wallet" };
        return Err(PolicyError::invalid("wallets", &found, expected));
    }
    for (index, wallet) in source.wallets.iter().enumerate() {
        let place = format!("wallets[{index}]");
        PolicyError::at_most(&place, wallet.len(), WALLET_BYTES_MAX, "bytes")?;
        if wallet.is_empty() {
            return Err(PolicyError::invalid(place, wallet, "the id of a wallet"));
        }
    }
    Ok(())
}

fn check_zone(source: &PolicySource) -> Result<Option<Zone>, PolicyError> {
    let Some(name) = &source.timezone else { return Ok(None) };
    Zone::named(name).map(Some).ok_or_else(|| PolicyError::invalid("timezone", name, ZONE_EXPECTED))
}

fn check_approval(terms: Option<&ApprovalTerms>) -> Result<(), PolicyError> {
    let Some(terms) = terms else { return Ok(()) };
    PolicyError::at_most("approval.approvers", terms.approvers.len(), APPROVERS_MAX, "entries")?;
    let mut different = terms.approvers.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() < terms.approvers.len() {
        return Err(PolicyError::invalid("approval.approvers", "one twice", "every approver once"));
    }
    let most = if terms.approvers.is_empty() { APPROVERS_MAX } else { terms.approvers.len() };
    if terms.required == 0 || usize::from(terms.required) > most {
        let expected = format!("a number from 1 to {most}, since there are no more who may approve");
        return Err(PolicyError::invalid("approval.required", &terms.required.to_string(), expected));
    }
    if terms.timeout.is_some_and(|timeout| timeout < Duration::from_secs(1) || timeout > APPROVAL_TIMEOUT_MAX) {
        let found = terms.timeout.map_or(0, Duration::as_secs).to_string();
        let expected = format!("a number of seconds from 1 to {}", APPROVAL_TIMEOUT_MAX.as_secs());
        return Err(PolicyError::invalid("approval.timeout", &found, expected));
    }
    Ok(())
}

/// The rule, and whether its breach asks a human.
fn check_rule(index: usize, source: &RuleSource, zone: Option<&Zone>) -> Result<(Rule, bool), PolicyError> {
    let place = |field: &str| format!("rules[{index}].{field}");
    let kind = RuleKind::from_rule_type(&source.rule_type);
    let kind = kind.ok_or_else(|| unknown_type(place("rule_type"), &source.rule_type))?;
    let shape = Shape::of(kind);
    let action = Action::parse(&source.action).ok_or_else(|| unknown_action(place("action"), &source.action))?;
    let operator = Operator::parse(&source.operator).ok_or_else(|| {
        PolicyError::unsupported(place("operator"), &source.operator, shape.expected(), Operator::words())
    })?;
    let meaning = shape.meaning(operator, action).ok_or_else(|| {
        let found = format!("{} with {}", source.operator.trim(), source.action.trim());
        PolicyError::invalid(place("operator"), &found, shape.expected())
    })?;
    let value = Value::new(place("value"), &source.value, zone);
    let rule = match circumstance::read::read(kind, operator, meaning, &value)? {
        Some(circumstance) => Rule::Circumstance(circumstance),
        None => read(kind, place("rule_type"), &value)?,
    };
    Ok((rule, action == Action::RequireApproval))
}

fn unknown_type(place: String, word: &str) -> PolicyError {
    let known = RuleKind::ALL.iter().map(|kind| kind.rule_type());
    PolicyError::unsupported(place, word, "a rule type of this release", known)
}

fn unknown_action(place: String, word: &str) -> PolicyError {
    const ACTIONS: [&str; 3] = ["ALLOW", "DENY", "REQUIRE_APPROVAL"];
    PolicyError::unsupported(place, word.trim(), "`ALLOW`, `DENY` or `REQUIRE_APPROVAL`", ACTIONS)
}

fn read(kind: RuleKind, place: String, value: &Value<'_>) -> Result<Rule, PolicyError> {
    Ok(match kind {
        RuleKind::MaxAmount => Rule::MaxAmount { cap: value.single_amount()? },
        RuleKind::X402MaxPerRequest => Rule::MaxPerRequest { rail: Rail::X402, cap: value.amount()? },
        RuleKind::MppMaxPerRequest => Rule::MaxPerRequest { rail: Rail::Mpp, cap: value.amount()? },
        RuleKind::X402PriceCeiling => Rule::PriceCeiling { rail: Rail::X402, cap: value.amount()? },
        RuleKind::MppPriceCeiling => Rule::PriceCeiling { rail: Rail::Mpp, cap: value.amount()? },
        RuleKind::AllowedCounterparties => Rule::AllowedCounterparties(value.recipients()?),
        RuleKind::BlockedCounterparties => Rule::BlockedCounterparties(value.recipients()?),
        RuleKind::X402AllowedServices => Rule::AllowedServices { rail: Rail::X402, services: value.services()? },
        RuleKind::MppAllowedServices => Rule::AllowedServices { rail: Rail::Mpp, services: value.services()? },
        RuleKind::X402BlockedServices => Rule::BlockedServices { rail: Rail::X402, services: value.services()? },
        RuleKind::MppBlockedServices => Rule::BlockedServices { rail: Rail::Mpp, services: value.services()? },
        RuleKind::X402SessionBudget => Rule::SessionBudget { rail: Rail::X402, cap: value.amount()? },
        RuleKind::MppSessionBudget => Rule::SessionBudget { rail: Rail::Mpp, cap: value.amount()? },
        RuleKind::MppMaxConcurrentSessions => Rule::ConcurrentSessions { max: value.count()? },
        RuleKind::MppMaxSessionDuration => Rule::SessionDuration { max: value.seconds()? },
        RuleKind::DailyLimit => window_limit(SpendWindow::Day, value)?,
        RuleKind::WeeklyLimit => window_limit(SpendWindow::Week, value)?,
        RuleKind::MonthlyLimit => window_limit(SpendWindow::Month, value)?,
        RuleKind::RollingLimit => {
            let (length, cap) = value.rolling()?;
            Rule::RollingLimit { length, cap }
        }
        RuleKind::BudgetCap => {
            let (window, cap) = value.budget()?;
            Rule::BudgetCap { window, cap }
        }
        RuleKind::X402MaxPerService => per_service(Rail::X402, value)?,
        RuleKind::MppMaxPerService => per_service(Rail::Mpp, value)?,
        RuleKind::VelocityLimit => {
            let (period, max_count) = value.velocity()?;
            Rule::Velocity { period, max_count }
        }
        RuleKind::RequireApprovalAbove => Rule::ApprovalAbove { cap: value.amount()? },
        RuleKind::X402MaxPerEndpoint => per_endpoint(Rail::X402, value)?,
        RuleKind::MppMaxPerEndpoint => per_endpoint(Rail::Mpp, value)?,
        RuleKind::X402VelocityPerEndpoint => endpoint_velocity(Rail::X402, value)?,
        RuleKind::MppVelocityPerEndpoint => endpoint_velocity(Rail::Mpp, value)?,
        RuleKind::CardMaxAmount => Rule::CardMaxAmount { cap: value.amount()? },
        RuleKind::MppMaxSessionDeposit => Rule::SessionDeposit { cap: value.amount()? },
        RuleKind::TimeWindow
        | RuleKind::DayOfWeek
        | RuleKind::DateRange
        | RuleKind::BlackoutPeriod
        | RuleKind::Expiration
        | RuleKind::AllowedCategories
        | RuleKind::BlockedCategories
        | RuleKind::GeographicRestriction
        | RuleKind::TrustScore
        | RuleKind::CounterpartyStatus
        | RuleKind::FairscaleMinScore
        | RuleKind::ContractAllowlist
        | RuleKind::MppBlockSessionIntent
        | RuleKind::MppAllowedMethods
        | RuleKind::CardAllowedMccs
        | RuleKind::CardBlockedMccs
        | RuleKind::CardAllowedMerchants
        | RuleKind::CardBlockedMerchants
        | RuleKind::Composite => return Err(unknown_type(place, kind.rule_type())),
    })
}

fn per_service(rail: Rail, value: &Value<'_>) -> Result<Rule, PolicyError> {
    let (window, cap) = value.total()?;
    Ok(Rule::MaxPerService { rail, window, cap })
}

fn per_endpoint(rail: Rail, value: &Value<'_>) -> Result<Rule, PolicyError> {
    let (window, cap) = value.total()?;
    Ok(Rule::MaxPerEndpoint { rail, window, cap })
}

fn endpoint_velocity(rail: Rail, value: &Value<'_>) -> Result<Rule, PolicyError> {
    let (period, max_count) = value.velocity()?;
    Ok(Rule::VelocityPerEndpoint { rail, period, max_count })
}

fn window_limit(period: SpendWindow, value: &Value<'_>) -> Result<Rule, PolicyError> {
    let (window, cap) = value.window_limit(period)?;
    Ok(Rule::WindowLimit { window, cap })
}

#[cfg(test)]
mod tests;
