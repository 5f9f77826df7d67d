//! Where may deliveries go? To public addresses, so that nobody who may write a webhook can reach what only the gateway's machine can.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use ureq::{
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{ResolvedSocketAddrs, Resolver},
        transport::NextTimeout,
    },
};

/// Networks of IPv4 that are not public: the first address and the length of the prefix.
const PRIVATE_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // The metadata services of clouds live here.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, what is reserved, and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The only network of IPv6 that is public at all; everything local, mapped or translated lies outside.
const PUBLIC_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public inside it.
const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments, Teredo among them, which hides an address of IPv4.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4 hides an address of IPv4, too.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Where deliveries may go, beyond public addresses over HTTPS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Also to addresses that are not public.
    pub private_addresses: bool,
    /// Also in the clear.
    pub http: bool,
}

impl Allowed {
    /// Whether a webhook may have this URL: what can be known without looking its host up. That is done with every delivery.
    ///
    /// # Errors
    /// What is wrong with it, and what is expected, for the message `url …; expected …`.
    pub fn check(self, url: &str) -> Result<(), (&'static str, &'static str)> {
        const EXPECTED: &str = "an absolute URL such as `https://hooks.example.com/holdfast`";
        let no_url = Err(("is no URL", EXPECTED));
        let Ok(uri) = url.parse::<Uri>() else { return no_url };
        let Some(authority) = uri.authority() else { return no_url };
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if self.http => {}
            Some("http") => return Err(("is not encrypted", "`https`, or `allow_http = true` under [webhooks]")),
            _ => return no_url,
        }
        if authority.as_str().contains('@') {
            return Err(("contains a user's name", "no name and password; deliveries are signed instead"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let has_port = authority.as_str().len() > authority.host().len();
        if host.is_empty() || (has_port && authority.port_u16().is_none()) {
            return no_url;
        }
        let is_public = host.parse().map_or(!host.eq_ignore_ascii_case("localhost"), is_public);
        if !self.private_addresses && !is_public {
            let expected = "a public address, or `allow_private_addresses = true` under [webhooks]";
            return Err(("names an address that is not public", expected));
        }
        Ok(())
    }
}

/// Whether anybody on the internet could be asked at this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !PRIVATE_V4.iter().any(|(network, prefix)| {
            let mask = u32::MAX << (32 - prefix);
            v4.to_bits() & mask == network.to_bits()
        }),
        IpAddr::V6(v6) => {
            let inside = |(network, prefix): &(Ipv6Addr, u32)| {
                let mask = u128::MAX << (128 - prefix);
                v6.to_bits() & mask == network.to_bits()
            };
            inside(&PUBLIC_V6) && !PRIVATE_V6.iter().any(inside)
        }
    }
}

/// Looks names up and lets only public addresses through. The connection is made to what was looked at here, so that a name
/// cannot mean something else a moment later.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    lookup: Arc<dyn Resolver>,
    allows_private: bool,
}

impl Guard {
    pub(super) fn new(lookup: Arc<dyn Resolver>, allows_private: bool) -> Guard {
        Guard { lookup, allows_private }
    }
}

impl Resolver for Guard {
    /// One private address among the answers is enough to refuse: whoever mixes them in is up to something.
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.lookup.resolve(uri, config, timeout)?;
        match found.iter().find(|address| !self.allows_private && !is_public(address.ip())) {
            None => Ok(found),
            Some(address) => {
                let message =
                    format!("{} is not a public address; see `webhooks.allow_private_addresses`", address.ip());
                Err(ureq::Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use ureq::unversioned::transport::time::Duration as Wait;

    use super::*;

    /// Finds what it is told to.
    #[derive(Debug)]
    struct Told(Vec<&'static str>);

    impl Resolver for Told {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            self.0.iter().for_each(|address| found.push(SocketAddr::new(address.parse().unwrap(), 443)));
            Ok(found)
        }
    }

    fn lets_through(allows_private: bool, found: &[&'static str]) -> bool {
        let guard = Guard::new(Arc::new(Told(found.to_vec())), allows_private);
        let uri = Uri::from_static("https://hooks.example.com/");
        let (after, reason) = (Wait::NotHappening, ureq::Timeout::Global);
        let timeout = NextTimeout { after, reason, per_read: None, per_write: None };
        match guard.resolve(&uri, &Config::default(), timeout) {
            Ok(addresses) => addresses.len() == found.len(),
            Err(error) => {
                assert!(error.to_string().contains("allow_private_addresses"), "{error}");
                false
            }
        }
    }

    /// A name that is public in the list of webhooks may lead anywhere when it is looked up.
    #[test]
    fn what_a_name_leads_to_is_looked_at_each_time_and_all_of_it() {
        for (found, expected) in [
            (&["93.184.216.34"][..], true),
            (&["93.184.216.34", "2606:4700:4700::1111"], true),
            (&["127.0.0.1"], false),
            (&["169.254.169.254"], false),
            (&["::ffff:169.254.169.254"], false),
            (&["fd00:ec2::254"], false),
            (&["93.184.216.34", "10.0.0.1"], false),
            (&["10.0.0.1", "93.184.216.34"], false),
        ] {
            assert_eq!(lets_through(false, found), expected, "{found:?}");
            assert!(lets_through(true, found), "{found:?}");
        }
    }

    #[test]
    fn urls_are_looked_at_when_they_are_written() {
        let strict = Allowed::default();
        for good in [
            "https://hooks.example.com",
            "https://hooks.example.com:8443/a?b=c",
            "https://93.184.216.34/",
            "https://[2606:4700:4700::1111]/",
        ] {
            assert_eq!(strict.check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "hooks.example.com",
            "/hooks",
            "https://",
            "ftp://hooks.example.com/",
            "file:///etc/passwd",
            "http://hooks.example.com/",
            "https://user:secret@hooks.example.com/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://LOCALHOST:8443/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://hooks.example.com:99999/",
            "https://hooks.example.com/\r\nx: y",
        ] {
            assert!(strict.check(bad).is_err(), "{bad}");
        }
        let open = Allowed { private_addresses: true, http: true };
        for good in ["http://127.0.0.1:8080/", "https://localhost/", "http://[::1]:80/"] {
            assert_eq!(open.check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn only_public_addresses_are_public() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2001:4860:4860::8888",
            "2606:4700:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
