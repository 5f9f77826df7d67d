//! One source of settings: a table of values and the words for where it was written.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::ConfigError;

/// The environment variables that are settings begin with this and name a section and a key, separated by two underscores.
const ENVIRONMENT_PREFIX: &str = "HOLDFAST_";
const ENVIRONMENT_SEPARATOR: &str = "__";
/// A suggestion is only helpful where the words are this much alike.
const SIMILARITY_MIN: f64 = 0.7;

/// A table of settings from one place.
pub(super) struct Source {
    /// Completes "… in …".
    pub(super) origin: String,
    pub(super) values: Dict,
}

impl Source {
    pub(super) fn from_toml(origin: String, text: &str) -> Result<Source, ConfigError> {
        match toml::from_str::<Dict>(text) {
            Ok(values) => Ok(Source { origin, values }),
            Err(error) => Err(ConfigError::Malformed { origin, message: error.to_string().trim_end().to_owned() }),
        }
    }

    /// A single setting. Its text takes the type of the default under the same key, so that `0.50` stays text for money.
    pub(super) fn from_text(origin: String, section: &str, key: &str, text: &str, defaults: &Dict) -> Source {
        let value = match defaults.get(section).and_then(Value::as_dict).and_then(|keys| keys.get(key)) {
            Some(Value::Num(..)) => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
            Some(Value::Bool(..)) => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
            _ => Value::from(text),
        };
        let keys = Dict::from([(key.to_owned(), value)]);
        Source { origin, values: Dict::from([(section.to_owned(), Value::from(keys))]) }
    }

    /// The settings among environment variables. Others of the same prefix, such as `HOLDFAST_KEY`, are not settings.
    pub(super) fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
        defaults: &Dict,
    ) -> Vec<Source> {
        let setting = |(name, text): (String, String)| {
            let (section, key) = name.strip_prefix(ENVIRONMENT_PREFIX)?.split_once(ENVIRONMENT_SEPARATOR)?;
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            Some(Source::from_text(format!("the environment variable {name}"), &section, &key, &text, defaults))
        };
        variables.into_iter().filter_map(setting).collect()
    }

    /// Every key must be one of the defaults'.
    pub(super) fn check_keys(&self, defaults: &Dict) -> Result<(), ConfigError> {
        let unknown = |key: String| {
            let nearest = nearest(&key, defaults);
            Err(ConfigError::UnknownKey { key, origin: self.origin.clone(), nearest })
        };
        for (section, keys) in &self.values {
            let Some(known) = defaults.get(section).and_then(Value::as_dict) else {
                return unknown(
                    keys.as_dict()
                        .and_then(|keys| keys.keys().next())
                        .map_or_else(|| section.clone(), |key| format!("{section}.{key}")),
                );
            };
            for key in keys.as_dict().into_iter().flat_map(|keys| keys.keys()) {
                if !known.contains_key(key) {
                    return unknown(format!("{section}.{key}"));
                }
            }
        }
        Ok(())
    }
}

impl Provider for Source {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The known key that is most like `key`, if any is: the whole path, or the same last word in another section.
fn nearest(key: &str, defaults: &Dict) -> Option<String> {
    let last = key.rsplit('.').next().unwrap_or(key);
    let paths = defaults.iter().flat_map(|(section, keys)| {
        keys.as_dict().into_iter().flat_map(move |keys| keys.keys().map(move |key| (section, key)))
    });
    let alike = |section: &str, known: &str| {
        let whole = strsim::jaro_winkler(key, &format!("{section}.{known}"));
        whole.max(strsim::jaro_winkler(last, known) - f64::EPSILON)
    };
    paths
        .map(|(section, known)| (alike(section, known), format!("{section}.{known}")))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .map(|(_, path)| path)
}
