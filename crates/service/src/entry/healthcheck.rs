//! `healthcheck`: asks the service that runs beside, with the same settings.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use super::{complain, say};
use crate::lifecycle::EXIT_FAILED;
use crate::{AdminSettings, tls};

/// For each step; the probes of container runtimes wait longer.
const LIMIT: Duration = Duration::from_secs(2);
/// What of an answer is read.
const ANSWER_BYTES: u64 = 64 * 1024;

/// Asks `/livez` or `/readyz` of the admin server at `listen`. Says what it found, and exits with 0 where it was 200.
pub(super) fn ask(admin: &AdminSettings, ready: bool) -> ExitCode {
    let listen = &admin.listen;
    let path = if ready { "/readyz" } else { "/livez" };
    match answer(admin, path) {
        Ok((200, body)) => say(&body),
        Ok((status, body)) => {
            complain(&format!("{path} at {listen} answered {status}: {}", body.trim_end()));
            ExitCode::from(EXIT_FAILED)
        }
        Err(error) => {
            complain(&format!("{path} at {listen} (setting admin.listen) did not answer: {error}"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn answer(admin: &AdminSettings, path: &str) -> io::Result<(u16, String)> {
    let address = reachable(&admin.listen)?;
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let text = match admin.tls.is_on() {
        false => exchange(stream, &admin.listen, path),
        true => exchange(tls::own("admin.tls", &admin.tls, stream)?, &admin.listen, path),
    }?;
    parse(&String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<Vec<u8>> {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut text = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// The status and the body of an answer that is not chunked.
fn parse(text: &str) -> Option<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Where to connect to reach what listens there.
fn reachable(listen: &str) -> io::Result<SocketAddr> {
    let mut address = listen.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("the host has no address"))?;
    if address.port() == 0 {
        return Err(io::Error::other("port 0 takes another port at each start; set a port number"));
    }
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Ok(address)
}

#[cfg(test)]
#[path = "healthcheck_tests.rs"]
mod tests;
