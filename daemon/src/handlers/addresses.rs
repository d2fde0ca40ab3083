//! Classification of IP addresses: internet, loopback, private, forbidden.
//!
//! Owns the lists of addresses that a webhook never goes to, and of those it goes to only when the operator listed them. Looks
//! through every form in which an IPv6 address carries an IPv4 one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Classes of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressClass {
    /// A host on the internet.
    Public,
    /// This machine.
    Loopback,
    /// A network that is not the internet.
    Private,
    /// Never for a webhook, even when listed; the text says what it is instead.
    Never(&'static str),
}

/// Services that give a machine in a cloud its own credentials, outside of the link-local range.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
/// The same over IPv6.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];
const METADATA: &str = "a cloud's metadata service";

/// What kind of place an address is.
pub(super) fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => place_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => place_v4(inner),
            None => place_v6(address),
        },
    }
}

fn place_v4(address: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) {
        return AddressClass::Never(METADATA);
    }
    match (a, b, c) {
        (0, ..) => AddressClass::Never("no host's address"),
        (127, ..) => AddressClass::Loopback,
        (169, 254, _) => {
            AddressClass::Never("a link-local address, where clouds keep their metadata")
        }
        (224..=239, ..) => AddressClass::Never("a multicast address"),
        (240..=255, ..) => AddressClass::Never("a broadcast or reserved address"),
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => AddressClass::Private,
        // Shared by carriers, protocol assignments, examples of documents, benchmarks: none is a host on the internet.
        (100, 64..=127, _)
        | (192, 0, 0 | 2)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => AddressClass::Private,
        _ => AddressClass::Public,
    }
}

fn place_v6(address: Ipv6Addr) -> AddressClass {
    if METADATA_V6.contains(&address) {
        return AddressClass::Never(METADATA);
    }
    if address.is_unspecified() {
        return AddressClass::Never("no host's address");
    }
    if address.is_loopback() {
        return AddressClass::Loopback;
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => AddressClass::Never("a link-local address"),
        [0xff00..=0xffff, ..] => AddressClass::Never("a multicast address"),
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] | [0x100, 0, 0, 0, ..] => {
            AddressClass::Private
        }
        _ => AddressClass::Public,
    }
}

/// The IPv4 address that an IPv6 address carries: mapped, compatible, NAT64, 6to4, Teredo.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(v4(high, low)),
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 || low > 1 => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 1, _, _, _, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, _, _, _, _, high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> AddressClass {
        classify(text.parse().unwrap())
    }

    #[test]
    fn some_addresses_are_nowhere_for_a_webhook() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:42::42",
        ] {
            assert!(
                matches!(kind(text), AddressClass::Never(_)),
                "{text}: {:?}",
                kind(text)
            );
        }
    }

    #[test]
    fn an_ipv6_address_hides_no_ipv4_one() {
        for text in [
            "::ffff:169.254.169.254",
            "::ffff:0:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "2001:0:1::5601:5601",
            "::ffff:0.0.0.0",
            "::ffff:255.255.255.255",
        ] {
            assert!(
                matches!(kind(text), AddressClass::Never(_)),
                "{text}: {:?}",
                kind(text)
            );
        }
        assert_eq!(kind("::ffff:127.0.0.1"), AddressClass::Loopback);
        assert_eq!(kind("::ffff:10.0.0.1"), AddressClass::Private);
        assert_eq!(kind("64:ff9b::8.8.8.8"), AddressClass::Public);
    }

    #[test]
    fn networks_that_are_not_the_internet_are_told_from_it() {
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "fc00::1",
            "fdff::1",
            "fec0::1",
            "2001:db8::1",
        ] {
            assert_eq!(kind(text), AddressClass::Private, "{text}");
        }
        for text in ["127.0.0.1", "127.255.0.1", "::1"] {
            assert_eq!(kind(text), AddressClass::Loopback, "{text}");
        }
        for text in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "169.253.0.1",
            "2606:4700::1",
            "2001:4860::8",
        ] {
            assert_eq!(kind(text), AddressClass::Public, "{text}");
        }
    }
}
