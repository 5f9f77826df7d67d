//! What the gateway says without being asked: that people have decided about a payment.

use std::collections::VecDeque;

use super::{ConnectError, Connection, ReplyReader};
use crate::wire::{Reply, reply::ApprovalDecided};

/// The decisions about payments of the agents that a credential acts for, from the connection on.
///
/// They are told once, and only to who is connected: who comes late or loses the connection asks for what it waits for, by asking for
/// the hold again.
#[derive(Debug)]
pub struct Decisions {
    connection: Connection,
    reader: Option<ReplyReader>,
    read: VecDeque<ApprovalDecided>,
}

impl Decisions {
    /// Has the gateway tell them on `connection`, which is used for nothing else.
    #[must_use]
    pub fn on(connection: Connection) -> Decisions {
        connection.allow_pushes();
        Decisions { connection, reader: None, read: VecDeque::new() }
    }

    /// Waits for the next decision. Safe to cancel.
    ///
    /// # Errors
    /// [`ConnectError`] where the connection is lost; begin anew then.
    pub async fn next(&mut self) -> Result<ApprovalDecided, ConnectError> {
        loop {
            if let Some(decided) = self.read.pop_front() {
                return Ok(decided);
            }
            let reader = match &mut self.reader {
                Some(reader) => reader,
                None => self.reader.insert(self.connection.pushed().await?),
            };
            let mut replies = Vec::new();
            reader.read(|item| replies.push(Reply::decode(item))).await?;
            for reply in replies {
                // A newer gateway may tell more.
                if let Ok(Reply::ApprovalDecided(decided)) = reply {
                    self.read.push_back(decided);
                }
            }
        }
    }
}
