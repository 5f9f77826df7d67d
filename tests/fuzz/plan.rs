//! One request: which operation, and what of it is as it should be.

use serde_json::Value;

use crate::{
    PAYMENT_WEIGHT,
    document::{Document, Operation},
    generate::Generator,
    mutate::{mutated, written},
    odd,
    site::Site,
};

const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];

/// The wallet of every agent under test.
const WALLET: &str = "wal_123";

/// A request that will be sent.
pub(crate) struct Plan {
    pub(crate) operation: Operation,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// It may reach another operation than it was made for, or none.
    pub(crate) goes_elsewhere: bool,
    /// The HTTP library may refuse it before the gateway sees it.
    pub(crate) is_no_http: bool,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(2000).collect();
        writeln!(f, "{:?}: {} {}", self.operation, self.method, self.path)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.chars().take(200).collect::<String>())?;
        }
        write!(f, "{body}")
    }
}

impl Plan {
    /// A request that is as it should be.
    pub(crate) fn valid(document: &Document, operation: &Operation, site: &mut Site, body: Option<String>) -> Plan {
        let mut path = operation.path.clone();
        for parameter in operation.parameters("path") {
            let name = parameter["name"].as_str().unwrap();
            path = path.replace(&format!("{{{name}}}"), &id_in_path(document, &parameter["schema"], site));
        }
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", site.gateway.operator))];
        if operation.path.starts_with("/api/sdk/") || operation.path == "/api/policies/simulate" {
            headers.push(("x-holdfast-agent".to_owned(), site.agent.id.clone()));
        }
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        Plan {
            operation: operation.clone(),
            method: operation.method.clone(),
            path,
            headers,
            body: body.unwrap_or_default().into_bytes(),
            goes_elsewhere: false,
            is_no_http: false,
        }
    }

    /// A request that is good in most things.
    pub(crate) fn random(document: &Document, site: &mut Site) -> Plan {
        let operation = operation(document, site);
        let body = operation
            .body()
            .map(|schema| Generator { document, random: &mut site.random, known: &site.known }.value(schema, "", 0));
        let mut plan = Plan::valid(document, &operation, site, None);
        plan.body = match body {
            // A body that may be left out.
            None | Some(Value::Null) => Vec::new(),
            Some(body) if site.random.chance(45) => mutated(&mut site.random, body),
            Some(body) => written(&body),
        };
        plan.add_query(document, site);
        match site.random.below(100) {
            0..=3 => plan.change_method(site),
            4..=9 => plan.change_path(site),
            10..=17 => plan.change_caller(site),
            18..=20 => plan.set(
                "content-type",
                site.random.pick(&["text/plain", "", "application/xml", "application/json; charset=latin1"]),
            ),
            21..=25 => {
                let key = site.random.pick(&["again", "", "é", "another"]);
                let key = if site.random.chance(10) { "x".repeat(257) } else { key.to_owned() };
                plan.headers.push(("idempotency-key".to_owned(), key));
            }
            _ => {}
        }
        plan
    }

    fn add_query(&mut self, document: &Document, site: &mut Site) {
        let mut query: Vec<String> = Vec::new();
        for parameter in self.operation.parameters("query") {
            if site.random.chance(30) {
                let mut generator = Generator { document, random: &mut site.random, known: &site.known };
                let value = generator.value(&parameter["schema"], "", 0);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                query.push(format!("{}={}", parameter["name"].as_str().unwrap(), text.replace(['/', ':', ' '], "%20")));
            }
        }
        if site.random.chance(8) {
            query.push(site.random.pick(&odd::QUERIES).to_owned());
        }
        if !query.is_empty() {
            self.path = format!("{}?{}", self.path, query.join("&"));
        }
    }

    fn change_method(&mut self, site: &mut Site) {
        self.method = site.random.pick(&METHODS).to_owned();
        self.goes_elsewhere = true;
    }

    fn change_path(&mut self, site: &mut Site) {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
        let place = site.random.between(1, parts.len() as u64 - 1) as usize;
        parts[place] = if site.random.chance(5) { "x".repeat(5000) } else { site.random.pick(&odd::IDS).to_owned() };
        self.path = format!("{}?{query}", parts.join("/"));
        self.goes_elsewhere = true;
        self.is_no_http = true;
    }

    fn change_caller(&mut self, site: &mut Site) {
        let agents_key = format!("Bearer {}", site.agent.key);
        match site.random.below(7) {
            0 | 1 => self.set("authorization", &agents_key),
            6 => self.set("authorization", &format!("Bearer {}", site.weak)),
            2 => self.headers.retain(|(name, _)| name != "authorization"),
            3 => self.set("authorization", site.random.pick(&["Bearer ", "Bearer x", "Basic eDp5", "é", "Bearer \t"])),
            4 => {
                self.set("x-holdfast-agent", site.random.pick(&["", "x", "agt_00000000000000000000000000000001", "é"]))
            }
            _ => self.headers.retain(|(name, _)| name != "x-holdfast-agent"),
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// The first lines of the request.
    pub(crate) fn head(&self) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            self.method,
            self.path,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }
}

/// Any operation, those about payments more often.
fn operation(document: &Document, site: &mut Site) -> Operation {
    let mut operation = site.random.pick(&document.operations);
    for _ in 1..PAYMENT_WEIGHT {
        let acts_on_payments = operation.path.starts_with("/api/sdk/") && operation.method == "POST";
        if !acts_on_payments {
            operation = site.random.pick(&document.operations);
        }
    }
    operation
}

/// An id for a place in a path: of the kind that the document says, or the one name of a wallet that the test gave.
fn id_in_path(document: &Document, schema: &Value, site: &mut Site) -> String {
    if document.resolved(schema).get("pattern").is_none() {
        return WALLET.to_owned();
    }
    let mut generator = Generator { document, random: &mut site.random, known: &site.known };
    generator.value(schema, "", 0).as_str().unwrap_or(WALLET).to_owned()
}
