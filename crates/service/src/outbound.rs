//! Where a process may connect to on behalf of what others configure: not to its own network, unless that is allowed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::{fmt, io};

use tokio::net::lookup_host;

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether the address is in it. An IPv4 address within an IPv6 one is that address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(of), IpAddr::V4(address)) => {
                // A shift by all bits is none.
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                of.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(of), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                of.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(all), str::parse).map_err(|_| NotANetwork)?;
        if bits > all { Err(NotANetwork) } else { Ok(Network { address, bits }) }
    }
}

/// It is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a network: write it as 10.0.0.0/8 or fd00::/8")
    }
}

impl std::error::Error for NotANetwork {}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Network {
    Network { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
}

const fn v6(first: u16, second: u16, bits: u8) -> Network {
    Network { address: IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0)), bits }
}

/// Addresses that are not of the public internet, and those that lead to them by another way.
const NOT_PUBLIC: &[Network] = &[
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Shared by the customers of a provider (CGNAT).
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // Link-local: where clouds have their metadata.
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    // Multicast, reserved, broadcast.
    v4(224, 0, 0, 0, 3),
    // Unspecified, loopback, and IPv4 in the form that was given up.
    v6(0, 0, 96),
    // NAT64.
    v6(0x64, 0xff9b, 32),
    // Teredo and 6to4.
    v6(0x2001, 0, 32),
    v6(0x2002, 0, 16),
    // ULA, link-local, site-local, multicast.
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
    v6(0xfec0, 0, 10),
    v6(0xff00, 0, 8),
];

/// Whether it is an address of the public internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    !NOT_PUBLIC.iter().any(|network| network.contains(address))
}

/// Where connections may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everywhere: who configured it may reach everything that the process may.
    Everywhere,
    /// To the public internet, and to these networks.
    Public(Vec<Network>),
}

impl Reach {
    /// Whether a connection may go there.
    #[must_use]
    pub fn includes(&self, address: IpAddr) -> bool {
        match self {
            Reach::Everywhere => true,
            Reach::Public(allowed) => is_public(address) || allowed.iter().any(|network| network.contains(address)),
        }
    }
}

/// What the name of a host stands for, as far as it may be reached. Whoever connects takes these addresses, and does not ask
/// the name again: it may stand for another address the next time.
///
/// # Errors
/// It stands for nothing, or for nothing that may be reached.
pub async fn resolve(host: &str, port: u16, reach: &Reach) -> io::Result<Vec<SocketAddr>> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let (within, outside): (Vec<_>, Vec<_>) = lookup_host((name, port)).await?.partition(|at| reach.includes(at.ip()));
    match outside.first() {
        Some(at) if within.is_empty() => {
            let problem = format!("its address {} is not public, and not in an allowed network", at.ip());
            Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
        }
        _ => Ok(within),
    }
}

#[cfg(test)]
#[path = "outbound_tests.rs"]
mod tests;
