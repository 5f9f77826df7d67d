//! Gathers the sources of a configuration, merges them in their order, and turns the result into checked options.

use std::{
    fs,
    path::{Path, PathBuf},
};

use figment::{Figment, error::Kind, value::Dict};

use super::{Config, ConfigError, options, raw::RawConfig, source::Source};

/// The commented defaults; embedded, so that what is documented is what runs.
pub const DEFAULT_CONFIG: &str = include_str!("../../config/holdfast.toml");
const DEFAULT_ORIGIN: &str = "the embedded defaults";

/// Where settings come from, besides the embedded defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// The environment; variables that are no settings are ignored.
    pub environment: Vec<(String, String)>,
    /// What the command line says.
    pub flags: Flags,
}

/// The settings that have flags of their own, as typed.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--quic-addr`
    pub quic_addr: Option<String>,
    /// `--http-addr`
    pub http_addr: Option<String>,
}

/// Reads the whole configuration.
///
/// # Errors
/// [`ConfigError`] for the first thing that is not as expected, with key, value and place.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let defaults = Source::from_toml(DEFAULT_ORIGIN.to_owned(), DEFAULT_CONFIG)?;
    let mut figment = Figment::from(&defaults);
    for source in later_sources(sources, &defaults.values)? {
        source.check_keys(&defaults.values)?;
        figment = figment.merge(source);
    }
    let raw = figment.extract::<RawConfig>().map_err(|error| explain(&error, &figment))?;
    options::check(&raw, &figment)
}

/// File, environment and flags, the strongest last.
fn later_sources(sources: &Sources, defaults: &Dict) -> Result<Vec<Source>, ConfigError> {
    let mut later = Vec::new();
    if let Some(path) = &sources.file {
        later.push(Source::from_toml(format!("the file `{}`", path.display()), &read("the configuration", path)?)?);
    }
    later.extend(Source::from_environment(sources.environment.iter().cloned(), defaults));
    let flags = [
        ("--data-dir", "data", "dir", &sources.flags.data_dir),
        ("--quic-addr", "server", "quic_addr", &sources.flags.quic_addr),
        ("--http-addr", "server", "http_addr", &sources.flags.http_addr),
    ];
    let given = flags.into_iter().filter_map(|(flag, section, key, text)| {
        Some(Source::from_text(format!("the flag {flag}"), section, key, text.as_deref()?, defaults))
    });
    later.extend(given);
    Ok(later)
}

/// Reads a text file that the configuration needs.
pub(super) fn read(what: &'static str, path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { what, path: path.to_owned(), source })
}

/// The origin of the strongest value under a key.
pub(super) fn origin_of(key: &str, figment: &Figment) -> String {
    figment.find_metadata(key).map_or_else(|| DEFAULT_ORIGIN.to_owned(), |metadata| metadata.name.to_string())
}

/// A type error in our own words. Keys were checked before, so what is left is a value of another type.
fn explain(error: &figment::Error, figment: &Figment) -> ConfigError {
    let key = error.path.join(".");
    let (value, expected) = match &error.kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            (actual.to_string(), in_plain_words(expected))
        }
        other => (String::from("?"), other.to_string()),
    };
    ConfigError::Invalid { origin: origin_of(&key, figment), key, value, expected }
}

/// Serde names Rust types; people who write configurations need not know them.
fn in_plain_words(expected: &str) -> String {
    match expected {
        "u64" => "a whole number, not negative".to_owned(),
        "a string" => "a text in quotes, such as \"0.05\"".to_owned(),
        "a boolean" => "true or false".to_owned(),
        other if other.starts_with("struct ") => "a section, such as [server]".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Durability, StoreKind, policy_file},
        engine::EngineOptions,
        kernel::Amount,
    };

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { environment, ..Sources::default() }
    }

    fn file(text: &str) -> (tempfile::TempDir, Sources) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("holdfast.toml");
        fs::write(&path, text).unwrap();
        (directory, Sources { file: Some(path), ..Sources::default() })
    }

    /// The error must contain each of the words: key, value, place, expectation.
    fn check_refused(text: &str, words: &[&str]) {
        let (_directory, sources) = file(text);
        let message = load(&sources).unwrap_err().to_string();
        for word in words.iter().chain(["holdfast.toml"].iter()) {
            assert!(message.contains(word), "`{word}` is not in: {message}");
        }
    }

    #[test]
    fn the_embedded_file_says_exactly_what_the_code_defaults_to() {
        let config = load(&Sources::default()).unwrap();
        let default_policy = policy_file::parse(include_str!("../../config/policies/default.toml")).unwrap();
        // Their descriptions, since options are not compared anywhere else.
        assert_eq!(format!("{:?}", config.engine), format!("{:?}", EngineOptions::new(default_policy)));
        assert_eq!(config.server.quic_addr.to_string(), "127.0.0.1:4402");
        assert_eq!(config.server.http_addr.to_string(), "127.0.0.1:8402");
        assert_eq!(config.data.store, StoreKind::Sled);
        assert_eq!(config.data.durability, Durability::Process);
        assert_eq!(config.tls, None);
    }

    #[test]
    fn every_key_of_the_embedded_file_has_a_comment_above_it() {
        let mut commented = false;
        for line in DEFAULT_CONFIG.lines() {
            let is_key = line.contains(" = ") && !line.starts_with('#');
            // Keys of one comment may stand together; a blank line or a section ends what a comment covers.
            commented = line.starts_with('#') || (is_key && commented);
            assert!(!is_key || commented, "`{line}` is not explained");
        }
    }

    #[test]
    fn the_stronger_source_wins() {
        let text = "[server]\nquic_addr = \"127.0.0.1:1\"\nhttp_addr = \"127.0.0.1:1\"\n[data]\ndir = \"from-file\"\n";
        let (_directory, mut sources) = file(text);
        sources.environment =
            environment(&[("HOLDFAST_SERVER__HTTP_ADDR", "127.0.0.1:2"), ("HOLDFAST_DATA__DIR", "from-environment")])
                .environment;
        sources.flags.data_dir = Some("from-flag".to_owned());
        let config = load(&sources).unwrap();
        assert_eq!(config.server.quic_addr.port(), 1);
        assert_eq!(config.server.http_addr.port(), 2);
        assert_eq!(config.data.dir, PathBuf::from("from-flag"));
    }

    #[test]
    fn the_environment_takes_the_type_of_the_key() {
        let config = load(&environment(&[
            ("HOLDFAST_LEASE__CEILING", "0.50"),
            ("HOLDFAST_ENGINE__WORKERS", "3"),
            ("HOLDFAST_AGENTS__REQUIRE_WALLET", "false"),
            ("HOLDFAST_OPERATOR_KEY", "not a setting"),
            ("HOLDFAST_KEY", "not a setting"),
        ]))
        .unwrap();
        assert_eq!(config.engine.kernel.lease.ceiling, Amount::from_micros(500_000));
        assert_eq!(config.engine.workers, 3);
        assert!(!config.engine.kernel.require_wallet);
    }

    #[test]
    fn refusals_name_key_value_place_and_expectation() {
        check_refused("[server]\nhttp_adr = \"x\"", &["server.http_adr", "`server.http_addr`"]);
        check_refused("[engine]\nworker = 1", &["engine.worker", "`engine.workers`"]);
        check_refused("[sever]\nhttp_addr = \"x\"", &["sever.http_addr", "`server.http_addr`"]);
        check_refused("[engine]\nworkers = 0", &["engine.workers = 0", "from 1 to 64"]);
        check_refused("[engine]\nworkers = \"two\"", &["engine.workers", "two", "whole number"]);
        check_refused("[engine]\nworkers = -1", &["engine.workers", "-1", "whole number"]);
        check_refused("[lease]\nfloor = 0.5", &["lease.floor", "0.5", "text in quotes"]);
        check_refused("[lease]\nfloor = \"0.0000001\"", &["lease.floor", "0.0000001", "6 digits"]);
        check_refused("[lease]\nfloor = \"2000\"", &["lease.floor", "2000", "1000.00"]);
        check_refused("[data]\nstore = \"postgres\"", &["data.store", "postgres", "\"sled\" or \"memory\""]);
        check_refused("[server]\nquic_addr = \"localhost\"", &["server.quic_addr", "localhost", "port"]);
        check_refused("[holds]\ndefault_s = 9999999", &["holds.default_s", "9999999", "604800"]);
        check_refused("[tls]\nkey_file = \"key.pem\"", &["tls.key_file", "tls.certificate_file beside it"]);
        check_refused("[log]\nformat = \"xml\"", &["log.format", "xml", "\"text\" or \"json\""]);
        check_refused("[mcp]\nhosts = \"a b\"", &["mcp.hosts", "a b", "pay.example.com"]);
        check_refused("[server", &["TOML", "line 1"]);
        check_refused("server = 1", &["server", "section"]);
    }

    #[test]
    fn an_environment_variable_is_named_in_the_error() {
        let message = load(&environment(&[("HOLDFAST_ENGINE__WORKERS", "many")])).unwrap_err().to_string();
        assert!(message.contains("HOLDFAST_ENGINE__WORKERS"), "{message}");
        let message = load(&environment(&[("HOLDFAST_ENGINE__WORKRES", "1")])).unwrap_err().to_string();
        assert!(message.contains("`engine.workers`"), "{message}");
    }

    #[test]
    fn plain_http_beyond_loopback_must_be_asked_for() {
        check_refused("[server]\nhttp_addr = \"0.0.0.0:8402\"", &["server.http_addr", "allow_plain_http"]);
        let (_directory, sources) = file("[server]\nhttp_addr = \"0.0.0.0:8402\"\nallow_plain_http = true");
        assert!(load(&sources).is_ok());
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let sources = Sources { file: Some("nowhere.toml".into()), ..Sources::default() };
        assert!(load(&sources).unwrap_err().to_string().contains("nowhere.toml"));
    }
}
