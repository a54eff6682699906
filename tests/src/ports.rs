//! Free ports on loopback for programs that cannot take port 0.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::bail;

/// Below the range from which the kernel takes the local ports of outgoing connections (from 32768 on Linux). A port of
/// that range could be taken while a killed server is away, even by a client that tries to reach it again: on loopback
/// such a connection can end up connected to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nothing listens on at this moment.
///
/// Each call of this process gives another port, and processes begin at different ports, so that two rarely pick the
/// same one; who gets it must still be ready to find it taken.
///
/// # Errors
/// No port is free.
pub fn free() -> anyhow::Result<u16> {
    let start = (std::process::id().wrapping_mul(7919) % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + ((u32::from(start) + u32::from(step)) % u32::from(COUNT)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between {FIRST} and {} is free on 127.0.0.1", FIRST + COUNT)
}

/// Does something accept connections on this port of 127.0.0.1?
pub fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}
