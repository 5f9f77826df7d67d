//! One stream: read, decide, reply. Whatever one read has brought is decided in one go, and its replies leave in one write.

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use quinn::{RecvStream, SendStream, VarInt};
use tokio::sync::watch;

use super::{
    crossings::Crossings,
    gathering::Gathering,
    host::Host,
    late::{Arrived, Late},
    peer::{Peer, refusal},
};
use crate::{
    engine::{AgentHandle, Replies, Ticket, Worker},
    kernel::{AgentId, ShardId, Timestamp},
    wire::{
        Batch, BatchWriter, ErrorCode, FrameBuffer, FrameKind, Handle, Item, Operation, Refusal, Reply, Request,
        greeting::write_error,
        limits::{FRAME_BYTES_MAX, IN_FLIGHT_MAX, close},
        reply::{CaptureResult, Refused},
        request::Capture,
    },
};

/// The most pieces of the stream that one read takes; about as many packets, and so some thousand requests at most.
const CHUNKS_PER_READ_MAX: usize = 64;
/// From so many bytes of replies on, they leave before the next frame is decided: other connections take their turn, and a client
/// that does not read holds no more than its last frame was worth.
const REPLIES_BYTES_MAX: usize = FRAME_BYTES_MAX;
/// From so many bytes of replies to one frame on, the rest of it is refused: a request of a few bytes may be answered with thousands.
const FRAME_REPLIES_BYTES_MAX: usize = 16 * FRAME_BYTES_MAX;
/// How long the last bytes of a stream may take to be acknowledged.
const LINGER: Duration = Duration::from_secs(1);

/// Serves one stream until either side ends it.
pub(super) struct Stream {
    recv: RecvStream,
    outbound: Outbound,
    buffer: FrameBuffer,
    desk: Desk,
    /// What the frames wait for that were not decided yet.
    rest: Rest,
}

/// What is left of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing that is whole.
    Nothing,
    /// A whole frame, which waits for room among the requests in flight.
    Blocked,
    /// Perhaps a whole frame, which waits until the replies before it have left.
    Unsent,
}

impl Stream {
    /// `buffer` is what was read of the stream already.
    pub(super) fn new(
        host: Rc<Host>,
        peer: Rc<Peer>,
        send: SendStream,
        recv: RecvStream,
        buffer: FrameBuffer,
    ) -> Stream {
        let outbound = Outbound { send, spare: Vec::new() };
        Stream { recv, outbound, buffer, desk: Desk::new(host, peer), rest: Rest::Nothing }
    }

    /// Serves until the client ends the stream, the connection is over, or `stopping` says so.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        if let Err(end) = self.serve(&mut stopping).await
            && let End::Refused(refusal, code) = end
        {
            self.refuse(&refusal, code).await;
        }
        let unanswered = self.desk.waiting;
        self.desk.peer.ended(unanswered);
    }

    async fn serve(&mut self, stopping: &mut watch::Receiver<bool>) -> Result<(), End> {
        let peer = Rc::clone(&self.desk.peer);
        let mut chunks = [const { Bytes::new() }; CHUNKS_PER_READ_MAX];
        let mut is_over = false;
        loop {
            // Registered before the look at what is in flight, so that room made in between is not missed.
            let room = peer.room.notified();
            tokio::pin!(room);
            room.as_mut().enable();
            self.desk.take_late();
            self.decide()?;
            self.outbound.flush(&mut self.desk.replies).await?;
            if self.rest == Rest::Unsent {
                tokio::task::yield_now().await;
                continue;
            }
            let is_blocked = self.rest == Rest::Blocked;
            if is_over && !is_blocked && self.desk.waiting == 0 {
                return self.outbound.finish().await;
            }
            tokio::select! {
                read = self.recv.read_chunks(&mut chunks), if !is_over && !is_blocked => match read {
                    Ok(Some(count)) => self.buffer.extend(chunks.iter().take(count).map(|chunk| &chunk[..])),
                    Ok(None) => is_over = true,
                    Err(_) => return Err(End::Gone),
                },
                () = self.desk.late.arrived(), if self.desk.waiting > 0 => {}
                () = room, if is_blocked => {}
                _ = stopping.wait_for(|stopping| *stopping), if !is_over => is_over = true,
            }
        }
    }

    /// Decides the whole frames that there is room for. The worker is borrowed for the whole run, and never across an await.
    fn decide(&mut self) -> Result<(), End> {
        let Stream { buffer, desk, rest, .. } = self;
        *rest = Rest::Nothing;
        if buffer.peek(FRAME_BYTES_MAX).map_err(|error| End::protocol(&error))?.is_none() {
            return Ok(());
        }
        let now = desk.host.clock.now();
        desk.peer.credential.check(now).map_err(|error| End::Refused(refusal(error), close::AUTHENTICATION))?;
        let host = Rc::clone(&desk.host);
        let mut worker = host.worker.borrow_mut();
        let decided = desk.decide_frames(buffer, &mut worker, now);
        worker.finish();
        drop(worker);
        desk.crossings.cross(&desk.host.engine);
        *rest = decided?;
        Ok(())
    }

    /// Says what was wrong, and closes the connection.
    async fn refuse(&mut self, refusal: &Refusal, code: u32) {
        let mut bytes = self.desk.replies.take(Vec::new());
        write_error(refusal, &mut bytes);
        let told = async {
            self.outbound.send.write_all(&bytes).await.map_err(|_| End::Gone)?;
            self.outbound.finish().await
        };
        // Whether or not it is heard, the connection is over.
        let _ = tokio::time::timeout(LINGER, told).await;
        self.desk.peer.connection.close(VarInt::from_u32(code), refusal.code.text().as_bytes());
    }
}

/// Why a stream is over before its time.
enum End {
    /// The connection or the stream is gone.
    Gone,
    /// Something was wrong with a frame or the credential; the connection is closed with this code.
    Refused(Refusal, u32),
}

impl End {
    fn protocol(error: &crate::wire::FrameError) -> End {
        End::Refused(Refusal::from(error), close::PROTOCOL)
    }
}

/// The way out.
struct Outbound {
    send: SendStream,
    spare: Vec<u8>,
}

impl Outbound {
    async fn flush(&mut self, replies: &mut BatchWriter) -> Result<(), End> {
        if replies.is_empty() {
            return Ok(());
        }
        let bytes = replies.take(std::mem::take(&mut self.spare));
        self.send.write_all(&bytes).await.map_err(|_| End::Gone)?;
        self.spare = bytes;
        Ok(())
    }

    /// Ends the stream, and waits a while for the client to have it all.
    async fn finish(&mut self) -> Result<(), End> {
        self.send.finish().map_err(|_| End::Gone)?;
        let _ = tokio::time::timeout(LINGER, self.send.stopped()).await;
        Ok(())
    }
}

/// Where the requests of a stream are decided, sent on, or refused.
struct Desk {
    host: Rc<Host>,
    peer: Rc<Peer>,
    late: Arc<Late>,
    late_replies: Arc<dyn Replies>,
    /// Empty but for the moment in which late replies are made.
    arrived: Arrived,
    /// Requests of this stream that wait for a late reply.
    waiting: usize,
    /// Replies that are ready.
    replies: BatchWriter,
    /// Requests for other workers.
    crossings: Crossings,
}

impl Desk {
    fn new(host: Rc<Host>, peer: Rc<Peer>) -> Desk {
        let late = Arc::new(Late::default());
        let late_replies = Arc::clone(&late) as Arc<dyn Replies>;
        let crossings = Crossings::new(Arc::clone(&late_replies), &host.engine);
        Desk {
            late_replies,
            late,
            arrived: Arrived::default(),
            waiting: 0,
            replies: BatchWriter::new(FrameKind::Replies),
            crossings,
            host,
            peer,
        }
    }

    fn decide_frames(&mut self, buffer: &mut FrameBuffer, worker: &mut Worker, now: Timestamp) -> Result<Rest, End> {
        loop {
            if self.replies.bytes_len() >= REPLIES_BYTES_MAX {
                return Ok(Rest::Unsent);
            }
            let frame = buffer.peek(FRAME_BYTES_MAX).map_err(|error| End::protocol(&error))?;
            let Some(frame) = frame else { return Ok(Rest::Nothing) };
            let content = frame.expect(FrameKind::Requests).map_err(|error| End::protocol(&error))?;
            let mut weight = 0;
            let requests = Batch::parse_looking(content, |item| weight += Request::weight(item));
            let requests = requests.map_err(|error| End::protocol(&error))?;
            // A frame that is more than ever fits waits until nothing is in flight; the messages that do not fit are then refused.
            if !self.peer.has_room_for(weight.min(IN_FLIGHT_MAX)) {
                return Ok(Rest::Blocked);
            }
            requests.for_each(|item| self.decide_item(item, worker, now));
            buffer.skip();
        }
    }

    fn decide_item(&mut self, item: Item<'_>, worker: &mut Worker, now: Timestamp) {
        let tag = item.tag;
        if self.replies.bytes_len() >= FRAME_REPLIES_BYTES_MAX {
            let refusal =
                Refusal::new(ErrorCode::Overloaded, "the replies to the frame are too long; ask for less at one time");
            return self.reply(tag, &Reply::from(&refusal));
        }
        match Request::decode(item) {
            Err(error) => self.reply(tag, &Reply::from(&Refusal::from(&error))),
            Ok(Request::Ping) => self.reply(tag, &Reply::Pong(now)),
            Ok(Request::Resolve(agent)) => {
                let reply = self.resolve(agent).map_or_else(|refusal| Reply::from(&refusal), Reply::Resolved);
                self.reply(tag, &reply);
            }
            Ok(Request::Agent(handle, operation)) => {
                let handle = AgentHandle { shard: handle.shard, index: handle.index };
                let request = operation.to_kernel(handle.index);
                let request = request.and_then(|request| self.admit(handle, &request).map(|()| request));
                match request {
                    Ok(request) => self.decide_request(tag, handle.shard, &request, worker, now),
                    Err(refusal) => self.reply(tag, &Reply::from(&refusal)),
                }
            }
            Ok(Request::Captures(captures)) => self.decide_captures(tag, &captures, worker, now),
        }
    }

    /// Decides captures that are answered together.
    fn decide_captures(&mut self, tag: u64, captures: &[(Handle, Capture)], worker: &mut Worker, now: Timestamp) {
        if captures.is_empty() {
            return self.reply(tag, &Reply::CaptureResults(Vec::new()));
        }
        if !self.peer.has_room_for(captures.len()) {
            let refusal = Refusal::new(ErrorCode::Overloaded, "the frame has more captures than may be in flight");
            return self.reply(tag, &Reply::from(&refusal));
        }
        self.began(captures.len());
        // What stands before them in the frame reaches its worker before them.
        self.crossings.cross(&self.host.engine);
        let gathering = Arc::new(Gathering::new(tag, captures.len(), Arc::clone(&self.late)));
        let replies: Arc<dyn Replies> = Arc::<Gathering>::clone(&gathering);
        let mut crossings = Crossings::new(Arc::clone(&replies), &self.host.engine);
        let mut at_once = Vec::new();
        for (place, (handle, capture)) in captures.iter().enumerate() {
            let shard = handle.shard;
            let request = Operation::Capture(capture.clone()).to_kernel(handle.index);
            let handle = AgentHandle { shard, index: handle.index };
            let request = request.and_then(|request| self.admit(handle, &request).map(|()| request));
            let answer = match request {
                Err(refusal) => Some(CaptureResult::Refused(Refused::from(refusal.code))),
                Ok(request) if worker.owns(shard) => {
                    worker.decide(now, shard, &request, Ticket(place as u64), &replies).map(CaptureResult::from)
                }
                Ok(request) => {
                    crossings.push(&self.host.engine, shard, Ticket(place as u64), &request);
                    None
                }
            };
            at_once.extend(answer.map(|answer| (place, answer)));
        }
        gathering.put(at_once.into_iter());
        crossings.cross(&self.host.engine);
    }

    fn admit(&self, handle: AgentHandle, request: &crate::kernel::Request<'_>) -> Result<(), Refusal> {
        self.peer.may_ask(handle, request, &self.host.engine)?;
        if handle.shard.0 < self.host.engine.shard_count() {
            Ok(())
        } else {
            Err(Refusal::new(ErrorCode::NotFound, "no agent has this handle; resolve the agent's id first"))
        }
    }

    fn decide_request(
        &mut self,
        tag: u64,
        shard: ShardId,
        request: &crate::kernel::Request<'_>,
        worker: &mut Worker,
        now: Timestamp,
    ) {
        if worker.owns(shard) {
            match worker.decide(now, shard, request, Ticket(tag), &self.late_replies) {
                Some(answer) => self.reply(tag, &Reply::from(answer)),
                None => self.began(1),
            }
            return;
        }
        self.began(1);
        self.crossings.push(&self.host.engine, shard, Ticket(tag), request);
    }

    /// Makes replies of the answers that have arrived late.
    fn take_late(&mut self) {
        if self.waiting == 0 {
            return;
        }
        self.late.take(&mut self.arrived);
        let mut count = self.arrived.answers.len();
        for (ticket, answer) in self.arrived.answers.drain(..) {
            Reply::from(answer).write(ticket.0, &mut self.replies);
        }
        for (tag, results) in self.arrived.captures.drain(..) {
            count += results.len();
            Reply::CaptureResults(results).write(tag, &mut self.replies);
        }
        self.waiting -= count;
        if count > 0 {
            self.peer.ended(count);
        }
    }

    fn began(&mut self, count: usize) {
        self.waiting += count;
        self.peer.began(count);
    }

    fn reply(&mut self, tag: u64, reply: &Reply) {
        reply.write(tag, &mut self.replies);
    }

    fn resolve(&self, agent: AgentId) -> Result<Handle, Refusal> {
        if !self.peer.credential.acts_for(agent) {
            return Err(refusal(crate::server::identity::AuthError::OtherAgent));
        }
        let found = self.host.engine.agent(agent);
        let found = found.ok_or_else(|| Refusal::new(ErrorCode::NotFound, "no agent has this id"))?;
        Ok(Handle { shard: found.shard, index: found.index })
    }
}
