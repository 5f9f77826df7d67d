//! A policy as a TOML file: what `holdfast policy apply` reads. `docs/POLICY.md` describes the language.

use serde::Deserialize;
use thiserror::Error;
use toml::{Spanned, Value};

use crate::kernel::{
    AgentId, Duration, PolicyId,
    policy::{ApprovalTerms, PRIORITY_DEFAULT, PolicyScope, PolicySource, RuleSource},
};

/// The policy of an agent that has no other, as a file: 100 a payment, 500 a day.
pub const DEFAULT_POLICY: &str = include_str!("../../config/policies/default.toml");

/// Why a policy file cannot be read. Completes "failed to read the policy file: …".
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyFileError {
    /// Not TOML, or not the keys of a policy.
    #[error("line {line}: {message}")]
    Malformed {
        /// Counted from one.
        line: usize,
        /// What the TOML reader says.
        message: String,
    },
    /// A value that cannot be taken exactly.
    #[error("line {line}: `{key}` {problem}")]
    Value {
        /// Counted from one.
        line: usize,
        /// The key in the file.
        key: &'static str,
        /// What is wrong with it, and what to write.
        problem: String,
    },
}

/// Reads a policy file. Whether its rules mean anything is said by [`policy::check`](crate::kernel::policy::check).
///
/// # Errors
/// [`PolicyFileError`] with the line, for what is not TOML, for keys that a policy does not have, and for values that TOML
/// cannot carry exactly.
pub fn parse(text: &str) -> Result<PolicySource, PolicyFileError> {
    let file: PolicyFile = toml::from_str(text).map_err(|error| PolicyFileError::Malformed {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let id = match &file.id {
        Some(id) => parse_id(text, "id", id)?,
        None => id_of_name(&file.name),
    };
    let agents = file.agents.iter().map(|agent| parse_id::<AgentId>(text, "agents", agent));
    let agents = agents.collect::<Result<_, _>>()?;
    let rules = file.rules.into_iter().map(|rule| rule.source(text)).collect::<Result<_, _>>()?;
    Ok(PolicySource {
        id,
        name: file.name,
        description: file.description,
        policy_type: file.policy_type,
        priority: file.priority,
        active: file.active,
        scope: match file.scope {
            ScopeWord::Organization => PolicyScope::Organization,
            ScopeWord::Assigned => PolicyScope::Assigned,
            ScopeWord::Wallet => PolicyScope::Wallet,
        },
        agents,
        rules,
        approval: file.approval.map(|table| table.terms(text)).transpose()?,
        wallets: file.wallets,
        timezone: file.timezone,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    id: Option<Spanned<String>>,
    name: String,
    #[serde(default)]
    description: String,
    policy_type: String,
    #[serde(default = "priority_default")]
    priority: u8,
    #[serde(default = "active_default")]
    active: bool,
    scope: ScopeWord,
    #[serde(default)]
    agents: Vec<Spanned<String>>,
    #[serde(default)]
    wallets: Vec<String>,
    timezone: Option<String>,
    #[serde(default)]
    rules: Vec<RuleTable>,
    approval: Option<ApprovalTable>,
}

fn priority_default() -> u8 {
    PRIORITY_DEFAULT
}

fn active_default() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScopeWord {
    Organization,
    Assigned,
    Wallet,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    rule_type: String,
    operator: String,
    value: Spanned<Value>,
    action: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalTable {
    #[serde(default = "required_default")]
    required: u16,
    #[serde(default)]
    approvers: Vec<Spanned<String>>,
    timeout_seconds: Option<u64>,
}

fn required_default() -> u16 {
    ApprovalTerms::default().required
}

impl ApprovalTable {
    fn terms(self, text: &str) -> Result<ApprovalTerms, PolicyFileError> {
        let approvers = self.approvers.iter().map(|key| parse_id(text, "approvers", key));
        Ok(ApprovalTerms {
            required: self.required,
            approvers: approvers.collect::<Result<_, _>>()?,
            timeout: self.timeout_seconds.map(Duration::from_secs),
        })
    }
}

impl RuleTable {
    fn source(self, text: &str) -> Result<RuleSource, PolicyFileError> {
        let line = line_of(text, self.value.span().start);
        let refused = |problem| PolicyFileError::Value { line, key: "value", problem };
        let value = match self.value.into_inner() {
            Value::String(plain) => plain,
            structured => json(structured).map_err(refused)?.to_string(),
        };
        Ok(RuleSource { rule_type: self.rule_type, operator: self.operator, value, action: self.action })
    }
}

/// The JSON that says the same as a TOML value, or why there is none.
fn json(value: Value) -> Result<serde_json::Value, String> {
    match value {
        Value::String(text) => Ok(text.into()),
        Value::Integer(number) => Ok(number.into()),
        Value::Float(_) => {
            Err("has a number with a point, which TOML keeps only roughly; quote it, as in `value = \"0.05\"`"
                .to_owned())
        }
        Value::Boolean(_) | Value::Datetime(_) => {
            Err(format!("is a {}; expected a text, a whole number, a list or a table", value.type_str()))
        }
        Value::Array(entries) => entries.into_iter().map(json).collect(),
        Value::Table(members) => members.into_iter().map(|(key, member)| Ok((key, json(member)?))).collect(),
    }
}

fn parse_id<Id: std::str::FromStr>(text: &str, key: &'static str, id: &Spanned<String>) -> Result<Id, PolicyFileError>
where
    Id::Err: std::fmt::Display,
{
    id.get_ref().parse().map_err(|error: Id::Err| PolicyFileError::Value {
        line: line_of(text, id.span().start),
        key,
        problem: format!("has `{}`; {error}", id.get_ref()),
    })
}

/// A file without an id is the policy of its name, so that applying it again changes that policy and adds none.
fn id_of_name(name: &str) -> PolicyId {
    let hash = blake3::hash(name.as_bytes());
    let (id, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    PolicyId(u128::from_be_bytes(*id))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::kernel::{
        Amount, KeyId,
        policy::{Rule, RuleKind, SpendWindow, check, compile},
    };

    const HEAD: &str = "name = \"a\"\npolicy_type = \"SPEND_LIMIT\"\nscope = \"assigned\"\n";

    fn value_of(toml: &str) -> String {
        let text =
            format!("{HEAD}[[rules]]\nrule_type = \"X\"\noperator = \"LTE\"\naction = \"DENY\"\nvalue = {toml}\n");
        parse(&text).unwrap().rules.remove(0).value
    }

    #[test]
    fn values_become_the_text_of_a_rule() {
        for (toml, expected) in [
            ("\"0.05\"", "0.05"),
            ("500", "500"),
            ("-5", "-5"),
            (r#"["0xa", "0xb"]"#, r#"["0xa","0xb"]"#),
            ("[]", "[]"),
            ("{ maxCount = 10, period = \"HOUR\" }", r#"{"maxCount":10,"period":"HOUR"}"#),
            (r#"'{"amount":50,"period":"DAILY"}'"#, r#"{"amount":50,"period":"DAILY"}"#),
        ] {
            assert_eq!(value_of(toml), expected);
        }
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let source = parse(HEAD).unwrap();
        assert_eq!(source.id, id_of_name("a"));
        assert_ne!(source.id, id_of_name("b"));
        assert_eq!((source.priority, source.active), (50, true));
        assert_eq!(source.scope, PolicyScope::Assigned);
        assert!(source.description.is_empty() && source.agents.is_empty() && source.rules.is_empty());
    }

    #[test]
    fn what_is_said_is_kept() {
        let (id, agent) = (PolicyId(0x12), AgentId(0x34));
        let source = parse(&format!(
            "id = \"{id}\"\ndescription = \"d\"\npriority = 7\nactive = false\nagents = [\"{agent}\"]\n{HEAD}"
        ));
        let source = source.unwrap();
        assert_eq!((source.id, source.description.as_str()), (id, "d"));
        assert_eq!((source.priority, source.active, source.agents), (7, false, vec![agent]));
        let text = "name = \"a\"\npolicy_type = \"SPEND_LIMIT\"\nscope = \"wallet\"\nwallets = [\"w1\", \"w2\"]\n";
        let source = parse(&format!("{text}timezone = \"Europe/Berlin\"\n")).unwrap();
        assert_eq!((source.scope, source.wallets), (PolicyScope::Wallet, vec!["w1".to_owned(), "w2".to_owned()]));
        assert_eq!(source.timezone.as_deref(), Some("Europe/Berlin"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line() {
        let rule = "[[rules]]\nrule_type = \"MAX_AMOUNT\"\noperator = \"LTE\"\naction = \"DENY\"\n";
        for (text, line, expected) in [
            (format!("{HEAD}priorty = 5\n"), 4, "unknown field `priorty`"),
            (format!("{HEAD}priority = 500\n"), 4, "500"),
            (format!("{HEAD}agents = [\n  \"me\",\n]\n"), 5, "`agents` has `me`; expected `agt_`"),
            (format!("{HEAD}approval = {{ approvers = [\"me\"] }}\n"), 4, "`approvers` has `me`; expected `key_`"),
            (format!("{HEAD}approval = {{ count = 2 }}\n"), 4, "unknown field `count`"),
            (format!("{HEAD}id = \"pol_1\"\n"), 4, "`id` has `pol_1`; expected `pol_`"),
            (format!("{HEAD}{rule}value = 0.05\n"), 8, "quote it, as in `value = \"0.05\"`"),
            (format!("{HEAD}{rule}value = {{ amount = 0.5, period = \"DAY\" }}\n"), 8, "quote it, as in"),
            (format!("{HEAD}{rule}value = true\n"), 8, "is a boolean; expected a text"),
            (format!("{HEAD}{rule}value = 2026-01-01\n"), 8, "is a datetime; expected a text"),
            (format!("{HEAD}{rule}"), 4, "missing field `value`"),
            (format!("{HEAD}{rule}value = \"5\"\nwhen = \"now\"\n"), 9, "unknown field `when`"),
            ("name = \"a\"\nscope = \"team\"\n".to_owned(), 2, "unknown variant `team`"),
            ("name = \"a\"\nname = \"b\"\n".to_owned(), 2, "duplicate key"),
            ("\n\nname".to_owned(), 3, ""),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{text}: {error}");
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn every_policy_file_of_the_package_can_be_run() {
        let files: Vec<_> =
            fs::read_dir(in_package("config/policies")).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            let source = parse(&fs::read_to_string(&file).unwrap()).unwrap_or_else(|error| panic!("{file:?}: {error}"));
            let checked = check(&source).unwrap_or_else(|error| panic!("{file:?}: {error}"));
            let program = compile([(&checked, 1)]);
            assert_eq!(program.all_rules().count(), source.rules.len(), "{file:?}");
            assert!(!source.description.is_empty(), "{file:?}");
        }
    }

    #[test]
    fn the_default_policy_is_100_a_payment_and_500_a_day() {
        let checked = check(&parse(DEFAULT_POLICY).unwrap()).unwrap();
        let day = Rule::WindowLimit { window: SpendWindow::Day.in_utc(), cap: Amount::from_units(500) };
        assert_eq!(checked.rules(), [Rule::MaxAmount { cap: Amount::from_units(100) }, day]);
        assert!(checked.is_active());
    }

    #[test]
    fn machine_payments_has_a_rule_of_every_sort_that_machines_need() {
        let text = fs::read_to_string(in_package("config/policies/machine-payments.toml")).unwrap();
        let checked = check(&parse(&text).unwrap()).unwrap();
        let program = compile([(&checked, 1)]);
        let kinds: Vec<RuleKind> = program.all_rules().map(Rule::kind).collect();
        assert!(kinds.is_sorted() && kinds.len() >= 20, "{kinds:?}");
    }

    #[test]
    fn every_example_of_the_manual_means_something_and_every_rule_type_has_one() {
        let manual = fs::read_to_string(in_package("docs/POLICY.md")).unwrap();
        let examples: Vec<&str> =
            manual.split("```toml\n").skip(1).filter_map(|part| part.split("```").next()).collect();
        let mut kinds: Vec<RuleKind> = Vec::new();
        for example in examples {
            let head = if example.contains("policy_type =") { "" } else { HEAD };
            let source = parse(&format!("{head}{example}")).unwrap_or_else(|error| panic!("{example}: {error}"));
            let checked = check(&source).unwrap_or_else(|error| panic!("{example}: {error}"));
            let rules = || checked.rules().iter().chain(checked.asking());
            assert!(rules().count() > 0, "{example}");
            kinds.extend(rules().map(Rule::kind));
        }
        for kind in RuleKind::ALL.iter() {
            assert!(kinds.contains(kind), "no example of {kind:?}");
            assert!(manual.contains(&format!("`{}`", kind.violation_type())), "{kind:?}");
        }
    }

    #[test]
    fn terms_of_approval_are_read() {
        let approval = "approval = { required = 2, approvers = [\"key_0000000000000007\", \"key_0000000000000008\"], timeout_seconds = 60 }";
        let terms = parse(&format!("{HEAD}{approval}\n")).unwrap().approval;
        let approvers = vec![KeyId(7), KeyId(8)];
        assert_eq!(terms, Some(ApprovalTerms { required: 2, approvers, timeout: Some(Duration::from_secs(60)) }));
        assert_eq!(parse(&format!("{HEAD}approval = {{}}\n")).unwrap().approval, Some(ApprovalTerms::default()));
        assert_eq!(parse(HEAD).unwrap().approval, None);
    }

    fn in_package(path: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }
}
