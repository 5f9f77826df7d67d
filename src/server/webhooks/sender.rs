//! One attempt to deliver: a POST to the webhook's URL that follows no redirect and ends in time.

use std::{fmt, sync::Arc, time::Duration};

use ureq::{
    Agent,
    http::Request,
    unversioned::{resolver::Resolver, transport::DefaultConnector},
};

use super::guard::{Allowed, Guard};

/// The longest that an attempt may take, from the look-up to the answer's headers.
pub const ATTEMPT_WAIT_MAX: Duration = Duration::from_secs(15);
/// The longest that a connection may take to be made.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// The most bytes of an answer's headers. The body is not read.
const ANSWER_HEADER_BYTES_MAX: usize = 16 * 1024;

/// What is sent in an attempt.
pub(super) struct Attempt {
    pub(super) url: String,
    pub(super) headers: [(&'static str, String); 7],
    pub(super) body: Arc<str>,
}

impl fmt::Debug for Attempt {
    /// The headers hold a signature, and a URL may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// Makes attempts.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    agent: Agent,
}

impl Sender {
    pub(super) fn new(lookup: Arc<dyn Resolver>, allowed: Allowed, wait_max: Duration) -> Sender {
        let config = Agent::config_builder()
            .https_only(!allowed.http)
            .http_status_as_error(false)
            .max_redirects(0)
            // A proxy would look names up on its own, behind the guard.
            .proxy(None)
            .timeout_global(Some(wait_max))
            .timeout_connect(Some(CONNECT_WAIT_MAX.min(wait_max)))
            .max_response_header_size(ANSWER_HEADER_BYTES_MAX)
            .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
            .build();
        let guard = Guard::new(lookup, allowed.private_addresses);
        Sender { agent: Agent::with_parts(config, DefaultConnector::default(), guard) }
    }

    /// Delivered is what is answered with a status of 200 to 299.
    ///
    /// # Errors
    /// What went wrong, in words for the dead-letter list.
    pub(super) fn send(&self, attempt: &Attempt) -> Result<(), String> {
        let mut request = Request::post(&attempt.url).header("content-type", "application/json");
        for (name, value) in &attempt.headers {
            request = request.header(*name, value);
        }
        let request = request.body(&*attempt.body).map_err(|_| "the URL cannot be asked".to_owned())?;
        let answer = self.agent.run(request).map_err(|error| reason(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => Err(format!("answered {status}; redirects are not followed")),
            status => Err(format!("answered {status}")),
        }
    }
}

/// The error without what it might quote of the URL.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => format!("failed to connect: {error}"),
        ureq::Error::Timeout(_) => "no answer came in time".to_owned(),
        ureq::Error::RequireHttpsOnly(_) => "the URL is not `https`; see `webhooks.allow_http`".to_owned(),
        ureq::Error::HostNotFound => "the host was not found".to_owned(),
        ureq::Error::ConnectionFailed => "failed to connect".to_owned(),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "no trusted encrypted connection could be made".to_owned(),
        _ => "the answer could not be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{SocketAddr, TcpListener},
        thread,
    };

    use ureq::{
        config::Config,
        http::Uri,
        unversioned::{resolver::ResolvedSocketAddrs, transport::NextTimeout},
    };

    use super::*;

    /// Finds the same address for every name.
    #[derive(Debug)]
    struct Always(SocketAddr);

    impl Resolver for Always {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            found.push(self.0);
            Ok(found)
        }
    }

    /// Answers one request, and gives what it was.
    fn answer_once(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let receiver = thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut bytes = [0; 4096];
            let count = connection.read(&mut bytes).unwrap();
            connection.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        });
        (address, receiver)
    }

    fn send(address: SocketAddr, allowed: Allowed, url: &str) -> Result<(), String> {
        let sender = Sender::new(Arc::new(Always(address)), allowed, Duration::from_secs(20));
        let headers = std::array::from_fn(|_| ("x-test", String::new()));
        sender.send(&Attempt { url: url.to_owned(), headers, body: "{}".into() })
    }

    const OPEN: Allowed = Allowed { private_addresses: true, http: true };

    #[test]
    fn the_connection_goes_to_the_address_that_was_looked_at_and_the_name_stays() {
        let (address, receiver) = answer_once("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(send(address, OPEN, "http://hooks.example.com/a"), Ok(()));
        let request = receiver.join().unwrap().to_ascii_lowercase();
        assert!(request.starts_with("post /a http/1.1\r\n") && request.contains("host: hooks.example.com\r\n"));
    }

    #[test]
    fn a_name_that_leads_to_a_private_address_is_not_asked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let strict = Allowed { private_addresses: false, ..OPEN };
        let reason = send(listener.local_addr().unwrap(), strict, "http://hooks.example.com/").unwrap_err();
        assert!(reason.contains("127.0.0.1 is not a public address"), "{reason}");
        assert!(listener.accept().is_err(), "nobody was asked");
    }

    #[test]
    fn nothing_is_sent_in_the_clear_unless_that_is_allowed() {
        let strict = Allowed { http: false, ..OPEN };
        let reason =
            send("127.0.0.1:9".parse().unwrap(), strict, "http://hooks.example.com/?token=s3cret").unwrap_err();
        assert!(reason.contains("allow_http") && !reason.contains("s3cret"), "{reason}");
    }

    #[test]
    fn redirects_are_answers_and_not_followed() {
        let (address, receiver) = answer_once("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\n\r\n");
        let reason = send(address, OPEN, "http://hooks.example.com/").unwrap_err();
        assert!(reason.contains("302") && reason.contains("not followed"), "{reason}");
        receiver.join().unwrap();
    }
}
