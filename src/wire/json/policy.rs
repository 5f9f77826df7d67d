//! Policies as operators write and see them. Whether a policy means anything is for the policy language to say.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    AgentId, Duration, KeyId, PolicyId,
    policy::{ApprovalTerms, PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
};

use super::{Anything, Object, Refusal, agent::name, key::agent_ids};

/// The most rules that one body may carry.
const RULES_MAX: usize = 1000;

/// A policy to be written.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"name": "x402 caps", "policyType": "SPEND_LIMIT", "rules": [{"ruleType": "X402_MAX_PER_REQUEST", "operator": "LTE", "value": "0.50", "action": "ALLOW"}]}))]
#[expect(dead_code, reason = "describes what `read_policy` accepts")]
pub struct PolicyRequest {
    /// Which policy to replace; without one, a new one is written.
    id: Option<PolicyId>,
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
    /// For people.
    description: Option<String>,
    /// What kind of policy it is; `SPEND_LIMIT` unless said otherwise.
    policy_type: Option<String>,
    /// Higher is looked at first; 50 unless said otherwise.
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<u8>,
    /// Whether it is in force; `true` unless said otherwise.
    is_active: Option<bool>,
    /// `organization` for all agents, `assigned` for those in `agentIds`, `wallet` for payments from the wallets in `walletIds`.
    #[schema(example = "organization")]
    scope: Option<String>,
    /// The agents that it is for.
    agent_ids: Option<Vec<AgentId>>,
    /// The wallets that it is for.
    #[schema(max_items = 1000)]
    wallet_ids: Option<Vec<String>>,
    /// The time zone of those of its rules that name none, such as `Europe/Berlin`; UTC unless said otherwise.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Who decides what its rules want a human to decide; one operator, whoever it is, unless said otherwise.
    approval: Option<ApprovalRequest>,
    /// What it says. All of them must pass.
    #[schema(max_items = 1000)]
    rules: Option<Vec<RuleRequest>>,
    /// As the header `Idempotency-Key`.
    #[schema(min_length = 1, max_length = 256)]
    idempotency_key: Option<String>,
}

/// Who decides what the rules of a policy want a human to decide.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"requiredApprovals": 2, "specificApprovers": ["key_0000000000000001", "key_0000000000000002"], "timeoutSeconds": 300}))]
#[expect(dead_code, reason = "describes what `approval` accepts")]
struct ApprovalRequest {
    /// How many must approve; one unless said otherwise.
    #[schema(minimum = 1, maximum = 64)]
    required_approvals: Option<u16>,
    /// The keys of those who may; every operator unless said otherwise.
    #[schema(max_items = 64)]
    specific_approvers: Option<Vec<KeyId>>,
    /// How long there is for it.
    #[schema(minimum = 1, maximum = 604800)]
    timeout_seconds: Option<u64>,
}

/// The rules that replace all rules of a policy.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"rules": [{"ruleType": "DAILY_LIMIT", "operator": "LTE", "value": "1000", "action": "ALLOW"}]}))]
#[expect(dead_code, reason = "describes what `read_rules` accepts")]
pub struct RulesRequest {
    /// What it shall say.
    #[schema(max_items = 1000)]
    rules: Vec<RuleRequest>,
}

/// One rule that is added to a policy, or several.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"ruleType": "MAX_AMOUNT", "operator": "LTE", "value": "200", "action": "ALLOW"}))]
#[expect(dead_code, reason = "describes what `read_added_rules` accepts")]
pub struct AddedRulesRequest {
    /// What it shall say besides; in place of the other members, which are one rule.
    #[schema(max_items = 1000)]
    rules: Option<Vec<RuleRequest>>,
    /// Its kind, such as `MAX_AMOUNT`.
    rule_type: Option<String>,
    /// How the value is compared, such as `LTE`.
    operator: Option<String>,
    /// What it is compared with: a text, or JSON where it has parts.
    value: Option<Anything>,
    /// `ALLOW` (the default), `DENY` or `REQUIRE_APPROVAL`.
    #[schema(example = "ALLOW")]
    action: Option<String>,
}

/// One rule.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"ruleType": "MAX_AMOUNT", "operator": "LTE", "value": "200", "action": "ALLOW"}))]
#[expect(dead_code, reason = "describes what `rule` accepts")]
struct RuleRequest {
    /// Its kind, such as `MAX_AMOUNT`.
    rule_type: String,
    /// How the value is compared, such as `LTE`.
    operator: String,
    /// What it is compared with: a text, or JSON where it has parts.
    value: Anything,
    /// `ALLOW` (the default), `DENY` or `REQUIRE_APPROVAL`.
    #[schema(example = "ALLOW")]
    action: Option<String>,
}

/// Reads a whole policy: `{name, description?, policyType?, priority?, isActive?, scope?, agentIds?, approval?, rules?}`.
///
/// # Errors
/// A [`Refusal`] that names the first field that is wrong.
pub fn read_policy(object: &Object<'_>, id: PolicyId) -> Result<PolicySource, Refusal> {
    let patch = PolicyPatch::read(object)?;
    object.required("name", patch.name.as_ref(), "a name for people")?;
    let blank = PolicySource {
        id,
        name: String::new(),
        description: String::new(),
        policy_type: "SPEND_LIMIT".to_owned(),
        priority: PRIORITY_DEFAULT,
        active: true,
        scope: PolicyScope::Organization,
        agents: Vec::new(),
        rules: Vec::new(),
        approval: None,
        wallets: Vec::new(),
        timezone: None,
    };
    let mut source = patch.apply(blank);
    if let Some(rules) = rules(object)? {
        source.rules = rules;
    }
    Ok(source)
}

/// Reads `{rules: [...]}`, which replaces all rules of a policy.
///
/// # Errors
/// A [`Refusal`] that names the first field that is wrong.
pub fn read_rules(object: &Object<'_>) -> Result<Vec<RuleSource>, Refusal> {
    let rules = rules(object)?;
    object.required("rules", rules, "a list of rules")
}

/// Reads the rules that are added to a policy: `{rules: [...]}`, or one rule by itself.
///
/// # Errors
/// A [`Refusal`] that names the first field that is wrong.
pub fn read_added_rules(object: &Object<'_>) -> Result<Vec<RuleSource>, Refusal> {
    rules(object)?.map_or_else(|| Ok(vec![rule(object)?]), Ok)
}

/// What a body says about a policy besides its rules; what is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPatch {
    name: Option<String>,
    description: Option<String>,
    policy_type: Option<String>,
    priority: Option<u8>,
    active: Option<bool>,
    scope: Option<PolicyScope>,
    agents: Option<Vec<AgentId>>,
    approval: Option<ApprovalTerms>,
    wallets: Option<Vec<String>>,
    timezone: Option<String>,
}

/// A change of a policy; what is not named stays as it is.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase", example = json!({"isActive": false}))]
#[expect(dead_code, reason = "describes what `PolicyPatch::read` accepts")]
pub struct PolicyUpdateRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 256)]
    name: Option<String>,
    /// For people.
    description: Option<String>,
    /// What kind of policy it is; `SPEND_LIMIT` unless said otherwise.
    policy_type: Option<String>,
    /// Higher is looked at first; 50 unless said otherwise.
    #[schema(minimum = 0, maximum = 100)]
    priority: Option<u8>,
    /// Whether it is in force; `true` unless said otherwise.
    is_active: Option<bool>,
    /// `organization` for all agents, `assigned` for those in `agentIds`, `wallet` for payments from the wallets in `walletIds`.
    #[schema(example = "organization")]
    scope: Option<String>,
    /// The agents that it is for.
    agent_ids: Option<Vec<AgentId>>,
    /// The wallets that it is for.
    #[schema(max_items = 1000)]
    wallet_ids: Option<Vec<String>>,
    /// The time zone of those of its rules that name none, such as `Europe/Berlin`.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Who decides what its rules want a human to decide.
    approval: Option<ApprovalRequest>,
}

impl PolicyPatch {
    /// Reads the members that are present.
    ///
    /// # Errors
    /// A [`Refusal`] that names the first field that is wrong.
    pub fn read(object: &Object<'_>) -> Result<PolicyPatch, Refusal> {
        Ok(PolicyPatch {
            name: name(object)?,
            description: object.text("description")?,
            policy_type: object.text("policyType")?,
            priority: priority(object)?,
            active: object.flag("isActive")?,
            scope: scope(object)?,
            agents: agent_ids(object)?,
            approval: approval(object)?,
            wallets: object.texts("walletIds")?,
            timezone: object.text("timezone")?,
        })
    }

    /// `policy` with what the patch says. Naming wallets or agents and no scope makes the policy one for them.
    #[must_use]
    pub fn apply(self, policy: PolicySource) -> PolicySource {
        let named = self.agents.as_ref().is_some_and(|agents| !agents.is_empty());
        let on_wallets = self.wallets.as_ref().unwrap_or(&policy.wallets);
        let implied = match (on_wallets.is_empty(), named) {
            (false, _) => Some(PolicyScope::Wallet),
            (true, true) => Some(PolicyScope::Assigned),
            (true, false) => None,
        };
        let scope = self.scope.or(implied).unwrap_or(policy.scope);
        PolicySource {
            id: policy.id,
            name: self.name.unwrap_or(policy.name),
            description: self.description.unwrap_or(policy.description),
            policy_type: self.policy_type.unwrap_or(policy.policy_type),
            priority: self.priority.unwrap_or(policy.priority),
            active: self.active.unwrap_or(policy.active),
            scope,
            agents: self.agents.unwrap_or(policy.agents),
            rules: policy.rules,
            approval: self.approval.or(policy.approval),
            wallets: self.wallets.unwrap_or(policy.wallets),
            timezone: self.timezone.or(policy.timezone),
        }
    }
}

fn priority(object: &Object<'_>) -> Result<Option<u8>, Refusal> {
    let expected = "a whole number, 0 to 100";
    let Some(priority) = object.whole("priority", expected)? else { return Ok(None) };
    let priority = u8::try_from(priority).ok().filter(|priority| *priority <= 100);
    priority.map(Some).ok_or_else(|| Refusal::invalid(object.place("priority"), "is out of range", expected))
}

fn scope(object: &Object<'_>) -> Result<Option<PolicyScope>, Refusal> {
    match object.text("scope")?.as_deref() {
        None => Ok(None),
        Some("organization" | "org" | "org-wide") => Ok(Some(PolicyScope::Organization)),
        Some("assigned") => Ok(Some(PolicyScope::Assigned)),
        Some("wallet") => Ok(Some(PolicyScope::Wallet)),
        Some(_) => {
            Err(Refusal::invalid(object.place("scope"), "is not known", "`organization`, `assigned` or `wallet`"))
        }
    }
}

/// `{requiredApprovals?, specificApprovers?, timeoutSeconds?}`.
fn approval(object: &Object<'_>) -> Result<Option<ApprovalTerms>, Refusal> {
    let Some(terms) = object.object("approval")? else { return Ok(None) };
    let expected = "a whole number from 1 to 64";
    let required = match terms.whole("requiredApprovals", expected)? {
        None => 1,
        Some(count) => u16::try_from(count)
            .map_err(|_| Refusal::invalid(terms.place("requiredApprovals"), "is out of range", expected))?,
    };
    let approver = |(index, text): (usize, &String)| {
        let expected = "the ids of keys, such as `key_` and 16 hexadecimal digits";
        let place = || terms.place(&format!("specificApprovers[{index}]"));
        text.parse::<KeyId>().map_err(|_| Refusal::invalid(place(), "is no key's id", expected))
    };
    let approvers = terms.texts("specificApprovers")?.unwrap_or_default();
    let approvers = approvers.iter().enumerate().map(approver).collect::<Result<_, _>>()?;
    let timeout = terms.whole("timeoutSeconds", "a whole number of seconds")?.map(Duration::from_secs);
    Ok(Some(ApprovalTerms { required, approvers, timeout }))
}

fn rules(object: &Object<'_>) -> Result<Option<Vec<RuleSource>>, Refusal> {
    if object.raw("rules") == Some("[]") {
        return Ok(Some(Vec::new()));
    }
    let Some(objects) = object.objects("rules", RULES_MAX)? else { return Ok(None) };
    objects.iter().map(rule).collect::<Result<_, _>>().map(Some)
}

fn rule(object: &Object<'_>) -> Result<RuleSource, Refusal> {
    let text = |name: &str, expected: &str| {
        let text = object.text(name)?;
        object.required(name, text, expected)
    };
    let value = object.required("value", object.raw("value"), "a text, or JSON where the value has parts")?;
    Ok(RuleSource {
        rule_type: text("ruleType", "a rule type, such as `MAX_AMOUNT`")?,
        operator: text("operator", "an operator, such as `LTE`")?,
        // A text is its content; everything else is kept as the JSON that it is.
        value: if value.starts_with('"') { object.text("value")?.unwrap_or_default() } else { value.to_owned() },
        action: object.text("action")?.unwrap_or_else(|| "ALLOW".to_owned()),
    })
}

/// A policy with the revision of the catalogue that wrote it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyBody<'a> {
    #[schema(value_type = PolicyId)]
    id: String,
    name: &'a str,
    description: &'a str,
    policy_type: &'a str,
    priority: u8,
    is_active: bool,
    scope: &'static str,
    #[schema(value_type = Vec<AgentId>)]
    agent_ids: Vec<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    wallet_ids: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<ApprovalBody>,
    rules: Vec<RuleBody<'a>>,
    revision: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApprovalBody {
    required_approvals: u16,
    #[schema(value_type = Vec<KeyId>)]
    specific_approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RuleBody<'a> {
    rule_type: &'a str,
    operator: &'a str,
    value: &'a str,
    action: &'a str,
}

impl<'a> PolicyBody<'a> {
    /// The policy as it was written.
    #[must_use]
    pub fn of(source: &'a PolicySource, revision: u32) -> PolicyBody<'a> {
        let rule = |rule: &'a RuleSource| RuleBody {
            rule_type: &rule.rule_type,
            operator: &rule.operator,
            value: &rule.value,
            action: &rule.action,
        };
        PolicyBody {
            id: source.id.to_string(),
            name: &source.name,
            description: &source.description,
            policy_type: &source.policy_type,
            priority: source.priority,
            is_active: source.active,
            scope: match source.scope {
                PolicyScope::Organization => "organization",
                PolicyScope::Assigned => "assigned",
                PolicyScope::Wallet => "wallet",
            },
            agent_ids: source.agents.iter().map(AgentId::to_string).collect(),
            wallet_ids: &source.wallets,
            timezone: source.timezone.as_deref(),
            approval: source.approval.as_ref().map(|terms| ApprovalBody {
                required_approvals: terms.required,
                specific_approvers: terms.approvers.iter().map(KeyId::to_string).collect(),
                timeout_seconds: terms.timeout.map(Duration::as_secs),
            }),
            rules: source.rules.iter().map(rule).collect(),
            revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::json::print;

    use super::*;

    fn read(body: &str) -> Result<PolicySource, Refusal> {
        read_policy(&Object::read(body.as_bytes())?, PolicyId(1))
    }

    #[test]
    fn a_policy_is_read_and_printed_back() {
        let source = read(
            r#"{"name":"machine","policyType":"X402_CONTROLS","priority":70,
                "approval":{"requiredApprovals":2,"specificApprovers":["key_0000000000000001","key_0000000000000002"],"timeoutSeconds":300},
                "rules":[
                {"ruleType":"X402_PRICE_CEILING","operator":"LTE","value":"0.01","action":"ALLOW"},
                {"ruleType":"VELOCITY_LIMIT","operator":"LTE","value":{"maxCount":10,"period":"HOUR"}},
                {"ruleType":"X402_ALLOWED_SERVICES","operator":"IN_LIST","value":["api.example.com"]},
                {"ruleType":"DAILY_LIMIT","operator":"LTE","value":500}]}"#,
        )
        .unwrap();
        let values: Vec<&str> = source.rules.iter().map(|rule| rule.value.as_str()).collect();
        assert_eq!(values, ["0.01", r#"{"maxCount":10,"period":"HOUR"}"#, r#"["api.example.com"]"#, "500"]);
        assert_eq!((source.scope, source.priority, source.active), (PolicyScope::Organization, 70, true));
        let approvers = vec![KeyId(1), KeyId(2)];
        let terms = ApprovalTerms { required: 2, approvers, timeout: Some(Duration::from_secs(300)) };
        assert_eq!(source.approval, Some(terms));
        let printed = print(&PolicyBody::of(&source, 3));
        assert!(printed.contains(r#""value":"[\"api.example.com\"]","action":"ALLOW""#), "{printed}");
        assert_eq!(read(&printed), Ok(source));
    }

    #[test]
    fn naming_agents_assigns_the_policy() {
        let agents = format!(r#"{{"name":"x","agentIds":["{}"]}}"#, AgentId(1));
        assert_eq!(read(&agents).unwrap().scope, PolicyScope::Assigned);
        let patch = PolicyPatch::read(&Object::read(br#"{"isActive":false}"#).unwrap()).unwrap();
        let patched = patch.apply(read(&agents).unwrap());
        assert_eq!((patched.active, patched.scope, patched.agents), (false, PolicyScope::Assigned, vec![AgentId(1)]));
    }

    #[test]
    fn naming_wallets_makes_the_policy_one_for_them() {
        let source = read(r#"{"name":"x","walletIds":["w1"],"timezone":"Europe/Berlin"}"#).unwrap();
        assert_eq!((source.scope, &source.wallets), (PolicyScope::Wallet, &vec!["w1".to_owned()]));
        assert_eq!(read(&print(&PolicyBody::of(&source, 3))), Ok(source.clone()));
        let patch = |body: &str| PolicyPatch::read(&Object::read(body.as_bytes()).unwrap()).unwrap();
        let patched = patch(&format!(r#"{{"agentIds":["{}"]}}"#, AgentId(1))).apply(source.clone());
        assert_eq!((patched.scope, patched.agents), (PolicyScope::Wallet, vec![AgentId(1)]));
        let patched = patch(r#"{"scope":"organization","walletIds":[]}"#).apply(source);
        assert_eq!((patched.scope, patched.wallets), (PolicyScope::Organization, Vec::new()));
    }

    #[test]
    fn the_first_wrong_field_is_named() {
        for (body, field) in [
            ("{}", "name"),
            (r#"{"name":"x","priority":101}"#, "priority"),
            (r#"{"name":"x","priority":"high"}"#, "priority"),
            (r#"{"name":"x","scope":"team"}"#, "scope"),
            (r#"{"name":"x","isActive":"yes"}"#, "isActive"),
            (r#"{"name":"x","agentIds":["bob"]}"#, "agentIds[0]"),
            (r#"{"name":"x","approval":2}"#, "approval"),
            (r#"{"name":"x","approval":{"requiredApprovals":70000}}"#, "approval.requiredApprovals"),
            (r#"{"name":"x","approval":{"specificApprovers":["bob"]}}"#, "approval.specificApprovers[0]"),
            (r#"{"name":"x","approval":{"timeoutSeconds":"soon"}}"#, "approval.timeoutSeconds"),
            (r#"{"name":"x","rules":{}}"#, "rules"),
            (r#"{"name":"x","rules":[1]}"#, "rules[0]"),
            (r#"{"name":"x","rules":[{"operator":"LTE","value":"1"}]}"#, "rules[0].ruleType"),
            (r#"{"name":"x","rules":[{"ruleType":"MAX_AMOUNT","operator":"LTE"}]}"#, "rules[0].value"),
        ] {
            assert_eq!(read(body).unwrap_err().field(), Some(field), "{body}");
        }
    }
}
