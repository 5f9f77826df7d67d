//! Lists of sanctions, from a file into a running gateway and over its death.

use std::fs;

use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Site},
    payer::{Payer, text},
};

/// What stands against a payment to this address; nothing where it is approved.
fn against(site: &Site, payer: &Payer, recipient: &str) -> Value {
    let output = site.run(&["authorize", "0.01", "--to", recipient, "--key", &payer.key, "--json"]);
    let decision: Value = serde_json::from_slice(&output.stdout).unwrap();
    decision["violations"][0]["type"].clone()
}

fn loaded(gateway: &Gateway<'_>) -> Value {
    gateway.operator("GET", "/api/sanctions", &Value::Null)
}

#[test]
fn a_list_is_loaded_and_replaced_and_outlives_its_process() {
    let site = Site::new();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    assert_eq!(gateway.operator("GET", "/api/status", &Value::Null)["sanctions"]["checked"], false);
    assert_eq!(against(&site, &payer, "0xbad"), Value::Null);

    let file = site.directory.path().join("list.csv");
    let path = file.to_str().unwrap();
    fs::write(&file, "address,currency\n0xBAD,ETH\n12QtD5,XBT\n").unwrap();
    let first = site.json(&["sanctions", "load", path]);
    assert_eq!((&first["addresses"], text(&first, "source")), (&json!(2), "list.csv".to_owned()));
    assert_eq!(against(&site, &payer, "0xbad"), "SANCTIONED");
    assert_eq!(against(&site, &payer, "0xworse"), Value::Null);
    // What was told is so after the process is killed.
    gateway.kill();
    let gateway = site.start();
    assert_eq!(loaded(&gateway), first);
    assert_eq!(against(&site, &payer, "0xbad"), "SANCTIONED");

    fs::write(&file, "{\"address\":\"0xworse\"}\n{\"country\":\"KP\"}\n").unwrap();
    let second = site.json(&["sanctions", "load", path, "--source", "November"]);
    assert_eq!((&second["addresses"], &second["countries"]), (&json!(1), &json!(1)));
    assert_eq!(against(&site, &payer, "0xbad"), Value::Null);
    assert_eq!(against(&site, &payer, "0xworse"), "SANCTIONED");
    // A file that means nothing changes nothing, and says where.
    fs::write(&file, "0xbad\nsome words\n").unwrap();
    let output = site.run(&["sanctions", "load", path]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"), "{output:?}");
    gateway.kill();
    let gateway = site.start();
    assert_eq!(loaded(&gateway), second);
    assert_eq!(site.json(&["sanctions", "show"]), second);
    assert_eq!(site.json(&["sanctions", "remove"])["checked"], false);
    assert!(gateway.stop().success());
    let gateway = site.start();
    assert_eq!(loaded(&gateway)["checked"], false);
    assert_eq!(against(&site, &payer, "0xworse"), Value::Null);
    drop(gateway);
}

#[test]
fn a_file_of_the_configuration_is_loaded_at_the_start_and_a_broken_one_keeps_it_from_serving() {
    let mut site = Site::new();
    let file = site.directory.path().join("sdn.csv");
    site.environment.push(("HOLDFAST_SANCTIONS__FILE", "sdn.csv"));
    fs::write(&file, "9,\"SOMEBODY\",\"Digital Currency Address - ETH 0xBad;\"\n").unwrap();
    let gateway = site.start();
    let payer = Payer::new(&gateway);
    let first = loaded(&gateway);
    assert_eq!((&first["addresses"], text(&first, "loadedBy")), (&json!(1), "configuration".to_owned()));
    assert_eq!(against(&site, &payer, "0xbad"), "SANCTIONED");
    assert!(gateway.stop().success());
    let gateway = site.start();
    assert_eq!(loaded(&gateway), first, "the same list is not loaded again");
    assert!(gateway.stop().success());
    fs::write(&file, "nobody, really\nsome words\n").unwrap();
    let output = site.serve_command().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("sdn.csv"), "{output:?}");
}
