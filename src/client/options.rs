//! What a client has to be told.

use std::{fmt, net::SocketAddr, time::Duration};

use super::Trust;

/// Where the gateway is, who asks, and how patiently.
#[derive(Clone)]
pub struct ClientOptions {
    /// The advertised address of the gateway.
    pub address: SocketAddr,
    /// The name in the gateway's certificate.
    pub server_name: String,
    /// How the gateway is recognised.
    pub trust: Trust,
    /// The API key.
    pub credential: String,
    /// What the client calls itself, for the gateway's log.
    pub client_name: String,
    /// Connections to each worker. One is enough for most; more use more cores of the client.
    pub connections_per_worker: u16,
    /// How long a request may take, with all its retries.
    pub timeout: Duration,
    /// How requests are repeated.
    pub retry: RetryOptions,
}

/// How requests are repeated that were not answered, or answered with an error that time may cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryOptions {
    /// How often a request is sent at most; 1 never repeats.
    pub attempts_max: u32,
    /// The pause before the first repetition. It doubles with each, and each is shortened by up to a half at random.
    pub pause_min: Duration,
    /// The longest pause.
    pub pause_max: Duration,
}

impl ClientOptions {
    /// Options with the defaults: one connection a worker, 5 seconds a request.
    #[must_use]
    pub fn new(address: SocketAddr, trust: Trust, credential: impl Into<String>) -> ClientOptions {
        ClientOptions {
            address,
            server_name: "localhost".to_owned(),
            trust,
            credential: credential.into(),
            client_name: concat!("holdfast-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            connections_per_worker: 1,
            timeout: Duration::from_secs(5),
            retry: RetryOptions::default(),
        }
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        RetryOptions { attempts_max: 12, pause_min: Duration::from_millis(20), pause_max: Duration::from_secs(1) }
    }
}

impl RetryOptions {
    /// The pause before the repetition that follows attempt number `attempt` (from 0), at least `asked`; `random` is any number.
    pub(super) fn pause(&self, attempt: u32, asked: Duration, random: u32) -> Duration {
        let doubled = self.pause_min.saturating_mul(2u32.saturating_pow(attempt.min(30)));
        let pause = doubled.min(self.pause_max).max(asked);
        // Those who are told the same pause at the same time must not come back at the same time: after it, not before.
        let share = pause / 2;
        if asked == pause { pause + share.mul_f64(fraction(random)) } else { pause - share.mul_f64(fraction(random)) }
    }
}

/// From 0 to 1.
fn fraction(random: u32) -> f64 {
    f64::from(random) / f64::from(u32::MAX)
}

impl fmt::Debug for ClientOptions {
    /// Without the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientOptions")
            .field("address", &self.address)
            .field("server_name", &self.server_name)
            .field("trust", &self.trust)
            .field("client_name", &self.client_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_never_shorter_than_asked() {
        let retry = RetryOptions::default();
        let ms = Duration::from_millis;
        for (attempt, asked, random, expected) in [
            (0, ms(0), 0, ms(20)),
            (0, ms(0), u32::MAX, ms(10)),
            (1, ms(0), 0, ms(40)),
            (5, ms(0), 0, ms(640)),
            (6, ms(0), 0, ms(1000)),
            (1000, ms(0), 0, ms(1000)),
            (0, ms(500), 0, ms(500)),
            (0, ms(500), u32::MAX, ms(750)),
        ] {
            assert_eq!(retry.pause(attempt, asked, random), expected, "{attempt} {asked:?} {random}");
        }
    }
}
