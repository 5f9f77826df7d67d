//! What the OpenAPI document says beyond the single routes: what it is about, how to authenticate, and what holds for every operation, so that no
//! route repeats it.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, Info, License, OpenApi, OpenApiVersion, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        security::{Http, HttpAuthScheme, SecurityScheme},
        tag::Tag,
    },
};

use crate::{
    kernel::AgentId,
    wire::{
        ErrorCode,
        json::{Refusal, RefusalBody},
    },
};

const DESCRIPTION: &str = "An authorization gateway for machine payments. Before an agent pays, it asks; the answer holds the money against \
    every limit that applies, or says why not; what was really spent is captured afterwards.\n\nAgents use the paths under `/api/sdk`, operators \
    the others. Amounts are whole currency units with at most 6 digits after the point. A denial is an answer; a refusal is an error \
    with a stable code, and nothing was changed. Members that are not described are ignored.";

const TAGS: [(&str, &str); 16] = [
    ("payments", "Asking for payments and reporting them, for x402 and for MPP."),
    ("holds", "What an approved payment reserves, until it is captured, voided or expired."),
    ("approvals", "Payments that wait until people have approved them."),
    ("budgets", "Budgets that agents ask for and people approve."),
    ("agents", "Those who pay."),
    ("alerts", "What was found about how agents pay."),
    ("wallets", "What agents pay from, and the limits of each."),
    ("keys", "Credentials of agents, platforms and operators."),
    ("policies", "The rules that payments must pass."),
    ("counterparties", "Those who are paid, as the organization describes them."),
    ("sanctions", "Who must not be paid by anybody."),
    ("spend", "What was paid for what, in sums and one by one."),
    ("audit", "What happened, and who did it."),
    ("events", "What happens, as it happens."),
    ("webhooks", "Those who are told over HTTP what happens."),
    ("gateway", "The gateway itself."),
];

/// The refusals that an operation may answer with, by the code that stands for them in the example.
const REFUSALS: [(&str, &str, &str, ErrorCode); 10] = [
    ("400", "Invalid", "The request is not valid, or does not fit the state of things.", ErrorCode::ValidationError),
    ("401", "Unauthenticated", "The key is missing, unknown or expired.", ErrorCode::AuthFailed),
    ("403", "Forbidden", "The key lacks the scope, or does not act for the agent.", ErrorCode::InsufficientScope),
    ("404", "NotFound", "There is no such thing.", ErrorCode::NotFound),
    ("409", "Conflict", "The id was used before with other content.", ErrorCode::IdempotencyConflict),
    ("413", "TooLarge", "The body or the list in it is too large.", ErrorCode::FrameTooLarge),
    ("415", "NotJson", "The body is not declared to be JSON.", ErrorCode::ValidationError),
    (
        "429",
        "Limited",
        "A named maximum is reached; `Retry-After` says when to try again.",
        ErrorCode::CapacityExceeded,
    ),
    ("500", "Mistake", "The gateway made a mistake; it is logged.", ErrorCode::InternalError),
    ("503", "Unavailable", "The gateway is overloaded or cannot serve now.", ErrorCode::Overloaded),
];

/// The document of the routes in `api`, whole.
pub(super) fn complete(mut api: OpenApi) -> OpenApi {
    api.openapi = OpenApiVersion::Version31;
    api.info = Info::new("Holdfast", env!("CARGO_PKG_VERSION"));
    api.info.description = Some(DESCRIPTION.to_owned());
    let mut license = License::new("Apache License 2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    api.info.license = Some(license);
    api.tags = Some(TAGS.iter().map(|(name, description)| tag(name, description)).collect());
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            if operation.security.is_some() {
                share(path, operation);
            }
        }
    }
    add_shared(api.components.get_or_insert_default());
    api
}

fn tag(name: &str, description: &str) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(description.to_owned());
    tag
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// The method and the words of the path: `post /api/sdk/x402/pre-authorize` is `postSdkX402PreAuthorize`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api").split(|letter: char| !letter.is_ascii_alphanumeric());
    words.fold(method.to_owned(), |id, word| {
        let mut letters = word.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        id + &initial.into_iter().chain(letters).collect::<String>()
    })
}

/// What every operation with a key has in common with the others.
fn share(path: &str, operation: &mut Operation) {
    let reads_body = operation.request_body.is_some();
    for (status, name, _, _) in REFUSALS {
        let of_bodies = matches!(status, "409" | "413" | "415");
        if reads_body || !of_bodies {
            let shared = RefOr::Ref(Ref::from_response_name(name));
            operation.responses.responses.entry(status.to_owned()).or_insert(shared);
        }
    }
    if path.starts_with("/api/sdk/") {
        operation.parameters.get_or_insert_default().push(RefOr::T(agent_parameter()));
    }
}

fn agent_parameter() -> Parameter {
    let header = ParameterBuilder::new().name("X-Holdfast-Agent").parameter_in(ParameterIn::Header);
    let description = "The agent that a platform's or an operator's key acts for; an agent's own key needs none.";
    header.schema(Some(Ref::from_schema_name(AgentId::name()))).description(Some(description)).build()
}

fn add_shared(components: &mut Components) {
    let mut key = Http::new(HttpAuthScheme::Bearer);
    key.description =
        Some("A key of an agent, a platform or an operator. The scopes it needs stand with each operation.".to_owned());
    components.add_security_scheme("key", SecurityScheme::Http(key));
    for (_, name, description, code) in REFUSALS {
        components.responses.insert(name.to_owned(), RefOr::T(refusal(description, code)));
    }
    components.schemas.insert(RefusalBody::name().into_owned(), RefusalBody::schema());
    let mut inner = Vec::new();
    RefusalBody::schemas(&mut inner);
    inner.push((AgentId::name().into_owned(), AgentId::schema()));
    components.schemas.extend(inner);
}

fn refusal(description: &str, code: ErrorCode) -> Response {
    let example = serde_json::to_value(Refusal::new(code, description.trim_end_matches('.')).body()).ok();
    let mut content = Content::new(Some(Ref::from_schema_name(RefusalBody::name())));
    content.example = example;
    ResponseBuilder::new().description(description).content("application/json", content).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_named_after_their_paths() {
        for (method, path, id) in [
            ("post", "/api/sdk/x402/pre-authorize", "postSdkX402PreAuthorize"),
            ("delete", "/api/agents/{id}/sdk-keys/{key}", "deleteAgentsIdSdkKeysKey"),
            ("get", "/healthz", "getHealthz"),
            ("get", "/api/openapi.json", "getOpenapiJson"),
        ] {
            assert_eq!(operation_id(method, path), id);
        }
    }
}
