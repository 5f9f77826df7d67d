//! `holdfast policy backtest`: what would a policy have denied?

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{
    CliError,
    json::Json,
    output::{Column, Output, table},
    rest::Gateway,
};

const ROWS: &[Column] = &[("name", "name"), ("payments", "count"), ("amount", "amount")];
const EXAMPLES: &[Column] = &[
    ("at", "at"),
    ("agent", "agentId"),
    ("amount", "amount"),
    ("to", "recipientAddress"),
    ("service", "serviceDomain"),
];
/// How many examples people see; machines get all.
const EXAMPLES_SHOWN: usize = 10;

/// Judges the past by `policy`, showing how far it is.
pub(super) fn run(gateway: &Gateway, policy: &Value, since: Option<&str>, output: Output) -> Result<(), CliError> {
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {percent}% of the journal, {msg}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut report = None;
    let body = json!({ "policy": policy, "since": since });
    let asked = gateway.lines("/api/policies/backtest", &body, |line| {
        let number = |path: &str| line.text_at(path).parse().unwrap_or_default();
        if line.at("progress").is_some() {
            bar.set_length(number("progress.records"));
            bar.set_position(number("progress.recordsDone"));
            bar.set_message(format!("{} decisions", line.text_at("progress.decisions")));
        } else if line.at("error").is_some() {
            return Err(CliError::new(line.text_at("error.message")));
        } else {
            report = line.at("report");
        }
        Ok(())
    });
    bar.finish_and_clear();
    asked?;
    let broken_off = || CliError::new("the gateway broke off before the report").help("is it still running?");
    output.answer(&report.ok_or_else(broken_off)?, words)
}

fn words(report: &Json) -> String {
    let text = |path: &str| report.text_at(path);
    if text("decisions.count") == "0" {
        return "no payment was approved in this time".to_owned();
    }
    let mut lines = vec![
        format!("{} payments of {} in all were approved", text("decisions.count"), text("decisions.amount")),
        format!("from {} to {}", text("from"), text("to")),
        String::new(),
        format!("{} of them, {}, would have been denied", text("denied.count"), text("denied.amount")),
        format!("{} was really paid of those", text("spent")),
    ];
    for (path, what) in [
        ("unknown", "cannot be told, since they fail for another reason than a limit"),
        ("deniedBefore", "were denied at the time, and are not judged"),
    ] {
        if text(&format!("{path}.count")) != "0" {
            lines.push(format!(
                "{} payments of {} {what}",
                text(&format!("{path}.count")),
                text(&format!("{path}.amount"))
            ));
        }
    }
    let sections = [("by rule", "byRule", ROWS), ("by agent", "byAgent", ROWS), ("by service", "byService", ROWS)];
    for (heading, path, columns) in sections.into_iter().chain([("the first of them", "examples", EXAMPLES)]) {
        let mut rows = report.at(path).map(|rows| rows.items()).unwrap_or_default();
        rows.truncate(if path == "examples" { EXAMPLES_SHOWN } else { usize::MAX });
        if !rows.is_empty() {
            lines.extend([String::new(), heading.to_owned(), table(&rows, columns, "")]);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_in_words() {
        let report = r#"{"policyId":"pol_1","from":"2026-11-16T09:00:00Z","to":"2026-11-16T10:00:00Z",
            "decisions":{"count":10,"amount":5.50},"denied":{"count":2,"amount":1.25},"spent":1.00,
            "unknown":{"count":0,"amount":0},"deniedBefore":{"count":3,"amount":9},
            "byRule":[{"name":"DAILY_LIMIT","count":2,"amount":1.25}],"byAgent":[],"byService":[],"examples":[]}"#;
        let words = words(&Json::parse(report).unwrap());
        for part in [
            "10 payments of 5.50",
            "2 of them, 1.25, would have been denied",
            "1.00 was really paid",
            "DAILY_LIMIT",
            "3 payments of 9 were denied at the time",
        ] {
            assert!(words.contains(part), "{part}\n{words}");
        }
        assert!(!words.contains("cannot be told") && !words.contains("by agent"), "{words}");
    }
}
