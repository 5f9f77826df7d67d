//! What does a message of the binary protocol cost, each way? Frames of 64 messages, as a busy connection sends them; the time is that of one.
//!
//! `cargo bench --no-default-features --features client --bench codec`

mod fixture;

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use fixture::{AMOUNT, RECIPIENT, RESOURCE, SERVICE};
use holdfast::{
    kernel::{AgentIndex, Amount, AuthorizationId, OperationId, ShardId, Timestamp},
    wire::{
        Batch, BatchWriter, Frame, FrameKind, Handle, Operation, Reply, Request,
        limits::FRAME_BYTES_MAX,
        reply::{Approved, Captured},
        request::{Authorize, Capture},
    },
};

/// What the gateway uses, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ITEMS: u64 = 64;
const HANDLE: Handle = Handle { shard: ShardId(3), index: AgentIndex(77_777) };

fn id(n: u64) -> AuthorizationId {
    AuthorizationId(u128::from(n) << 64 | 7)
}

fn authorize(n: u64) -> Request<'static> {
    let payment = Authorize::payment(id(n), AMOUNT, RECIPIENT);
    Request::Agent(HANDLE, Operation::Authorize(Authorize { service: SERVICE, resource: RESOURCE, ..payment }))
}

fn capture(n: u64) -> Request<'static> {
    let capture = Capture { id: id(n), operation: OperationId(id(n).0), amount: AMOUNT, last: true };
    Request::Agent(HANDLE, Operation::Capture(capture))
}

fn approved() -> Reply {
    Reply::Approved(Approved {
        expires_at: Timestamp::from_micros(1_794_819_600_000_000),
        remaining: Some(Amount::from_units(9_999)),
        wallet: Some(0),
        available: Some(Amount::from_units(999_999)),
        reasons: 0b1011,
        session: 1,
        policy_revision: 1,
        repeated: false,
    })
}

fn captured() -> Reply {
    Reply::Captured(Captured { captured: AMOUNT, overage: Amount::ZERO, held: Amount::ZERO, late: false })
}

type Group<'c> = BenchmarkGroup<'c, WallTime>;

/// Writes frames of one message, and gives the bytes of one.
fn write(group: &mut Group<'_>, name: &str, kind: FrameKind, message: &dyn Fn(u64, &mut BatchWriter)) -> Vec<u8> {
    let mut writer = BatchWriter::new(kind);
    let mut bytes = Vec::new();
    let mut frame = |bytes: Vec<u8>| {
        (0..ITEMS).for_each(|n| message(black_box(n), &mut writer));
        writer.take(bytes)
    };
    group.bench_function(format!("write {name}"), |bencher| {
        bencher.iter(|| bytes = frame(std::mem::take(&mut bytes)));
    });
    frame(Vec::new())
}

/// Reads a frame of requests into what the kernel is asked, as the gateway does.
fn read_requests(group: &mut Group<'_>, name: &str, bytes: &[u8]) {
    group.bench_function(format!("read {name}"), |bencher| {
        bencher.iter(|| {
            for item in batch(black_box(bytes)) {
                let Ok(Request::Agent(handle, operation)) = Request::decode(item) else { panic!("all are of agents") };
                _ = black_box(operation.to_kernel(handle.index));
            }
        });
    });
}

/// Reads a frame of replies, as a client does.
fn read_replies(group: &mut Group<'_>, name: &str, bytes: &[u8]) {
    group.bench_function(format!("read {name}"), |bencher| {
        bencher.iter(|| batch(black_box(bytes)).for_each(|item| _ = black_box(Reply::decode(item))));
    });
}

fn batch(bytes: &[u8]) -> Batch<'_> {
    let frame = Frame::cut(bytes, FRAME_BYTES_MAX).expect("a frame").expect("a whole one").0;
    Batch::parse(frame.content).expect("whole items")
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Elements(ITEMS));
    let mut requests = |name: &str, message: fn(u64) -> Request<'static>| {
        let send = |n, writer: &mut BatchWriter| message(n).write(n, writer).expect("a frame has room");
        let bytes = write(&mut group, name, FrameKind::Requests, &send);
        read_requests(&mut group, name, &bytes);
    };
    requests("authorize", authorize);
    requests("capture", capture);
    let mut replies = |name: &str, message: fn() -> Reply| {
        let bytes = write(&mut group, name, FrameKind::Replies, &|n, writer| message().write(n, writer));
        read_replies(&mut group, name, &bytes);
    };
    replies("approved", approved);
    replies("captured", captured);
    group.finish();
}

criterion_group! {
    name = benches;
    config = fixture::fast();
    targets = codec
}
criterion_main!(benches);
