//! Servers that are asked over the network. Each says what it found: what is well, or what is wrong.

use std::time::Duration;

use service::tls::{ClientTlsSettings, Dial};
use service::{CallLimits, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::pattern::Pattern;
use super::settings::{GrpcSettings, HttpSettings, TcpSettings};
use crate::collector::reason;

/// Of an answer no more is read.
const MOST_TCP: usize = 64 * 1024;
const MOST_HTTP: usize = 1024 * 1024;

/// Connects, sends, and reads until the pattern is there.
pub(super) async fn tcp(settings: &TcpSettings) -> Result<String, String> {
    let TcpSettings { address, send, must } = settings;
    let connected = TcpStream::connect(address).await;
    let mut stream = connected.map_err(|error| format!("cannot connect to {address}: {error}"))?;
    let lost = |error| format!("{address} ended the connection: {error}");
    stream.write_all(send.as_bytes()).await.map_err(lost)?;
    let Some(must) = must else { return Ok(format!("{address} takes connections")) };
    let mut answer = Vec::new();
    while !must.is_in(&answer) {
        if answer.len() >= MOST_TCP || stream.read_buf(&mut answer).await.map_err(lost)? == 0 {
            return Err(lacks(&answer, must));
        }
    }
    Ok(format!("{address} answers"))
}

/// Gets a page.
pub(super) async fn http(settings: &HttpSettings) -> Result<String, String> {
    let HttpSettings { url, status, must, ca_file } = settings;
    let ca_file = ca_file.clone().unwrap_or_default();
    let dial = Dial::new("health_check.probes.http", &ClientTlsSettings { ca_file, ..ClientTlsSettings::default() });
    let url: Uri = url.parse().map_err(|error| format!("is not a URL: {error}"))?;
    let answer = dial.get(&url, MOST_HTTP).await.map_err(|error| format!("{error:#}"))?;
    let (is, body) = (answer.status(), answer.body());
    let is_right = status.map_or(is.is_success(), |right| u32::from(is.as_u16()) == right);
    if !is_right {
        return Err(format!("the status is {is}"));
    }
    match must {
        Some(must) if !must.is_in(body) => Err(lacks(body, must)),
        _ => Ok(format!("answers {is}")),
    }
}

/// Asks `grpc.health.v1`.
pub(super) async fn grpc(settings: &GrpcSettings, dial: &Dial, limit: Duration) -> Result<String, String> {
    let url: Uri = settings.url.parse().map_err(|error| format!("is not a URL: {error}"))?;
    let channel = dial.connect_lazy(url, CallLimits { connect: limit, call: Some(limit) });
    let request = HealthCheckRequest { service: settings.service.clone() };
    let answer = HealthClient::new(channel).check(request).await.map_err(|status| reason(&status))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok("SERVING".to_owned()),
        other => Err(other.as_str_name().to_owned()),
    }
}

fn lacks(answer: &[u8], must: &Pattern) -> String {
    let begins: String = String::from_utf8_lossy(answer).chars().take(100).collect();
    format!("{:?} is not in the answer, which begins with {begins:?}", must.as_str())
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
