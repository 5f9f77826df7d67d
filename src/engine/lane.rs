//! What a worker shares with other threads: its mailbox, the turns it hands to the committer, how far it is durable, and the
//! call that makes its owner turn it.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, AtomicU64, Ordering, fence},
};

use crossbeam::queue::ArrayQueue;

use super::{
    answer::EngineError,
    mailbox::Batch,
    options::{HANDOFF_TURNS_MAX, SPARE_TURN_BYTES_MAX, SPARE_TURNS_MAX},
    status::CounterGauges,
    turn::{TurnNumber, TurnRecord},
};

/// One worker's side of everything that crosses threads.
pub(super) struct Lane {
    mailbox: ArrayQueue<Batch>,
    /// Whether the worker was dropped, so that nobody takes anything out of the mailbox any more.
    is_abandoned: AtomicBool,
    handoff: ArrayQueue<TurnRecord>,
    spare: ArrayQueue<TurnRecord>,
    durable: AtomicU64,
    waker: Waker,
    pub counters: CounterGauges,
}

impl Lane {
    pub(super) fn new(mailbox_batches_max: usize) -> Lane {
        Lane {
            mailbox: ArrayQueue::new(mailbox_batches_max.max(1)),
            is_abandoned: AtomicBool::new(false),
            handoff: ArrayQueue::new(HANDOFF_TURNS_MAX),
            spare: ArrayQueue::new(SPARE_TURNS_MAX),
            durable: AtomicU64::new(TurnNumber::NONE.0),
            waker: Waker::default(),
            counters: CounterGauges::default(),
        }
    }

    /// Puts a batch into the mailbox; a full one gives it back.
    pub(super) fn post(&self, batch: Batch) -> Result<(), Batch> {
        self.mailbox.push(batch)?;
        // Either this thread sees that the worker is gone, or the worker saw the batch when it went.
        fence(Ordering::SeqCst);
        if self.is_abandoned.load(Ordering::SeqCst) {
            self.refuse_batches();
        } else {
            self.waker.wake();
        }
        Ok(())
    }

    pub(super) fn take_batch(&self) -> Option<Batch> {
        self.mailbox.pop()
    }

    pub(super) fn mailbox_batches(&self) -> usize {
        self.mailbox.len()
    }

    /// The worker is gone: what waits for it, and whatever comes, is refused.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.refuse_batches();
    }

    fn refuse_batches(&self) {
        while let Some(batch) = self.mailbox.pop() {
            batch.replies().deliver(&mut batch.tickets().map(|ticket| (ticket, Err(EngineError::Unavailable))));
        }
    }

    /// Hands a turn to the committer; gives it back where too many wait already.
    pub(super) fn hand_over(&self, turn: TurnRecord) -> Result<(), TurnRecord> {
        self.handoff.push(turn)
    }

    pub(super) fn take_turn(&self) -> Option<TurnRecord> {
        self.handoff.pop()
    }

    pub(super) fn has_turns(&self) -> bool {
        !self.handoff.is_empty()
    }

    /// Keeps an emptied turn for use again.
    pub(super) fn give_back(&self, mut turn: TurnRecord) {
        turn.clear();
        if turn.capacity() <= SPARE_TURN_BYTES_MAX {
            // Enough are kept already where it does not fit.
            let _ = self.spare.push(turn);
        }
    }

    pub(super) fn empty_turn(&self) -> TurnRecord {
        self.spare.pop().unwrap_or_else(TurnRecord::new)
    }

    pub(super) fn set_durable(&self, turn: TurnNumber) {
        self.durable.store(turn.0, Ordering::Release);
    }

    pub(super) fn durable(&self) -> TurnNumber {
        TurnNumber(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// Calls the owner of a worker at most once until the worker is turned.
#[derive(Default)]
pub(super) struct Waker {
    wake: RwLock<Option<Arc<dyn Fn() + Send + Sync>>>,
    is_called: AtomicBool,
}

impl Waker {
    pub(super) fn set(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        *self.wake.write().unwrap_or_else(PoisonError::into_inner) = Some(wake);
        // A call that nobody heard must not silence later ones.
        self.is_called.store(false, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        if !self.is_called.swap(true, Ordering::AcqRel)
            && let Some(wake) = &*self.wake.read().unwrap_or_else(PoisonError::into_inner)
        {
            wake();
        }
    }

    /// The worker is being turned and sees everything that it was called for: the exchange makes what happened before the
    /// call visible, and a later call is made anew.
    pub(super) fn answer(&self) {
        self.is_called.swap(false, Ordering::AcqRel);
    }
}
