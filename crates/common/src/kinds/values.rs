//! What values of each kind may be.

use std::net::Ipv6Addr;

use tonic::codegen::http::Uri;

use super::Kind;

pub(super) fn problem(kind: Kind, value: &str) -> Option<(String, String)> {
    match kind {
        Kind::Listen => listen_problem(value),
        Kind::Broker => broker_problem(value),
        // What may be empty is for each setting to say.
        _ if value.is_empty() => None,
        Kind::Url => url_problem(value),
        Kind::Root => root_problem(value),
        _ => place_problem(value),
    }
}

/// What is wrong with an address to listen on, and what to do.
#[must_use]
pub fn listen_problem(value: &str) -> Option<(String, String)> {
    let problem = match value.rsplit_once(':') {
        None => format!("{value:?} has no port"),
        Some(("", _)) => format!("{value:?} has no host"),
        Some((host, _)) if host.contains(|c: char| c.is_whitespace() || c == '/') => {
            format!("{value:?} is not an address")
        }
        Some((host, _)) if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) => {
            format!("{value:?} is not an address: an IPv6 host needs brackets")
        }
        Some((_, port)) if port.parse::<u16>().is_err() => format!("{port:?} is not a port"),
        Some(_) => return None,
    };
    Some((problem, "write host:port, for example 127.0.0.1:8081, with port 0 for a free one".to_owned()))
}

/// `host:port`, an IPv6 host in brackets.
fn broker_problem(value: &str) -> Option<(String, String)> {
    let is_broker = value.rsplit_once(':').is_some_and(|(host, port)| {
        let name = |c: char| c.is_alphanumeric() || "._-".contains(c);
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(name),
        };
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    let problem = || {
        let problem = format!("{value:?} is not host:port (without scheme and path)");
        (problem, "write host:port, for example localhost:9092".to_owned())
    };
    (!is_broker).then(problem)
}

/// Where a service is. A name without scheme stands for a service of ours, and is checked by who knows it.
fn url_problem(value: &str) -> Option<(String, String)> {
    let (scheme, rest) = value.split_once("://")?;
    if scheme.ends_with("unix") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
    let problem = if value.contains(char::is_whitespace) {
        "contains whitespace"
    } else if host_port.is_empty() || host_port.starts_with(':') {
        "has no host"
    } else if host_port.rsplit_once(':').is_some_and(|(host, port)| {
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        // The last colon of an address of IPv6 without a port is within the brackets.
        let is_within = host.starts_with('[') && port.ends_with(']');
        !(is_port || is_within)
    }) {
        "has an invalid port"
    } else if scheme.starts_with("http") && value.parse::<Uri>().is_err() {
        "is not a valid URL"
    } else {
        return None;
    };
    // There may be a password in it.
    Some((format!("the URL with {scheme}:// {problem}"), format!("write {scheme}://host:port")))
}

/// A place of this machine.
fn place_problem(value: &str) -> Option<(String, String)> {
    if value.starts_with('~') {
        let problem = format!("{value:?} begins with ~, which only a shell understands");
        return Some((problem, "write the whole path, as /home/weir/lake".to_owned()));
    }
    let is_url = value.contains("://");
    is_url.then(|| (format!("{value:?} is a URL, not a path"), "name a file or folder on this machine".to_owned()))
}

/// What is wrong with the root of a store, and what to do: a folder that is meant to be a bucket would be gone with the
/// machine.
#[must_use]
pub fn root_problem(root: &str) -> Option<(String, String)> {
    const USE: &str = "use a folder, or s3://bucket/prefix";
    let wrong = |problem: String, fix: String| Some((problem, fix));
    if root.is_empty() {
        return wrong("is empty".to_owned(), USE.to_owned());
    }
    if root.starts_with('~') {
        let fix = "write the whole path".to_owned();
        return wrong(format!("is {root:?}, and only a shell understands ~"), fix);
    }
    let (scheme, rest) = root.split_once(':')?;
    // One letter is a drive, and a slash before the colon makes it part of a folder's name.
    let is_scheme = scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    if !is_scheme || scheme.starts_with('.') {
        return None;
    }
    match (scheme, rest.starts_with("//")) {
        ("s3", true) => None,
        ("file", true) if rest.starts_with("///") => None,
        ("file", _) => wrong(format!("is {root:?}"), "write the whole path, as file:///var/lib/weir/lake".to_owned()),
        (other, _) if ["s3", "s3a", "s3n"].iter().any(|s3| other.eq_ignore_ascii_case(s3)) => {
            wrong(format!("is {root:?}"), format!("did you mean s3://{}?", rest.trim_start_matches('/')))
        }
        (other, _) => wrong(
            format!("is {root:?}, and {other}: stores are not supported"),
            format!("{USE}, or ./{root} for a folder"),
        ),
    }
}
