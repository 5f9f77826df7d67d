//! One thing that a service sells: its domain, and the path of a URL there.

use std::{borrow::Cow, num::NonZeroU32};

use bincode::{Decode, Encode};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Name;

/// An endpoint, known by a hash of its service and of its path: there is one in every hold and every event of an agent whose endpoints are
/// counted. What has the same name has the same hash, and two of an agent's endpoints that should meet in one hash are limited together:
/// never less than each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct EndpointId(pub NonZeroU32);

impl EndpointId {
    /// The endpoint of a resource at a service. The host of the URL does not matter, since the service is known.
    #[must_use]
    pub fn of(service: Option<&Name<'_>>, resource: &str) -> EndpointId {
        let hash = xxh3_64_with_seed(path(resource).as_bytes(), service.map_or(0, Name::hash));
        EndpointId(NonZeroU32::new(hash as u32).unwrap_or(NonZeroU32::MIN))
    }
}

/// The path of a URL in one form: without query and fragment, with `.` and `..` resolved, without empty segments and without a slash at the
/// end; what needs no percent-encoding has none, and what has it is in upper case. `/` where there is nothing else.
#[must_use]
pub fn path(url: &str) -> Cow<'_, str> {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find(['/', '\\']).map_or("", |slash| rest.get(slash..).unwrap_or_default()),
        None => url,
    };
    if is_plain(path) { Cow::Borrowed(path) } else { Cow::Owned(resolved(&decoded(path))) }
}

/// Whether a path is in its one form already, as nearly all are.
fn is_plain(path: &str) -> bool {
    let segments = path.strip_prefix('/').unwrap_or_default();
    !segments.is_empty()
        && !path.contains(['%', '\\'])
        && segments.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Percent-encoded letters, digits, `-`, `.`, `_` and `~` as themselves (RFC 3986, 6.2.2), and `\` as `/`, as browsers read it.
fn decoded(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        rest = rest.get(letter.len_utf8()..).unwrap_or_default();
        let is_code = |digits: &&str| letter == '%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = rest.get(..2).filter(is_code).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (letter, code) {
            (_, Some(code)) => {
                rest = rest.get(2..).unwrap_or_default();
                match char::from(code) {
                    plain if plain.is_ascii_alphanumeric() || "-._~".contains(plain) => decoded.push(plain),
                    _ => decoded.push_str(&format!("%{code:02X}")),
                }
            }
            ('\\', None) => decoded.push('/'),
            (letter, None) => decoded.push(letter),
        }
    }
    decoded
}

fn resolved(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_has_one_path() {
        for (url, expected) in [
            ("https://api.example.com/v1/weather", "/v1/weather"),
            ("https://api.example.com/v1/weather?city=Berlin#now", "/v1/weather"),
            ("https://api.example.com:8443/v1/weather/", "/v1/weather"),
            ("https://api.example.com//v1/./x/../weather", "/v1/weather"),
            ("https://api.example.com/v1/%77eather", "/v1/weather"),
            ("https://api.example.com/v1\\weather", "/v1/weather"),
            ("https://api.example.com/%2e%2E/v1/weather", "/v1/weather"),
            ("/v1/weather", "/v1/weather"),
            ("v1/weather", "/v1/weather"),
            ("https://api.example.com/a%2fb%c3%a4", "/a%2Fb%C3%A4"),
            ("https://api.example.com/a%2", "/a%2"),
            ("https://api.example.com/ä%", "/ä%"),
            ("https://api.example.com/%+1", "/%+1"),
            ("https://api.example.com/Weather", "/Weather"),
            ("https://api.example.com", "/"),
            ("https://api.example.com?x=/y", "/"),
            ("https://api.example.com/..", "/"),
            ("", "/"),
        ] {
            assert_eq!(path(url), expected, "{url}");
            assert_eq!(path(expected), expected);
        }
    }

    #[test]
    fn an_endpoint_is_a_path_at_a_service() {
        let service = |text| Name::service(text).unwrap();
        let (a, b) = (service("a.example"), service("b.example"));
        let at = EndpointId::of(Some(&a), "https://a.example/x");
        assert_eq!(at, EndpointId::of(Some(&service("A.example.")), "http://other.example/x?y"));
        assert_ne!(at, EndpointId::of(Some(&a), "https://a.example/y"));
        assert_ne!(at, EndpointId::of(Some(&b), "https://a.example/x"));
        assert_ne!(at, EndpointId::of(None, "https://a.example/x"));
    }
}
