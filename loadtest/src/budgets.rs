//! What the gateway says about the money of many agents.

use holdfast::{
    client::{ReplyReader, RequestWriter},
    kernel::Protocol,
    wire::{
        Handle, Reply, Request,
        request::{self, Operation},
    },
};

use crate::{balance::Balance, error::LoadError, setup};

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

/// What the gateway has booked of each agent on these rails.
pub(crate) async fn balances(
    writer: &mut RequestWriter,
    reader: &mut ReplyReader,
    agents: &[Handle],
    rails: &[Protocol],
) -> Result<Vec<Balance>, LoadError> {
    let mut balances = Vec::with_capacity(agents.len());
    // A budget takes a kilobyte, so that those of a million agents are not kept.
    for agents in agents.chunks(CHUNK) {
        let budget = |protocol| Operation::Budget(request::Budget { protocol, session: "" });
        let asked = agents.iter().flat_map(|handle| rails.iter().map(|rail| Request::Agent(*handle, budget(*rail))));
        let replies = ask_all(writer, reader, &asked.collect::<Vec<_>>()).await?;
        for replies in replies.chunks(rails.len().max(1)) {
            let mut balance = Balance::default();
            for reply in replies {
                match reply {
                    Some(Reply::Budget(budget)) => balance.add_rail(budget),
                    other => return Err(refused("show the budget of an agent", other)),
                }
            }
            balances.push(balance);
        }
    }
    Ok(balances)
}

fn refused(what: &'static str, reply: &Option<Reply>) -> LoadError {
    let reply = match reply {
        Some(Reply::Error(error)) => format!("{}: {}", error.code, error.message),
        Some(other) => format!("{other:?}"),
        None => "an answer that cannot be read".to_owned(),
    };
    LoadError::Refused { what, reply }
}
