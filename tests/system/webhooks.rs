//! Webhooks over gateways that are killed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, OPERATOR_KEY, Site},
    payer::{Payer, runtime, text},
    receiver::{Delivery, Receiver, status},
};

const ROUNDS: usize = 3;
const RENAMES: usize = 30;

/// Renames agents again and again; each is answered when it is durable.
fn rename(gateway: &Gateway<'_>, payers: &[Payer], round: usize) {
    for number in 0..RENAMES {
        let payer = &payers[number % payers.len()];
        let name = json!({"name": format!("{round}/{number}")});
        gateway.operator("PATCH", &format!("/api/agents/{}", payer.agent), &name);
    }
}

/// The ids of each agent's deliveries, in the order in which each came first.
fn first_times(got: &[Delivery]) -> BTreeMap<String, Vec<String>> {
    let (mut seen, mut ids): (_, BTreeMap<String, Vec<String>>) = (BTreeSet::new(), BTreeMap::new());
    for delivery in got.iter().filter(|one| seen.insert(one.id().to_owned())) {
        ids.entry(text(&delivery.json()["data"], "agentId")).or_default().push(delivery.id().to_owned());
    }
    ids
}

#[test]
fn every_event_arrives_in_order_although_the_gateway_is_killed() {
    let mut site = Site::new();
    site.environment =
        vec![("HOLDFAST_WEBHOOKS__ALLOW_PRIVATE_ADDRESSES", "true"), ("HOLDFAST_WEBHOOKS__ALLOW_HTTP", "true")];
    let site = site;
    // Some deliveries are not taken at first, so they wait when the gateway dies.
    let receiver = Receiver::new(|_, before| status(if matches!(before, 3 | 40) { 500 } else { 200 }));
    let mut gateway = site.start();
    let payers = [Payer::new(&gateway), Payer::new(&gateway), Payer::new(&gateway)];
    let webhook = json!({"url": receiver.url, "events": ["agent.updated"]});
    let webhook = gateway.operator("POST", "/api/webhooks", &webhook);
    for round in 0..ROUNDS {
        rename(&gateway, &payers, round);
        runtime().block_on(receiver.wait_for(1 + 10 * round));
        gateway.kill();
        gateway = site.start();
    }
    let most = ROUNDS * RENAMES;
    let arrived = |got: &[Delivery]| got.iter().map(|one| one.id().to_owned()).collect::<BTreeSet<_>>().len() >= most;
    let got = runtime().block_on(receiver.wait_until(arrived));
    let told = events(&gateway);
    assert_eq!(first_times(&got), told);
    let path = format!("/api/webhooks/{}/dead-letters", text(&webhook, "id"));
    assert_eq!(gateway.operator("GET", &path, &Value::Null)["deadLetters"], json!([]));
    // A gateway that stops in good order keeps how far it was: nothing comes twice.
    assert!(gateway.stop().success());
    let before = receiver.got().len();
    let gateway = site.start();
    rename(&gateway, &payers[..1], ROUNDS);
    let most = most + RENAMES;
    let arrived = |got: &[Delivery]| got.iter().map(|one| one.id().to_owned()).collect::<BTreeSet<_>>().len() >= most;
    let got = runtime().block_on(receiver.wait_until(arrived));
    let again = got[before..].iter().filter(|one| got[..before].iter().any(|old| old.id() == one.id())).count();
    assert_eq!(again, 0, "nothing that was delivered before the stop");
}

/// What the stream tells of the same events.
fn events(gateway: &Gateway<'_>) -> BTreeMap<String, Vec<String>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let path = format!("http://{}/api/events?from=oldest&follow=false&types=agent.updated", gateway.site.http_addr);
    let request = agent.get(&path).header("authorization", format!("Bearer {OPERATOR_KEY}"));
    let stream = request.call().unwrap().body_mut().read_to_string().unwrap();
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let body: Value = serde_json::from_str(data).unwrap();
        ids.entry(text(&body["data"], "agentId")).or_default().push(text(&body, "id"));
    }
    ids
}
