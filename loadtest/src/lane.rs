//! The load on one connection: a writer that sends what is due and a reader that counts the answers, neither of which waits for
//! the other, so that a full connection cannot stall both.

use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use holdfast::{kernel::Amount, wire::Handle};
use tokio::sync::Notify;

use crate::{
    book::Book,
    pace::Pace,
    plan::Plan,
    tally::{Counts, Tally},
    transport::{Answer, Ask, Broken, Errand, Link, Reader, Writer},
};

/// What is counted where an answer does not fit the request.
const UNEXPECTED: &str = "UNEXPECTED_REPLY";

/// An agent that pays over this lane and over no other, and what was told about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payer {
    /// Its number in the load test.
    pub(crate) number: u32,
    pub(crate) handle: Handle,
    pub(crate) book: Book,
}

/// What a lane is to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    pub(crate) plan: Plan,
    pub(crate) pace: Pace,
    /// The most requests that wait for an answer.
    pub(crate) in_flight_max: u32,
    /// A frame waits for so many requests; 1 for none.
    pub(crate) per_frame: u32,
    pub(crate) captures: f64,
    pub(crate) amount: Amount,
    /// Different in each lane of each run; the upper half of every id.
    pub(crate) id_prefix: u64,
}

/// What others may see of a lane while it runs.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) decided: AtomicU64,
    pub(crate) captured: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) in_flight: AtomicU64,
}

/// A request that waits for its answer.
#[derive(Clone, Copy)]
struct Asked {
    /// The position of the payer.
    payer: u32,
    id: u128,
    errand: Errand,
    /// When it should have been sent.
    due: u64,
}

/// What writer and reader share; they run on one thread.
struct Shared {
    orders: Orders,
    payers: Vec<Payer>,
    tally: Tally,
    /// By tag.
    asked: Vec<Option<Asked>>,
    free: Vec<u32>,
    in_flight: u32,
    /// Approvals that are to be captured.
    to_capture: VecDeque<(u32, u128)>,
    /// Captures that the share asks for and that were not chosen yet.
    captures_owed: f64,
    next_payer: u32,
    next_id: u64,
    /// Requests that were due so far.
    sent: u64,
    /// Nothing more will be sent.
    is_over: bool,
    /// What went wrong with the connection.
    broken: Option<Broken>,
}

/// What a lane has found out.
pub(crate) struct Outcome {
    pub(crate) payers: Vec<Payer>,
    pub(crate) tally: Tally,
    pub(crate) broken: Option<Broken>,
}

/// Runs the plan on one stream, to the last answer or until answers take too long.
pub(crate) async fn run<W: Writer, R: Reader>(
    Link { mut writer, mut reader }: Link<W, R>,
    payers: Vec<Payer>,
    orders: Orders,
    wake: Arc<Notify>,
    live: Arc<Live>,
) -> Outcome {
    let shared = RefCell::new(Shared::new(orders, payers));
    let finished = Notify::new();
    let write = async {
        tokio::time::sleep_until(orders.plan.start.into()).await;
        let result = write(&mut writer, &shared, &wake, &live).await;
        if shared.borrow_mut().stop(result.err()) {
            finished.notify_one();
        }
        std::future::pending::<()>().await;
    };
    let read = async {
        if let Err(error) = read(&mut reader, &shared, &wake, &live).await {
            shared.borrow_mut().broken.get_or_insert(error);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
        () = finished.notified() => {}
        () = tokio::time::sleep_until(orders.plan.last_answers().into()) => {}
    }
    shared.into_inner().outcome()
}

async fn write(writer: &mut impl Writer, shared: &RefCell<Shared>, wake: &Notify, live: &Live) -> Result<(), Broken> {
    loop {
        let more = shared.borrow_mut().fill(writer);
        live.in_flight.store(u64::from(shared.borrow().in_flight), Ordering::Relaxed);
        writer.flush().await?;
        match more {
            More::Now => {}
            More::Later => wake.notified().await,
            More::Never => return Ok(()),
        }
    }
}

async fn read(reader: &mut impl Reader, shared: &RefCell<Shared>, wake: &Notify, live: &Live) -> Result<(), Broken> {
    loop {
        let mut now = None;
        reader
            .read(|tag, answer| {
                let mut shared = shared.borrow_mut();
                let now = *now.get_or_insert_with(|| shared.orders.plan.now());
                shared.answered(tag, answer, now);
            })
            .await?;
        let shared = shared.borrow();
        shared.publish(live);
        if shared.is_over && shared.in_flight == 0 {
            return Ok(());
        }
        wake.notify_one();
    }
}

/// Whether there is more to send.
enum More {
    /// Another frame can be filled at once.
    Now,
    /// When an answer comes or a request is due.
    Later,
    /// The plan is over.
    Never,
}

impl Shared {
    fn new(orders: Orders, payers: Vec<Payer>) -> Shared {
        Shared {
            orders,
            payers,
            tally: Tally::new(),
            asked: vec![None; orders.in_flight_max as usize],
            free: (0..orders.in_flight_max).rev().collect(),
            in_flight: 0,
            to_capture: VecDeque::new(),
            captures_owed: 0.0,
            next_payer: 0,
            next_id: 0,
            sent: 0,
            is_over: false,
            broken: None,
        }
    }

    /// Adds to the next frame what may be sent by now.
    fn fill(&mut self, writer: &mut impl Writer) -> More {
        let now = self.orders.plan.now();
        if now >= self.orders.plan.end || self.payers.is_empty() {
            return More::Never;
        }
        let room = self.free.len() as u64;
        let ready = self.orders.pace.due(now).map_or(room, |due| room.min(due - self.sent));
        let frame = u64::from(self.orders.per_frame);
        // Without a frame size of its own, a frame takes whatever is ready.
        let count = if frame == 1 {
            ready
        } else if ready >= frame {
            frame
        } else {
            0
        };
        for _ in 0..count {
            let due = self.orders.pace.moment(self.sent).unwrap_or(now);
            self.ask(due, writer);
        }
        self.tally.frames += u64::from(count > 0);
        if frame > 1 && ready - count >= frame { More::Now } else { More::Later }
    }

    fn ask(&mut self, due: u64, writer: &mut impl Writer) {
        let Some(tag) = self.free.pop() else { return };
        let asked = match self.to_capture.pop_front() {
            Some((payer, id)) => Asked { payer, id, errand: Errand::Capture, due },
            None => self.next_payment(due),
        };
        let Payer { number: agent, handle, .. } = self.payers[asked.payer as usize];
        let ask = Ask { agent, handle, id: asked.id, amount: self.orders.amount, errand: asked.errand };
        writer.push(tag, &ask);
        self.asked[tag as usize] = Some(asked);
        self.in_flight += 1;
        self.sent += 1;
    }

    fn next_payment(&mut self, due: u64) -> Asked {
        let payer = self.next_payer;
        self.next_payer = (payer + 1) % self.payers.len() as u32;
        self.next_id += 1;
        let id = u128::from(self.orders.id_prefix) << 64 | u128::from(self.next_id);
        Asked { payer, id, errand: Errand::Pay, due }
    }

    /// Books one answer.
    fn answered(&mut self, tag: u32, answer: Answer<'_>, now: u64) {
        let Some(asked) = self.asked.get_mut(tag as usize).and_then(Option::take) else {
            return self.tally.count_code("UNKNOWN_TAG", 1);
        };
        self.free.push(tag);
        self.in_flight -= 1;
        let mut counts = Counts::default();
        let book = &mut self.payers[asked.payer as usize].book;
        match (answer, asked.errand) {
            (Answer::Approved, Errand::Pay) => {
                counts.approved = 1;
                book.approved.count += 1;
                self.choose_capture(&asked);
            }
            (Answer::Denied { code }, Errand::Pay) => {
                counts.denied = 1;
                self.tally.count_code(code, 1);
            }
            (Answer::Captured { amount, late: false }, Errand::Capture) if amount == self.orders.amount => {
                counts.captured = 1;
                book.captured.count += 1;
            }
            (Answer::Error { code }, Errand::Pay | Errand::Capture) => {
                counts.errors = 1;
                self.tally.count_code(code, 1);
            }
            // Whatever it was, it may have been carried out.
            (Answer::Unclear { code }, errand) => {
                counts.errors = 1;
                self.tally.count_code(code, 1);
                book.unanswered(errand);
            }
            (Answer::Approved | Answer::Denied { .. } | Answer::Captured { .. }, errand) => {
                counts.errors = 1;
                self.tally.count_code(UNEXPECTED, 1);
                book.unanswered(errand);
            }
        }
        self.tally.total.add(&counts);
        if self.orders.plan.is_measured(now) {
            self.tally.measured.add(&counts);
        }
        if self.orders.plan.is_measured(asked.due) {
            let latencies = match asked.errand {
                Errand::Pay => &mut self.tally.authorize,
                Errand::Capture => &mut self.tally.capture,
            };
            latencies.saturating_record(now.saturating_sub(asked.due).max(1));
        }
    }

    /// Nothing more is sent; says whether nothing more can come either.
    fn stop(&mut self, broken: Option<Broken>) -> bool {
        self.is_over = true;
        self.broken = broken;
        self.in_flight == 0 || self.broken.is_some()
    }

    fn choose_capture(&mut self, approved: &Asked) {
        self.captures_owed += self.orders.captures;
        if self.captures_owed >= 1.0 {
            self.captures_owed -= 1.0;
            self.to_capture.push_back((approved.payer, approved.id));
        }
    }

    fn publish(&self, live: &Live) {
        let total = &self.tally.total;
        live.decided.store(total.decided(), Ordering::Relaxed);
        live.captured.store(total.captured, Ordering::Relaxed);
        live.errors.store(total.errors, Ordering::Relaxed);
    }

    fn outcome(mut self) -> Outcome {
        for asked in self.asked.iter().flatten() {
            self.tally.unanswered += 1;
            self.payers[asked.payer as usize].book.unanswered(asked.errand);
        }
        Outcome { payers: self.payers, tally: self.tally, broken: self.broken }
    }
}
