//! Which addresses lie inside, after the special-purpose registries of RFC 6890.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Anywhere on the internet.
    Public,
    /// A network of one's own: RFC 1918, carrier-grade NAT, unique local, test and
    /// documentation networks.
    Private,
    /// This machine.
    Loopback,
    /// Nowhere a server would be asked: unspecified, multicast, reserved, and
    /// link-local, where clouds keep the credentials of a machine.
    Never,
}

/// Where an address leads. One that wraps an IPv4 address (mapped, compatible,
/// NAT64, 6to4) leads where that one does.
pub fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => match wrapped(v6) {
            Some(v4) => reach_v4(v4),
            None => reach_v6(v6),
        },
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [127, ..] => Reach::Loopback,
        [0 | 224..=255, ..] | [169, 254, ..] => Reach::Never,
        [10, ..]
        | [100, 64..=127, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Reach::Private,
        _ => Reach::Public,
    }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        [0, 0, 0, 0, 0, 0, 0, 0] => Reach::Never,
        // Multicast, link-local and the former site-local.
        [0xff00..=0xffff, ..] | [0xfe80..=0xfeff, ..] => Reach::Never,
        // 2001::/23 (Teredo, ORCHID and others), documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Private,
        [0x2000..=0x3fff, ..] => Reach::Public,
        // Unique local, local NAT64, and whatever else is not global unicast.
        _ => Reach::Private,
    }
}

/// The IPv4 address inside an IPv6 one that leads to it.
fn wrapped(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        // ::1 and :: are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => join(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => join(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => join(high, low),
        [0x2002, high, low, ..] => join(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::v4("93.184.216.34", Reach::Public)]
    #[case::dns("8.8.8.8", Reach::Public)]
    #[case::below_cgnat("100.63.255.255", Reach::Public)]
    #[case::above_cgnat("100.128.0.0", Reach::Public)]
    #[case::below_172("172.15.255.255", Reach::Public)]
    #[case::above_172("172.32.0.0", Reach::Public)]
    #[case::v6("2606:2800:220:1::1", Reach::Public)]
    #[case::v6_2001("2001:4860:4860::8888", Reach::Public)]
    #[case::mapped_public("::ffff:8.8.8.8", Reach::Public)]
    #[case::nat64_public("64:ff9b::808:808", Reach::Public)]
    #[case::class_a("10.0.0.1", Reach::Private)]
    #[case::class_b("172.16.0.1", Reach::Private)]
    #[case::class_b_end("172.31.255.255", Reach::Private)]
    #[case::class_c("192.168.1.1", Reach::Private)]
    #[case::cgnat("100.64.0.1", Reach::Private)]
    #[case::cgnat_end("100.127.255.255", Reach::Private)]
    #[case::ietf("192.0.0.8", Reach::Private)]
    #[case::test_net_1("192.0.2.1", Reach::Private)]
    #[case::test_net_2("198.51.100.1", Reach::Private)]
    #[case::test_net_3("203.0.113.1", Reach::Private)]
    #[case::benchmark("198.19.0.1", Reach::Private)]
    #[case::relay("192.88.99.1", Reach::Private)]
    #[case::loopback("127.0.0.1", Reach::Loopback)]
    #[case::loopback_end("127.255.255.254", Reach::Loopback)]
    #[case::zero("0.0.0.0", Reach::Never)]
    #[case::zero_net("0.1.2.3", Reach::Never)]
    #[case::link_local("169.254.169.254", Reach::Never)]
    #[case::multicast("224.0.0.1", Reach::Never)]
    #[case::reserved("240.0.0.1", Reach::Never)]
    #[case::broadcast("255.255.255.255", Reach::Never)]
    #[case::v6_loopback("::1", Reach::Loopback)]
    #[case::v6_zero("::", Reach::Never)]
    #[case::unique_local("fd00::1", Reach::Private)]
    #[case::unique_local_low("fc00::1", Reach::Private)]
    #[case::v6_link_local("fe80::1", Reach::Never)]
    #[case::v6_link_local_end("febf::1", Reach::Never)]
    #[case::site_local("fec0::1", Reach::Never)]
    #[case::v6_multicast("ff02::1", Reach::Never)]
    #[case::documentation("2001:db8::1", Reach::Private)]
    #[case::documentation_new("3fff::1", Reach::Private)]
    #[case::teredo("2001:0:4136:e378:8000:63bf:f5ff:fffe", Reach::Private)]
    #[case::discard("100::1", Reach::Private)]
    #[case::local_nat64("64:ff9b:1::808:808", Reach::Private)]
    #[case::mapped_private("::ffff:10.0.0.1", Reach::Private)]
    #[case::mapped_loopback("::ffff:127.0.0.1", Reach::Loopback)]
    #[case::mapped_metadata("::ffff:169.254.169.254", Reach::Never)]
    #[case::translated("::ffff:0:127.0.0.1", Reach::Loopback)]
    #[case::compatible("::127.0.0.1", Reach::Loopback)]
    #[case::nat64("64:ff9b::a00:1", Reach::Private)]
    #[case::six_to_four("2002:a00:1::", Reach::Private)]
    #[case::six_to_four_loopback("2002:7f00:1::1", Reach::Loopback)]
    fn addresses(#[case] ip: IpAddr, #[case] expected: Reach) {
        assert_eq!(reach(ip), expected, "{ip}");
    }
}
