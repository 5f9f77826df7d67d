//! How clients of a gateway that was killed learn it at once: the gateway that comes back answers the packets of connections
//! that it does not know with a stateless reset (RFC 9000, section 10.3), which only somebody with the same key can make.
//! The key is derived from the certificate's private key, so it is secret and outlives the process.

use std::sync::Arc;

use quinn::{
    ConnectionId, ConnectionIdGenerator, EndpointConfig,
    crypto::{CryptoError, HmacKey},
};
use rustls_pki_types::PrivateKeyDer;
use subtle::ConstantTimeEq;

/// Bytes of a connection's id. Long enough that two never meet.
const ID_BYTES: usize = 8;
/// Separates this use of the private key from any other.
const CONTEXT: &str = "holdfast 2026-11 quic stateless reset key";

/// The key of stateless resets.
#[derive(Clone)]
pub(super) struct ResetKey([u8; blake3::KEY_LEN]);

impl ResetKey {
    pub(super) fn of(key: &PrivateKeyDer<'_>) -> ResetKey {
        ResetKey(blake3::derive_key(CONTEXT, key.secret_der()))
    }

    /// Settings of an endpoint that resets connections of before it.
    pub(super) fn endpoint_config(&self) -> EndpointConfig {
        let mut config = EndpointConfig::new(Arc::new(self.clone()));
        // Ids that the endpoint could recognise as its own would make it drop those of its predecessor in silence.
        config.cid_generator(|| Box::new(RandomIds));
        config
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        blake3::Hasher::new_keyed(&self.0).update(data).finalize_xof().fill(signature_out);
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let expected = blake3::keyed_hash(&self.0, data);
        if bool::from(expected.as_bytes().ct_eq(signature)) { Ok(()) } else { Err(CryptoError) }
    }
}

struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).expect("the system has random bytes; without them there is no TLS either");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quinn::{ConnectionError, Endpoint};
    use rustls_pki_types::PrivatePkcs8KeyDer;
    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::{
        client::{Fingerprint, Trust},
        server::quic::endpoint::{Listening, bind},
    };

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_client_learns_at_once_that_its_gateway_was_killed() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let certificate = made.cert.der().clone();
        let listening = Listening::new(vec![certificate.clone()], key).unwrap();
        let socket = bind(([127, 0, 0, 1], 0).into(), 1).unwrap().remove(0);
        let address = socket.local_addr().unwrap();

        let (client_side, first) = (runtime(), runtime());
        let client = client_side.block_on(async { Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap() });
        let server = first.block_on(async { listening.endpoint(socket).unwrap() });
        let tls = Trust::Fingerprint(Fingerprint::of(&certificate)).quic_config().unwrap();
        // The client's runtime rests while the server's runs, so both are driven together until they know each other.
        let accepting = first.spawn(async move { (server.accept().await.unwrap().await.unwrap(), server) });
        let (driver, running) = std::sync::mpsc::channel::<()>();
        let first = std::thread::spawn(move || {
            let held = first.block_on(accepting).unwrap();
            first.block_on(async {
                while running.try_recv().is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            // As when the process is killed: whoever could say goodbye is gone before the connection is dropped.
            drop(first);
            drop(held);
        });
        let connection =
            client_side.block_on(async { client.connect_with(tls, address, "localhost").unwrap().await.unwrap() });
        driver.send(()).unwrap();
        first.join().unwrap();

        let second = runtime();
        let socket = bind(address, 1).unwrap().remove(0);
        let _server = second.block_on(async { listening.endpoint(socket).unwrap() });
        let (driver, running) = std::sync::mpsc::channel::<()>();
        let second = std::thread::spawn(move || {
            second.block_on(async {
                while running.try_recv().is_err() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
        });
        let closed = client_side.block_on(async {
            let (mut send, _recv) = connection.open_bi().await.unwrap();
            send.write_all(&[7; 100]).await.unwrap();
            tokio::time::timeout(Duration::from_secs(5), connection.closed()).await
        });
        driver.send(()).unwrap();
        second.join().unwrap();
        assert_eq!(closed.expect("in time"), ConnectionError::Reset);
    }
}
