//! What the gateway says about the money of many agents.

use holdfast::{
    client::{ReplyReader, RequestWriter},
    kernel::Protocol,
    wire::{
        Handle, Reply, Request,
        reply::Budget,
        request::{self, Operation},
    },
};

use crate::{error::LoadError, setup};

/// Requests that are sent at one time.
const CHUNK: usize = 2048;

/// Asks all of `requests`; the answers come in their order.
async fn ask_all(
    writer: &mut RequestWriter,
    reader: &mut ReplyReader,
    requests: &[Request<'_>],
) -> Result<Vec<Option<Reply>>, LoadError> {
    let mut replies = Vec::with_capacity(requests.len());
    for chunk in requests.chunks(CHUNK) {
        let first = replies.len();
        for (tag, request) in chunk.iter().enumerate() {
            writer.push(tag as u64, request).expect("a small request fits in a frame");
        }
        writer.flush().await?;
        replies.resize(first + chunk.len(), None);
        let mut missing = chunk.len();
        while missing > 0 {
            missing -= reader
                .read(|item| {
                    let place = usize::try_from(item.tag).ok().and_then(|tag| replies.get_mut(first + tag));
                    if let Some(place) = place {
                        *place = Reply::decode(item).ok();
                    }
                })
                .await?;
        }
    }
    Ok(replies)
}

/// The handles of the first `agents` agents of the load test.
pub(crate) async fn resolve(
    writer: &mut RequestWriter,
    reader: &mut ReplyReader,
    agents: u32,
) -> Result<Vec<Handle>, LoadError> {
    let requests: Vec<_> = (0..agents).map(|number| Request::Resolve(setup::agent_id(number))).collect();
    let replies = ask_all(writer, reader, &requests).await?.into_iter();
    let handle = |reply| match reply {
        Some(Reply::Resolved(handle)) => Ok(handle),
        other => Err(refused("name the handle of an agent (run `loadtest setup` with as many agents first)", &other)),
    };
    replies.map(handle).collect()
}

/// The budgets of agents on the rail of the load test.
pub(crate) async fn budgets(
    writer: &mut RequestWriter,
    reader: &mut ReplyReader,
    agents: &[Handle],
) -> Result<Vec<Budget>, LoadError> {
    let budget = Operation::Budget(request::Budget { protocol: Protocol::X402, session: "" });
    let requests: Vec<_> = agents.iter().map(|handle| Request::Agent(*handle, budget.clone())).collect();
    let replies = ask_all(writer, reader, &requests).await?.into_iter();
    let budget = |reply| match reply {
        Some(Reply::Budget(budget)) => Ok(*budget),
        other => Err(refused("show the budget of an agent", &other)),
    };
    replies.map(budget).collect()
}

fn refused(what: &'static str, reply: &Option<Reply>) -> LoadError {
    let reply = match reply {
        Some(Reply::Error(error)) => format!("{}: {}", error.code, error.message),
        Some(other) => format!("{other:?}"),
        None => "an answer that cannot be read".to_owned(),
    };
    LoadError::Refused { what, reply }
}
