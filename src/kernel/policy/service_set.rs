//! Which services a list rule holds: whole domains, and everything under a domain.

use super::NameSet;
use crate::kernel::Name;

/// What stands before a domain whose subdomains are meant.
const WILDCARD: &str = "*.";

/// A set of canonical service names. `*.example.com` stands for every subdomain of `example.com` at any depth, not for `example.com` itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSet {
    whole: NameSet,
    /// Domains whose subdomains are in the set.
    under: NameSet,
}

impl ServiceSet {
    /// Whether `service` is in the set.
    #[must_use]
    pub fn contains(&self, service: &Name<'_>) -> bool {
        self.whole.contains(service) || (!self.under.is_empty() && self.has_parent_of(service.text()))
    }

    /// The number of different entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.whole.len() + self.under.len()
    }

    /// Whether nothing is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries as they are written.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        let under = self.under.iter().map(|domain| format!("{WILDCARD}{domain}"));
        self.whole.iter().map(str::to_owned).chain(under)
    }

    fn has_parent_of(&self, service: &str) -> bool {
        let parents = service.match_indices('.').filter_map(|(dot, _)| service.get(dot + 1..));
        parents.map(|parent| Name::canonical(parent.into())).any(|parent| self.under.contains(&parent))
    }
}

impl<'a> FromIterator<Name<'a>> for ServiceSet {
    fn from_iter<I: IntoIterator<Item = Name<'a>>>(names: I) -> ServiceSet {
        let (mut whole, mut under) = (Vec::new(), Vec::new());
        for name in names {
            match name.text().strip_prefix(WILDCARD) {
                Some(domain) => under.push(Name::canonical(domain.to_owned().into())),
                None => whole.push(name),
            }
        }
        ServiceSet { whole: whole.into_iter().collect(), under: under.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_every_subdomain_and_not_the_domain_itself() {
        let entries = ["*.example.com", "api.other.example", "*.co"];
        let set: ServiceSet = entries.iter().map(|text| Name::service(text).unwrap()).collect();
        assert_eq!(set.len(), 3);
        for (service, expected) in [
            ("api.example.com", true),
            ("a.b.c.example.com", true),
            ("API.Example.Com.", true),
            ("example.com", false),
            ("badexample.com", false),
            ("example.com.evil.example", false),
            (".example.com", true),
            ("api.other.example", true),
            ("x.api.other.example", false),
            ("shop.co", true),
            ("co", false),
            ("com", false),
        ] {
            assert_eq!(set.contains(&Name::service(service).unwrap()), expected, "{service}");
        }
        let mut written: Vec<String> = set.entries().collect();
        written.sort();
        assert_eq!(written, ["*.co", "*.example.com", "api.other.example"]);
    }
}
