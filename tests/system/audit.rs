//! The commands of the audit: what happened is listed and exported across a crash, and an export that was touched is found.

use std::fs;

use serde_json::json;

use crate::gateway::Site;

/// The exit code for what should prove itself and does not.
const BROKEN: i32 = 5;

#[test]
fn an_export_is_proven_without_a_gateway_and_what_was_touched_is_named() {
    let site = Site::new();
    let agent = |gateway: &crate::gateway::Gateway<'_>, name: &str| {
        gateway.operator("POST", "/api/agents", &json!({ "name": name }));
    };
    let gateway = site.start();
    agent(&gateway, "before");
    gateway.kill();
    let gateway = site.start();
    agent(&gateway, "after");

    let made = site.json(&["audit", "list", "--action", "CREATE", "--resource", "agent"]);
    let names: Vec<&str> =
        made["entries"].as_array().unwrap().iter().map(|entry| entry["newState"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["after", "before", "demo"], "{made:#}");
    let refused = site.run(&["audit", "list", "--action", "CREATE&limit=1"]);
    assert_eq!(refused.status.code(), Some(2), "wrong usage");

    let file = site.directory.path().join("audit.jsonl");
    let path = file.to_str().unwrap();
    assert!(site.run(&["audit", "export", path]).status.success());
    gateway.stop();
    let proven = site.json(&["audit", "verify", path]);
    assert_eq!(proven["valid"], true);
    assert!(proven["entries"].as_u64().unwrap() > 5, "{proven}");

    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let place = lines.iter().position(|line| line.contains(r#""before""#)).unwrap();
    let mut without = lines.clone();
    without.remove(place);
    for (what, touched) in [("changed", whole.replace(r#""before""#, r#""behind""#)), ("removed", without.join("\n"))] {
        fs::write(&file, touched).unwrap();
        let found = site.run(&["audit", "verify", path]);
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert_eq!(found.status.code(), Some(BROKEN), "{what}: {said}");
        assert!(said.contains(&format!("line {}", place + 1)), "{what}: {said}");
    }
}
