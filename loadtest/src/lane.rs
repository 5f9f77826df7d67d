//! The load on one connection: a writer that sends what is due and a reader that counts the answers, neither of which waits for
//! the other, so that a full connection cannot stall both.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use holdfast::kernel::Amount;
use tokio::sync::Notify;

use crate::{
    book::{Book, Payer, Told},
    fleet::LanePlan,
    mix::Dealer,
    pace::Pace,
    record::Counts,
    tally::{Kind, Tally},
    transport::{Answer, Ask, Broken, Errand, Link, Payment, Reader, UNEXPECTED, Writer},
};

/// What a lane is to ask.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) pace: Pace,
    /// The most requests that wait for an answer.
    pub(crate) in_flight_max: u32,
    /// A frame waits for so many requests; 1 for none.
    pub(crate) per_frame: u32,
    pub(crate) captures: f64,
    /// Captures wait until there are so many.
    pub(crate) capture_batch: usize,
    /// Payments are asked for in the warm-up only, and nothing but their captures after it.
    pub(crate) captures_only: bool,
    pub(crate) amount: Amount,
    pub(crate) dealer: Dealer,
    /// Different in each lane of each run; the upper half of every id.
    pub(crate) id_prefix: u64,
}

/// What threads outside share with a lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct LaneHandles {
    pub(crate) live: Arc<Live>,
    /// Something may be due.
    pub(crate) wake: Arc<Notify>,
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
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// The position of the payer.
    payer: u32,
    id: u128,
    errand: Errand,
    /// When it should have been sent, and when it was.
    due: u64,
    sent: u64,
}

/// What one connection asks, and what it was told. It outlives its connection: after a crash it goes on over another.
#[derive(Debug)]
pub(crate) struct Lane {
    orders: Orders,
    handles: LaneHandles,
    payers: Vec<Payer>,
    /// The share of the first payer, where it has one of its own.
    hot_share: Option<f64>,
    /// Of all lanes of the thread.
    tally: Rc<RefCell<Tally>>,
    counts: Counts,
    /// By tag.
    asked: Vec<Option<Asked>>,
    free: Vec<u32>,
    in_flight: u32,
    /// Approvals that are to be captured, and sessions that are to be closed.
    follow_ups: VecDeque<(u32, u128, Errand)>,
    /// How many of them are to be asked before the next payment.
    batch_left: usize,
    next_payer: u32,
    next_id: u64,
    /// Requests that were due so far.
    sent: u64,
    /// Nothing more will be sent.
    is_over: bool,
}

/// Runs the lane on one connection: to the last answer, or until answers take too long, the connection breaks or it is halted,
/// because whoever should answer is gone.
pub(crate) async fn run<W: Writer, R: Reader>(
    Link { mut writer, mut reader }: Link<W, R>,
    lane: Lane,
    halted: impl Future<Output = ()>,
) -> (Lane, Option<Broken>) {
    let (plan, handles) = (lane.tally.borrow().plan, lane.handles.clone());
    let lane = RefCell::new(lane);
    let broken = Cell::new(None);
    let finished = Notify::new();
    let write = async {
        tokio::time::sleep_until(plan.start.into()).await;
        let result = write(&mut writer, &lane, &handles).await;
        if lane.borrow_mut().stop() || result.is_err() {
            finished.notify_one();
        }
        broken.set(result.err());
        std::future::pending::<()>().await;
    };
    let read = async {
        if let Err(error) = read(&mut reader, &lane, &handles).await {
            broken.set(Some(error));
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
        () = finished.notified() => {}
        () = halted => {}
        () = tokio::time::sleep_until(plan.last_answers().into()) => {}
    }
    let mut lane = lane.into_inner();
    lane.give_up();
    (lane, broken.take())
}

async fn write(writer: &mut impl Writer, lane: &RefCell<Lane>, handles: &LaneHandles) -> Result<(), Broken> {
    loop {
        let more = lane.borrow_mut().fill(writer);
        handles.live.in_flight.store(u64::from(lane.borrow().in_flight), Ordering::Relaxed);
        writer.flush().await?;
        match more {
            More::Now => {}
            More::Later => handles.wake.notified().await,
            More::Never => return Ok(()),
        }
    }
}

async fn read(reader: &mut impl Reader, lane: &RefCell<Lane>, handles: &LaneHandles) -> Result<(), Broken> {
    loop {
        let mut now = None;
        reader
            .read(|tag, answer| {
                let mut lane = lane.borrow_mut();
                let now = *now.get_or_insert_with(|| lane.tally.borrow().plan.now());
                lane.answered(tag, answer, now);
            })
            .await?;
        let lane = lane.borrow();
        lane.publish();
        if lane.is_over && lane.in_flight == 0 {
            return Ok(());
        }
        handles.wake.notify_one();
    }
}

/// What may be asked at the time.
#[derive(Clone, Copy)]
enum Phase {
    All,
    Payments,
    /// Captures, and closings of sessions.
    FollowUps,
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

impl Lane {
    pub(crate) fn new(plan: LanePlan, orders: Orders, handles: LaneHandles, tally: Rc<RefCell<Tally>>) -> Lane {
        Lane {
            handles,
            payers: plan.payers,
            hot_share: plan.hot_share,
            tally,
            counts: Counts::default(),
            asked: vec![None; orders.in_flight_max as usize],
            free: (0..orders.in_flight_max).rev().collect(),
            orders,
            in_flight: 0,
            follow_ups: VecDeque::new(),
            batch_left: 0,
            next_payer: 0,
            next_id: 0,
            sent: 0,
            is_over: false,
        }
    }

    /// What was told about each payer.
    pub(crate) fn into_payers(self) -> Vec<Payer> {
        self.payers
    }

    /// Adds to the next frame what may be sent by now.
    fn fill(&mut self, writer: &mut impl Writer) -> More {
        let plan = self.tally.borrow().plan;
        let now = plan.now();
        if now >= plan.end || self.payers.is_empty() {
            return More::Never;
        }
        let phase = match (self.orders.captures_only, now < plan.measured_from) {
            (false, _) => Phase::All,
            (true, true) => Phase::Payments,
            (true, false) => Phase::FollowUps,
        };
        let room = match phase {
            Phase::All | Phase::Payments => self.free.len(),
            Phase::FollowUps => self.free.len().min(self.follow_ups.len()),
        } as u64;
        let ready = self.orders.pace.due(now).map_or(room, |due| room.min(due.saturating_sub(self.sent)));
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
            self.ask(phase, due, now, writer);
        }
        let mut tally = self.tally.borrow_mut();
        tally.asked += count;
        tally.frames += u64::from(count > 0);
        if frame > 1 && ready - count >= frame { More::Now } else { More::Later }
    }

    fn ask(&mut self, phase: Phase, due: u64, sent: u64, writer: &mut impl Writer) {
        let Some(tag) = self.free.pop() else { return };
        let (payer, id, errand) = self.next_follow_up(phase).unwrap_or_else(|| self.next_payment());
        let Payer { number: agent, handle, .. } = self.payers[payer as usize];
        writer.push(tag, &Ask { agent, handle, id, amount: self.orders.amount, errand });
        self.asked[tag as usize] = Some(Asked { payer, id, errand, due, sent });
        self.in_flight += 1;
        self.sent += 1;
    }

    /// A capture or a closing, once there are enough for a batch.
    fn next_follow_up(&mut self, phase: Phase) -> Option<(u32, u128, Errand)> {
        if self.batch_left == 0 {
            self.batch_left = match phase {
                Phase::Payments => return None,
                Phase::All if self.follow_ups.len() < self.orders.capture_batch => return None,
                Phase::All => self.orders.capture_batch,
                Phase::FollowUps => self.follow_ups.len(),
            };
        }
        self.batch_left = self.batch_left.saturating_sub(1);
        self.follow_ups.pop_front()
    }

    fn next_payment(&mut self) -> (u32, u128, Errand) {
        self.next_id += 1;
        let id = u128::from(self.orders.id_prefix) << 64 | u128::from(self.next_id);
        (self.choose_payer(), id, Errand::Pay(self.orders.dealer.payment()))
    }

    fn choose_payer(&mut self) -> u32 {
        let mut first = 0;
        if let Some(share) = self.hot_share {
            if self.payers.len() == 1 || self.orders.dealer.chance(share) {
                return 0;
            }
            first = 1;
        }
        let payer = self.next_payer.max(first);
        self.next_payer = (payer + 1) % self.payers.len() as u32;
        payer
    }

    /// Books one answer.
    fn answered(&mut self, tag: u32, answer: Answer<'_>, now: u64) {
        let Some(asked) = self.asked.get_mut(tag as usize).and_then(Option::take) else {
            return self.tally.borrow_mut().count_code("UNKNOWN_TAG", 1);
        };
        self.free.push(tag);
        self.in_flight -= 1;
        let counts = self.booked(&asked, answer, now);
        self.counts.approved += counts.approved;
        self.counts.denied += counts.denied;
        self.counts.captured += counts.captured;
        self.counts.errors += counts.errors;
        let kind = match asked.errand {
            Errand::Pay(_) => Kind::Authorize,
            Errand::Capture => Kind::Capture,
            Errand::Close => Kind::Other,
        };
        self.tally.borrow_mut().answered(kind, &counts, asked.due, now);
    }

    /// Writes the answer in the payer's book, and says how it counts.
    fn booked(&mut self, asked: &Asked, answer: Answer<'_>, now: u64) -> Counts {
        let (mut counts, amount) = (Counts::default(), self.orders.amount);
        let book = &mut self.payers[asked.payer as usize].book;
        match (answer, asked.errand) {
            (Answer::Approved, Errand::Pay(payment)) => {
                counts.approved = 1;
                told(book, asked.errand).count += 1;
                self.follow_up(payment, asked);
            }
            (Answer::Denied { code }, Errand::Pay(_)) => {
                counts.denied = 1;
                self.tally.borrow_mut().count_code(code, 1);
            }
            // Late is what a capture is whose hold was lost in a crash: it is booked all the same.
            (Answer::Captured { amount: all, late: _ }, Errand::Capture) if all == amount => {
                counts.captured = 1;
                book.captured.count += 1;
            }
            (Answer::Closed { released }, Errand::Close) if released == amount => book.closed.count += 1,
            (Answer::Error { code }, _) => {
                counts.errors = 1;
                self.error(asked, code, now);
            }
            // Whatever it was, it may have been carried out.
            (answer, errand) => {
                counts.errors = 1;
                told(book, errand).unanswered += 1;
                self.error(asked, if let Answer::Unclear { code } = answer { code } else { UNEXPECTED }, now);
            }
        }
        counts
    }

    fn error(&mut self, asked: &Asked, code: &str, now: u64) {
        let mut tally = self.tally.borrow_mut();
        tally.count_code(code, 1);
        tally.slowest_error = tally.slowest_error.max(now.saturating_sub(asked.sent));
    }

    fn follow_up(&mut self, payment: Payment, approved: &Asked) {
        match payment {
            Payment::Session => self.follow_ups.push_back((approved.payer, approved.id, Errand::Close)),
            Payment::X402 | Payment::Mpp | Payment::Blocked => {
                if self.orders.dealer.chance(self.orders.captures) {
                    self.follow_ups.push_back((approved.payer, approved.id, Errand::Capture));
                }
            }
        }
    }

    /// Nothing more is sent; says whether nothing more can come either.
    fn stop(&mut self) -> bool {
        self.is_over = true;
        self.in_flight == 0
    }

    /// Nothing more is waited for: each request that was not answered may have been carried out.
    fn give_up(&mut self) {
        let mut unanswered = 0;
        for (tag, asked) in (0..).zip(&mut self.asked) {
            if let Some(asked) = asked.take() {
                unanswered += 1;
                told(&mut self.payers[asked.payer as usize].book, asked.errand).unanswered += 1;
                self.free.push(tag);
            }
        }
        self.in_flight = 0;
        self.tally.borrow_mut().total.unanswered += unanswered;
        self.publish();
    }

    fn publish(&self) {
        let Live { decided, captured, errors, in_flight } = &*self.handles.live;
        decided.store(self.counts.decided(), Ordering::Relaxed);
        captured.store(self.counts.captured, Ordering::Relaxed);
        errors.store(self.counts.errors, Ordering::Relaxed);
        in_flight.store(u64::from(self.in_flight), Ordering::Relaxed);
    }
}

/// The part of a book that an errand's answer belongs to.
fn told(book: &mut Book, errand: Errand) -> &mut Told {
    match errand {
        Errand::Pay(Payment::Session) => &mut book.opened,
        Errand::Pay(Payment::X402 | Payment::Mpp | Payment::Blocked) => &mut book.approved,
        Errand::Capture => &mut book.captured,
        Errand::Close => &mut book.closed,
    }
}
