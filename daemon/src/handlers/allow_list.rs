//! The allow-list: where webhooks may go.
//!
//! Owns both questions: whether a URL's host is listed, checked once at start, and whether an address that its name resolves
//! to is allowed, checked before every connection. A listed name covers hosts on the internet only; a private or loopback
//! address has to be listed itself, so that the owner of a name cannot point it into the network around the daemon.

use std::fmt;
use std::net::IpAddr;
use whodunit_core::counted::counted;

use url::{Host, Url};

use super::addresses::{AddressClass, classify};

/// Where webhooks may go.
#[derive(Debug, Clone, Default)]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Name { name: String, port: Option<u16> },
    Address { address: IpAddr, port: Option<u16> },
    Network { address: IpAddr, bits: u32 },
}

impl AllowList {
    /// Reads the entries: `name`, `name:port`, `address`, `address:port` (`[v6]:port`), `network/bits`.
    ///
    /// # Errors
    /// The index of the first entry that is wrong, and a sentence.
    pub fn parse(entries: &[String]) -> Result<Self, (usize, String)> {
        let parsed = entries.iter().enumerate();
        parsed
            .map(|(index, text)| Entry::parse(text.trim()).map_err(|message| (index, message)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a URL's host, and the address that it may be, is listed.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), String> {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host().ok_or("it has no host")?;
        let shown = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let listed = match &host {
            Host::Domain(name) => self.0.iter().any(|entry| entry.names(name, port)),
            Host::Ipv4(address) => self.lists((*address).into(), port),
            Host::Ipv6(address) => self.lists((*address).into(), port),
        };
        match literal(&host).map(classify) {
            Some(AddressClass::Never(what)) => {
                Err(format!("`{host}` is {what}; webhooks are never sent there"))
            }
            _ if listed => Ok(()),
            _ => Err(format!(
                "its host is not on the allow-list; if it may be called, add \"{shown}\" to `allow` under `[webhooks]`"
            )),
        }
    }

    /// Checks whether a connection to this address is allowed, for a URL with this host.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn check_address(
        &self,
        host: &Host<&str>,
        address: IpAddr,
        port: u16,
    ) -> Result<(), String> {
        // Only the name `localhost` may resolve to this machine without a listed address.
        let local = matches!(host, Host::Domain(name) if *name == "localhost");
        let kind = match classify(address) {
            AddressClass::Never(what) => {
                return Err(format!(
                    "`{host}` is at {address}, {what}; webhooks are never sent there"
                ));
            }
            AddressClass::Public => return Ok(()),
            AddressClass::Loopback if local => return Ok(()),
            AddressClass::Loopback => "this machine itself",
            AddressClass::Private => "not an address on the internet",
        };
        if self.lists(address, port) {
            return Ok(());
        }
        Err(format!(
            "`{host}` is at {address}, {kind}; if that is right, add \"{address}\" or its network to `allow` under `[webhooks]`"
        ))
    }

    fn lists(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|entry| entry.holds(address, port))
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let entry = Self::read(text).ok_or_else(|| {
            format!(
                "`{text}` is not a valid allow-list entry; write `hooks.example.com`, `hooks.example.com:8443`, `127.0.0.1:9000`, `[::1]:9000` or `10.0.0.0/8`, without a scheme, path or wildcard"
            )
        })?;
        if let Self::Address { address, .. } = entry
            && let AddressClass::Never(what) = classify(address)
        {
            return Err(format!(
                "`{text}` is {what}; webhooks are never sent there, even when listed"
            ));
        }
        Ok(entry)
    }

    fn read(text: &str) -> Option<Self> {
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(address))?;
            return Some(Self::Network { address, bits });
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address {
                address,
                port: None,
            });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        if host.contains(['*', '@', '?', '#', '%']) {
            return None;
        }
        Some(match Host::parse(host).ok()? {
            Host::Domain(name) => Self::Name { name, port },
            Host::Ipv4(address) => Self::Address {
                address: address.into(),
                port,
            },
            Host::Ipv6(address) => Self::Address {
                address: address.into(),
                port,
            },
        })
    }

    fn names(&self, host: &str, at: u16) -> bool {
        match self {
            Self::Name { name, port } => name == host && port.is_none_or(|port| port == at),
            Self::Address { .. } | Self::Network { .. } => false,
        }
    }

    fn holds(&self, tried: IpAddr, at: u16) -> bool {
        match self {
            Self::Name { .. } => false,
            Self::Address { address, port } => {
                address.to_canonical() == tried.to_canonical() && port.is_none_or(|port| port == at)
            }
            Self::Network { address, bits } => same_network(*address, tried.to_canonical(), *bits),
        }
    }
}

impl fmt::Display for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.0.len(), "entry"))
    }
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn same_network(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let rest = 32 - bits.min(32);
            u32::from(a).checked_shr(rest).unwrap_or(0)
                == u32::from(b).checked_shr(rest).unwrap_or(0)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let rest = 128 - bits.min(128);
            u128::from(a).checked_shr(rest).unwrap_or(0)
                == u128::from(b).checked_shr(rest).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow_list(entries: &[&str]) -> AllowList {
        let entries: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
        AllowList::parse(&entries).unwrap()
    }

    fn url(list: &AllowList, text: &str) -> Result<(), String> {
        list.check_url(&Url::parse(text).unwrap())
    }

    #[test]
    fn a_url_needs_its_host_on_the_list() {
        let list = allow_list(&[
            "hooks.example.com",
            "Other.Example:8443",
            "127.0.0.1:9000",
            "10.0.0.0/8",
            "::1",
        ]);
        for good in [
            "https://hooks.example.com/x",
            "https://HOOKS.example.com:444/",
            "https://other.example:8443/",
            "http://127.0.0.1:9000/x",
            "http://10.20.30.40/",
            "http://[::1]:80/",
        ] {
            assert_eq!(url(&list, good), Ok(()), "{good}");
        }
        for bad in [
            "https://example.com/",
            "https://evil.hooks.example.com/",
            "https://hooks.example.com.evil/",
            "https://other.example/",
            "http://127.0.0.1:9001/",
            "http://127.0.0.2:9000/",
            "http://11.0.0.1/",
            "http://[2606:4700::2]/",
            "http://2130706433:9001/",
        ] {
            let error = url(&list, bad).unwrap_err();
            assert!(error.contains("allow"), "{bad}: {error}");
        }
        // Another spelling of 127.0.0.1 is 127.0.0.1.
        assert_eq!(url(&list, "http://0x7f.1:9000/"), Ok(()));
    }

    #[test]
    fn no_list_opens_an_address_that_no_webhook_goes_to() {
        let list = allow_list(&["169.254.0.0/16", "0.0.0.0/0", "::/0", "meta.example"]);
        for bad in [
            "http://169.254.169.254/",
            "http://[::ffff:169.254.169.254]/",
            "http://0.0.0.0/",
            "http://[fd00:ec2::254]/",
        ] {
            assert!(
                url(&list, bad)
                    .unwrap_err()
                    .contains("webhooks are never sent there"),
                "{bad}"
            );
        }
        let host = Host::Domain("meta.example");
        for bad in [
            "169.254.169.254",
            "::ffff:a9fe:a9fe",
            "fe80::1",
            "100.100.100.200",
        ] {
            let error = list
                .check_address(&host, bad.parse().unwrap(), 80)
                .unwrap_err();
            assert!(error.contains("webhooks are never sent there"), "{error}");
        }
        let entry = ["169.254.169.254".to_owned()];
        assert!(
            AllowList::parse(&entry)
                .unwrap_err()
                .1
                .contains("even when listed")
        );
    }

    #[test]
    fn a_name_vouches_for_the_internet_only() {
        let named = allow_list(&["hooks.example.com", "localhost"]);
        let host = Host::Domain("hooks.example.com");
        let check = |list: &AllowList, host: &Host<&str>, at: &str| {
            list.check_address(host, at.parse().unwrap(), 80)
        };
        assert_eq!(check(&named, &host, "8.8.8.8"), Ok(()));
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "::1",
            "fd12::1",
            "::ffff:192.168.0.1",
        ] {
            assert!(check(&named, &host, private).is_err(), "{private}");
        }
        assert_eq!(
            check(&named, &Host::Domain("localhost"), "127.0.0.1"),
            Ok(())
        );
        assert!(check(&named, &Host::Domain("localhost"), "10.0.0.1").is_err());
        let both = allow_list(&[
            "hooks.example.com",
            "10.1.0.0/16",
            "127.0.0.1:80",
            "fd12::/16",
        ]);
        for listed in ["10.1.2.3", "127.0.0.1", "fd12::9", "::ffff:127.0.0.1"] {
            assert_eq!(check(&both, &host, listed), Ok(()), "{listed}");
        }
        assert!(check(&both, &host, "10.2.0.1").is_err());
    }

    #[test]
    fn what_is_no_entry_is_refused_with_what_would_be() {
        for bad in [
            "",
            "https://hooks.example.com",
            "*.example.com",
            "a b",
            "host:port",
            "10.0.0.0/33",
            "x/8",
            "u@host",
            "host:99999",
        ] {
            let (index, message) =
                AllowList::parse(&["ok.example".to_owned(), bad.to_owned()]).unwrap_err();
            assert_eq!(index, 1, "{bad}");
            assert!(message.contains("hooks.example.com"), "{message}");
        }
    }
}
