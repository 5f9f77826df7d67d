//! The domain that a service is named by, whether it is written as a domain or as a URL.

/// The host of a URL such as `https://api.example.com:8443/data?x=1`, as it is written there, without its port.
/// `None` where there is no host, where a user name stands before it (`https://api.example.com@evil.example/` is a
/// visit to `evil.example`), or where it has characters that a host name cannot have.
#[must_use]
pub fn host_of_url(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        return None;
    }
    // Browsers read a backslash as a slash, so a host ends there too.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let (host, port) = match authority.find(']') {
        Some(end) => authority.split_at_checked(end + 1)?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    let port_is_plain = port.strip_prefix(':').unwrap_or(port).bytes().all(|b| b.is_ascii_digit());
    let port_is_apart = port.is_empty() || port.starts_with(':');
    (port_is_plain && port_is_apart && is_host(host)).then_some(host)
}

/// The domain that an entry of a service list names. The error completes "expected …".
pub(super) fn domain_of_entry(entry: &str) -> Result<&str, &'static str> {
    const WILDCARD_EXPECTED: &str =
        "a domain such as `api.example.com`, or `*.example.com` for all domains under `example.com`";
    const EXPECTED: &str = "a domain such as `api.example.com`, without port and path, or a URL";
    if let Some(domain) = entry.strip_prefix("*.") {
        let is_domain = is_host(domain) && !domain.starts_with(['.', '[']);
        return if is_domain { Ok(entry) } else { Err(WILDCARD_EXPECTED) };
    }
    if entry.contains('*') {
        return Err(WILDCARD_EXPECTED);
    }
    if entry.contains("://") {
        return host_of_url(entry).ok_or(EXPECTED);
    }
    if is_host(entry) { Ok(entry) } else { Err(EXPECTED) }
}

/// Whether `text` can be a host name, an IPv4 address or an IPv6 address in brackets. Domains with other letters are
/// written in their ASCII form (`xn--…`), as requests carry them: an entry that no request can match would block nothing.
fn is_host(text: &str) -> bool {
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let in_address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.bytes().all(in_address),
        None => !text.is_empty() && text.bytes().all(in_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(host_of_url(url), expected, "{url}");
    }

    #[test]
    fn a_url_gives_its_host() {
        check("https://api.example.com", Some("api.example.com"));
        check("https://api.example.com/data?x=http://other.example", Some("api.example.com"));
        check("http://API.example.com:8443/", Some("API.example.com"));
        check("https://api.example.com?x", Some("api.example.com"));
        check("https://api.example.com\\@evil.example/", Some("api.example.com"));
        check("http://127.0.0.1:3000", Some("127.0.0.1"));
        check("http://[::1]:3000/x", Some("[::1]"));
    }

    #[test]
    fn what_has_no_plain_host_gives_none() {
        for url in [
            "",
            "api.example.com",
            "https://",
            "https:///path",
            "https://:443/",
            "https://user@evil.example/",
            "https://api.example.com:x@evil.example/",
            "https://api.example.com:443:1/",
            "https://[::1]x/",
            "https://[::1",
            "https://exämple.com/",
            "https://a b/",
            "://api.example.com",
        ] {
            check(url, None);
        }
    }
}
