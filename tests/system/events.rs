//! Streams of events over connections that break and gateways that are killed.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    sync::mpsc,
    thread,
    time::Duration,
};

use holdfast::kernel::AuthorizationId;
use serde_json::Value;

use crate::{
    gateway::{Gateway, OPERATOR_KEY, Site},
    payer::{Payer, authorize, runtime},
};

/// The longest wait for an event that must come.
const COMES_WITHIN: Duration = Duration::from_secs(60);

/// An event as a stream tells it: the offset after it, and its body.
type Told = (String, Value);

/// Has every event sent that a stream tells until it ends or breaks.
fn read(site: &Site, key: &str, path: &str, told: &mpsc::Sender<Told>) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let url = format!("http://{}{path}", site.http_addr);
    let response = agent.get(&url).header("authorization", format!("Bearer {key}")).call().unwrap();
    assert_eq!(response.status(), 200, "{path}");
    let mut offset = String::new();
    for line in BufReader::new(response.into_body().into_reader()).lines() {
        let Ok(line) = line else { return };
        if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut offset);
        } else if let Some(data) = line.strip_prefix("data: ")
            // A line that a dying gateway cut is no event.
            && let Ok(body) = serde_json::from_str(data)
            && told.send((offset.clone(), body)).is_err()
        {
            return;
        }
    }
}

/// What is told from a place on, until there is nothing more.
fn all_from(site: &Site, key: &str, path: &str, from: &str) -> Vec<Told> {
    let (sender, receiver) = mpsc::channel();
    read(site, key, &format!("{path}?from={from}&follow=false"), &sender);
    drop(sender);
    receiver.iter().collect()
}

/// The ids of each agent's events, in the order in which they were told.
fn by_agent(told: &[Told]) -> BTreeMap<String, Vec<String>> {
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, body) in told {
        let agent = body["data"]["agentId"].as_str().unwrap_or_default().to_owned();
        ids.entry(agent).or_default().push(body["id"].as_str().unwrap().to_owned());
    }
    ids
}

fn pay(gateway: &Gateway<'_>, payers: &[Payer], ids: std::ops::Range<u128>) {
    runtime().block_on(async {
        for payer in payers {
            let (client, agent) = payer.connect(gateway.site).await;
            for id in ids.clone() {
                authorize(&client, agent, AuthorizationId(id), "").await;
            }
        }
    });
}

#[test]
fn a_reader_misses_nothing_and_hears_nothing_twice_when_the_gateway_is_killed() {
    let site = Site::new();
    let gateway = site.start();
    let payers = [Payer::new(&gateway), Payer::new(&gateway), Payer::new(&gateway)];
    for (key, path) in [(OPERATOR_KEY, "/api/events"), (&payers[0].key, "/api/sdk/events")] {
        // Nothing is told of what is not durable, so both kinds of readers are tried on a gateway that runs.
        assert!(!all_from(&site, key, path, "oldest").is_empty(), "{path}");
    }
    let mut told: Vec<Told> = Vec::new();
    let mut own: Vec<Told> = Vec::new();
    let mut gateway = Some(gateway);
    for round in 0..3_u128 {
        let (from, own_from) = (last_offset(&told), last_offset(&own));
        thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let (own_sender, own_receiver) = mpsc::channel();
            let (site, payers) = (&site, &payers);
            let all = scope.spawn(move || read(site, OPERATOR_KEY, &format!("/api/events?from={from}"), &sender));
            let one = scope
                .spawn(move || read(site, &payers[0].key, &format!("/api/sdk/events?from={own_from}"), &own_sender));
            pay(gateway.as_ref().unwrap(), payers, round * 100 + 1..round * 100 + 21);
            // Some of it arrives, and the gateway dies while the rest is on its way.
            told.push(receiver.recv_timeout(COMES_WITHIN).unwrap());
            own.push(own_receiver.recv_timeout(COMES_WITHIN).unwrap());
            gateway.take().unwrap().kill();
            all.join().unwrap();
            one.join().unwrap();
            told.extend(receiver);
            own.extend(own_receiver);
        });
        gateway = Some(site.start());
    }
    let gateway = gateway.unwrap();
    pay(&gateway, &payers, 1000..1010);
    // What is durable is told a moment later; the last change is acknowledged when it is durable.
    gateway.operator("PATCH", &format!("/api/agents/{}", payers[0].agent), &serde_json::json!({"name": "last"}));
    while !own.iter().any(|(_, body)| body["data"]["name"] == "last") {
        own.extend(all_from(&site, &payers[0].key, "/api/sdk/events", &last_offset(&own)));
    }
    told.extend(all_from(&site, OPERATOR_KEY, "/api/events", &last_offset(&told)));
    let whole = by_agent(&all_from(&site, OPERATOR_KEY, "/api/events", "oldest"));
    let heard = by_agent(&told);
    assert_eq!(heard.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (agent, ids) in &heard {
        // Payments may have become known between the two looks.
        assert_eq!(*ids, whole[agent][..ids.len()], "{agent}");
    }
    let heard_own = &by_agent(&own)[&payers[0].agent];
    let whole_own = &by_agent(&all_from(&site, &payers[0].key, "/api/sdk/events", "oldest"))[&payers[0].agent];
    assert_eq!(heard_own, whole_own);
}

fn last_offset(told: &[Told]) -> String {
    told.last().map_or_else(|| "oldest".to_owned(), |(offset, _)| offset.clone())
}

#[test]
fn a_gateway_that_is_told_to_stop_ends_its_streams_and_does_not_wait_for_their_readers() {
    let site = Site::new();
    let gateway = site.start();
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        let reading = scope.spawn(|| read(&site, OPERATOR_KEY, "/api/events?from=oldest", &sender));
        receiver.recv_timeout(COMES_WITHIN).unwrap();
        let begun = std::time::Instant::now();
        assert!(gateway.stop().success());
        // The drain time of the configuration is longer.
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        reading.join().unwrap();
    });
}
