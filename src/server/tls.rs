//! The gateway's certificate: from files, or self-signed at the first start, with the fingerprint that clients pin.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use thiserror::Error;

use super::data_dir::{self, DataDir};
use crate::{client::Fingerprint, config::TlsFiles};

/// A certificate chain with its private key.
pub struct Certificate {
    /// The chain, the gateway's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first certificate.
    pub key: PrivateKeyDer<'static>,
    /// What clients pin.
    pub fingerprint: Fingerprint,
}

/// Why there is no certificate to serve with.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A PEM file that cannot be read or understood.
    #[error("failed to read the {what} `{}`: {message}", path.display())]
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The certificate cannot be made.
    #[error("failed to make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// It cannot be written.
    #[error("failed to write `{}`: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The certificate of the configuration, or the self-signed one of the data directory, which is made if it is not there.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn certificate(files: Option<&TlsFiles>, data: &DataDir, quic_addr: SocketAddr) -> Result<Certificate, TlsError> {
    let certificate = match files {
        Some(files) => read(&files.certificate, &files.key)?,
        None => self_signed(&data.tls(), quic_addr)?,
    };
    keep_fingerprint(&data.fingerprint(), &format!("{}\n", certificate.fingerprint))?;
    Ok(certificate)
}

fn self_signed(directory: &Path, quic_addr: SocketAddr) -> Result<Certificate, TlsError> {
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    // The certificate is written last, so where it is, its key is.
    if !certificate.exists() {
        generate(&certificate, &key, quic_addr)?;
    }
    read(&certificate, &key)
}

fn generate(certificate: &Path, key: &Path, quic_addr: SocketAddr) -> Result<(), TlsError> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let address = quic_addr.ip().to_string();
    if !quic_addr.ip().is_unspecified() && !names.contains(&address) {
        names.push(address);
    }
    let pair = rcgen::KeyPair::generate()?;
    let mut parameters = rcgen::CertificateParams::new(names)?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "holdfast");
    let signed = parameters.self_signed(&pair)?;
    if let Some(directory) = key.parent() {
        data_dir::create_directory(directory).map_err(unwritable(directory))?;
    }
    data_dir::write_secret(key, &pair.serialize_pem()).map_err(unwritable(key))?;
    data_dir::write_public(certificate, &signed.pem()).map_err(unwritable(certificate))
}

fn read(certificate: &Path, key: &Path) -> Result<Certificate, TlsError> {
    let unreadable = |what, path: &Path, message: String| TlsError::Unreadable { what, path: path.to_owned(), message };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("certificate", certificate, error.to_string()))?;
    let Some(own) = chain.first() else {
        return Err(unreadable("certificate", certificate, "it holds no certificate in PEM form".to_owned()));
    };
    let fingerprint = Fingerprint::of(own);
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("private key", key, error.to_string()))?;
    Ok(Certificate { chain, key, fingerprint })
}

/// Writes the fingerprint unless the file says it already.
fn keep_fingerprint(path: &Path, text: &str) -> Result<(), TlsError> {
    if std::fs::read_to_string(path).is_ok_and(|written| written == text) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        data_dir::create_directory(directory).map_err(unwritable(directory))?;
    }
    data_dir::write_public(path, text).map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Unwritable { path, source }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn address() -> SocketAddr {
        "10.1.2.3:4402".parse().unwrap()
    }

    #[test]
    fn the_first_start_makes_a_certificate_and_later_ones_keep_it() {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDir::new(directory.path());
        let first = certificate(None, &data, address()).unwrap();
        let again = certificate(None, &data, address()).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(fs::read_to_string(data.fingerprint()).unwrap(), format!("{}\n", first.fingerprint));
        let mode = fs::metadata(data.tls().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_from_files_is_used_and_its_fingerprint_kept() {
        let directory = tempfile::tempdir().unwrap();
        let own = DataDir::new(directory.path().join("own"));
        let made = certificate(None, &own, address()).unwrap();
        let files = TlsFiles { certificate: own.tls().join("certificate.pem"), key: own.tls().join("key.pem") };
        let other = DataDir::new(directory.path().join("other"));
        assert_eq!(certificate(Some(&files), &other, address()).unwrap().fingerprint, made.fingerprint);
        assert!(other.fingerprint().exists());
    }

    #[test]
    fn a_bad_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("empty.pem");
        fs::write(&empty, "").unwrap();
        let files = TlsFiles { certificate: empty.clone(), key: empty };
        let error = certificate(Some(&files), &DataDir::new(directory.path()), address()).err().unwrap();
        assert!(error.to_string().contains("empty.pem"), "{error}");
    }
}
