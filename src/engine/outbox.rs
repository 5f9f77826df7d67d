//! Answers on their way out, by where they go, so that each asker is called once a turn.

use std::sync::Arc;

use hashbrown::HashMap;

use super::answer::{Answer, Replies, Ticket};

/// How many queues are kept for the next turn, and how long one may have become: one large turn must not take memory for good.
const SPARE_QUEUES_MAX: usize = 64;
const SPARE_ANSWERS_MAX: usize = 4096;

/// See the module. It keeps its memory, so that answers cost no allocation once it has grown.
#[derive(Default)]
pub(super) struct Outbox {
    queues: Vec<Queue>,
    /// Where in `queues` an asker's answers are, by the address of its replies.
    places: HashMap<usize, usize>,
    /// The last asker's address and place: answers come in runs.
    last: Option<(usize, usize)>,
    spare: Vec<Vec<(Ticket, Answer)>>,
}

struct Queue {
    replies: Arc<dyn Replies>,
    answers: Vec<(Ticket, Answer)>,
}

impl Outbox {
    pub(super) fn push(&mut self, replies: &Arc<dyn Replies>, ticket: Ticket, answer: Answer) {
        // The queue holds the replies, so the address stays theirs until the delivery.
        let address = Arc::as_ptr(replies).cast::<()>().addr();
        let place = match self.last {
            Some((last, place)) if last == address => place,
            Some(_) | None => self.place(address, replies),
        };
        self.last = Some((address, place));
        self.queues[place].answers.push((ticket, answer));
    }

    fn place(&mut self, address: usize, replies: &Arc<dyn Replies>) -> usize {
        *self.places.entry(address).or_insert_with(|| {
            let answers = self.spare.pop().unwrap_or_default();
            self.queues.push(Queue { replies: Arc::clone(replies), answers });
            self.queues.len() - 1
        })
    }

    pub(super) fn deliver(&mut self) {
        self.places.clear();
        self.last = None;
        for Queue { replies, mut answers } in self.queues.drain(..) {
            replies.deliver(&mut answers.drain(..));
            if self.spare.len() < SPARE_QUEUES_MAX && answers.capacity() <= SPARE_ANSWERS_MAX {
                self.spare.push(answers);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::kernel::Outcome;

    #[derive(Default)]
    struct Calls(Mutex<Vec<Vec<u64>>>);

    impl Replies for Calls {
        fn deliver(&self, replies: &mut dyn Iterator<Item = (Ticket, Answer)>) {
            self.0.lock().unwrap().push(replies.map(|(ticket, _)| ticket.0).collect());
        }
    }

    #[test]
    fn each_asker_is_called_once_with_its_answers_in_order() {
        let (a, b) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
        let mut outbox = Outbox::default();
        for round in 0..2 {
            for ticket in 0..6 {
                let asker: Arc<dyn Replies> = Arc::<Calls>::clone(if ticket % 3 == 0 { &a } else { &b });
                outbox.push(&asker, Ticket(round * 10 + ticket), Ok(Outcome::Done));
            }
            outbox.deliver();
        }
        assert_eq!(*a.0.lock().unwrap(), [vec![0, 3], vec![10, 13]]);
        assert_eq!(*b.0.lock().unwrap(), [vec![1, 2, 4, 5], vec![11, 12, 14, 15]]);
    }
}
