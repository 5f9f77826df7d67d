//! A receiver of webhooks: a plain HTTP server that answers as it is told and remembers what it was sent.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    pin::pin,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// The longest wait for a delivery that must come.
const COMES_WITHIN: Duration = Duration::from_secs(30);

/// A delivery as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// By names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Delivery {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn kind(&self) -> &str {
        &self.headers["x-conto-event"]
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.headers["x-conto-delivery-attempt"].parse().unwrap()
    }
}

/// What is answered to a delivery: a status line and headers, or nothing for ever.
pub(crate) type Answer = Option<String>;

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Got>,
}

/// What arrived so far.
#[derive(Default)]
struct Got {
    deliveries: Mutex<Vec<Delivery>>,
    /// Rings when another one has arrived.
    news: Notify,
}

pub(crate) fn status(code: u16) -> Answer {
    Some(format!("HTTP/1.1 {code} Whatever\r\n"))
}

impl Receiver {
    /// One whose answer to each delivery follows from it and from how many came before.
    pub(crate) fn new(answer: impl Fn(&Delivery, usize) -> Answer + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (got, answer) = (Arc::<Got>::default(), Arc::new(answer));
        let receiver = Receiver { url, got: Arc::clone(&got) };
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (got, answer) = (Arc::clone(&got), Arc::clone(&answer));
                thread::spawn(move || serve(connection, &got, &*answer));
            }
        });
        receiver
    }

    pub(crate) fn got(&self) -> Vec<Delivery> {
        self.got.deliveries.lock().unwrap().clone()
    }

    /// What arrived, once it is so much.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        self.wait_until(|got| got.len() >= count).await
    }

    /// What arrived, once it is as wanted.
    pub(crate) async fn wait_until(&self, wanted: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let end = Instant::now() + COMES_WITHIN;
        loop {
            // Listens before it looks, so that nothing arrives in between unheard.
            let mut news = pin!(self.got.news.notified());
            news.as_mut().enable();
            let got = self.got();
            if wanted(&got) {
                return got;
            }
            assert!(timeout_at(end, news).await.is_ok(), "{got:#?}");
        }
    }
}

fn serve(connection: TcpStream, got: &Got, answer: &dyn Fn(&Delivery, usize) -> Answer) {
    let mut reader = BufReader::new(connection);
    while let Some(delivery) = read(&mut reader) {
        let before = {
            let mut deliveries = got.deliveries.lock().unwrap();
            deliveries.push(delivery.clone());
            deliveries.len() - 1
        };
        got.news.notify_waiters();
        match answer(&delivery, before) {
            Some(head) => {
                let answer = format!("{head}content-length: 0\r\n\r\n");
                if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
            // The sender gives up; it closes the connection then.
            None => _ = reader.get_mut().read(&mut [0; 1]),
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Delivery> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    assert!(line.starts_with("POST /hook HTTP/1.1"), "{line}");
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Delivery { headers, body: String::from_utf8(body).unwrap() })
}
