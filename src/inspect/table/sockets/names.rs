//! The names of protocols and families.

/// The name of a protocol over IP that raw sockets are used for (`IPPROTO_ICMP` and others).
pub(super) fn internet_protocol(number: u8) -> Option<&'static str> {
    Some(match number {
        1 => "icmp",
        2 => "igmp",
        6 => "tcp",
        17 => "udp",
        41 => "ipv6",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "icmpv6",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        255 => "raw",
        _ => return None,
    })
}

/// The name of a netlink family (`NETLINK_ROUTE` and others).
pub(super) fn netlink_family(number: u32) -> Option<&'static str> {
    Some(match number {
        0 => "route",
        2 => "usersock",
        3 => "firewall",
        4 => "sock-diag",
        5 => "nflog",
        6 => "xfrm",
        7 => "selinux",
        8 => "iscsi",
        9 => "audit",
        10 => "fib-lookup",
        11 => "connector",
        12 => "netfilter",
        15 => "kobject-uevent",
        16 => "generic",
        18 => "scsitransport",
        19 => "ecryptfs",
        20 => "rdma",
        21 => "crypto",
        22 => "smc",
        _ => return None,
    })
}

/// The name of an address family that `SocketKind` does not have (`AF_ALG` and others).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn family(number: i32) -> Option<&'static str> {
    Some(match number {
        3 => "ax25",
        4 => "ipx",
        5 => "appletalk",
        6 => "netrom",
        8 => "atmpvc",
        9 => "x25",
        11 => "rose",
        15 => "key",
        20 => "atmsvc",
        21 => "rds",
        24 => "pppox",
        26 => "llc",
        27 => "ib",
        28 => "mpls",
        29 => "can",
        30 => "tipc",
        31 => "bluetooth",
        32 => "iucv",
        33 => "rxrpc",
        34 => "isdn",
        35 => "phonet",
        36 => "ieee802154",
        37 => "caif",
        38 => "alg",
        39 => "nfc",
        41 => "kcm",
        42 => "qipcrtr",
        43 => "smc",
        44 => "xdp",
        45 => "mctp",
        _ => return None,
    })
}

/// Returns `None`: the numbers of other systems differ.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn family(_: i32) -> Option<&'static str> {
    None
}

/// The name of an address family, or its number.
pub(super) fn of_family(number: i32) -> String {
    family(number).map_or_else(|| format!("family {number}"), str::to_owned)
}

/// The name of an internet protocol that `SocketKind` does not have, or its number.
pub(super) fn of_internet_protocol(number: u32) -> String {
    match number {
        33 => "dccp".to_owned(),
        132 => "sctp".to_owned(),
        143 => "ethernet".to_owned(),
        256 => "smc".to_owned(),
        _ => format!("inet protocol {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_a_number() {
        assert_eq!(of_family(9999), "family 9999");
        assert_eq!(of_internet_protocol(9999), "inet protocol 9999");
        assert_eq!(of_internet_protocol(132), "sctp");
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(of_family(38), "alg");
    }
}
