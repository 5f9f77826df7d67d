//! Which service is paid: the host of the resource's URL. If a request names both and they differ, the limits of one service would be
//! checked while the payment goes to the other.

use crate::kernel::policy::service::host_of_url;

use super::{Object, Refusal};

const DOMAIN_EXPECTED: &str = "the host of `resourceUrl`, such as `api.example.com`";
const URL_EXPECTED: &str = "an absolute URL without user name and in ASCII, such as `https://api.example.com/data`";

/// The service that a payment is for, from `resourceUrl` and `serviceDomain`, of which either may be absent: a host in lower case,
/// without port and trailing dot, as policies name it.
///
/// # Errors
/// A [`Refusal`] where neither is present, one cannot be read, or the two differ.
pub fn service_domain(object: &Object<'_>, resource: Option<&str>, given: Option<&str>) -> Result<String, Refusal> {
    let invalid = |name: &str, found: &str, expected: &str| Refusal::invalid(object.place(name), found, expected);
    let derived =
        resource.map(|url| host(url).ok_or_else(|| invalid("resourceUrl", "has no plain host", URL_EXPECTED)));
    let given =
        given.map(|text| domain(text).ok_or_else(|| invalid("serviceDomain", "is not a domain", DOMAIN_EXPECTED)));
    match (derived.transpose()?, given.transpose()?) {
        (Some(derived), Some(given)) if derived != given => {
            Err(invalid("serviceDomain", "is not the host of `resourceUrl`", &format!("`{derived}`")))
        }
        (Some(service), _) | (None, Some(service)) => Ok(service),
        (None, None) => Err(invalid("resourceUrl", "is missing", URL_EXPECTED)),
    }
}

/// The host of a URL. White space and backslashes are read differently by different clients, so they are read by none.
fn host(url: &str) -> Option<String> {
    let plain = url.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '\\');
    host_of_url(url).filter(|_| plain).and_then(canonical)
}

/// A domain as clients write it: bare, with a port, or as a URL.
fn domain(text: &str) -> Option<String> {
    if text.contains("://") {
        return host(text);
    }
    let bare = !text.contains(['/', '?', '#', '@']);
    bare.then(|| host(&format!("https://{text}"))).flatten()
}

fn canonical(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(resource: Option<&str>, given: Option<&str>, expected: Result<&str, &str>) {
        let object = Object::read(b"{}").unwrap();
        let outcome = service_domain(&object, resource, given);
        let outcome = outcome.as_deref().map_err(|refusal| refusal.field().unwrap_or_default());
        assert_eq!(outcome, expected, "{resource:?} {given:?}");
    }

    #[test]
    fn the_service_is_the_host_of_the_resource() {
        for (url, service) in [
            ("https://api.example.com/data", "api.example.com"),
            ("https://API.Example.COM:443/data?x=1#y", "api.example.com"),
            ("http://api.example.com.:8080", "api.example.com"),
            ("https://api.service.com/stream?u=https://evil.example@x", "api.service.com"),
            ("mcp://tools.example.com/search", "tools.example.com"),
            ("http://127.0.0.1:3000/x", "127.0.0.1"),
            ("http://[::1]:3000/x", "[::1]"),
        ] {
            check(Some(url), None, Ok(service));
            check(Some(url), Some(service), Ok(service));
        }
    }

    #[test]
    fn the_given_domain_may_be_written_in_several_ways() {
        let url = Some("https://api.example.com/data");
        for given in
            ["api.example.com", "API.EXAMPLE.COM", "api.example.com.", "api.example.com:443", "https://api.example.com"]
        {
            check(url, Some(given), Ok("api.example.com"));
            check(None, Some(given), Ok("api.example.com"));
        }
    }

    #[test]
    fn a_payment_to_one_and_a_check_of_the_other_is_refused() {
        let url = Some("https://evil.example/data");
        for given in ["api.example.com", "evil.example.com", "sub.evil.example", "example"] {
            check(url, Some(given), Err("serviceDomain"));
        }
    }

    #[test]
    fn what_has_no_plain_host_is_refused() {
        for url in [
            "",
            "api.example.com/data",
            "/data",
            "https://user@evil.example/",
            "https://api.example.com:pw@evil.example/",
            "https://api.example.com\\@evil.example/",
            "https://api.example.com\t/",
            "https:///data",
            "https://./",
            "https://exämple.com/",
            "https://a b/",
        ] {
            check(Some(url), None, Err("resourceUrl"));
        }
        for given in ["", "user@evil.example", "api.example.com/path", "*.example.com", "."] {
            check(None, Some(given), Err("serviceDomain"));
        }
        check(None, None, Err("resourceUrl"));
    }
}
