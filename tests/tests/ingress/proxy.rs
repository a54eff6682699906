//! HAProxy, configured from Ingresses as the overlay's controller does it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_yaml_ng::Value;
use weir_tests::certificates::Certificate;
use weir_tests::child::{self, Child, append_to, last_lines};
use weir_tests::environment::find_program;
use weir_tests::scratch::Scratch;
use weir_tests::{ports, wait};

/// Pods that a Service may have at once: two, and those that come while others go.
const SLOTS: usize = 4;
const START_WITHIN: Duration = Duration::from_secs(10);

/// One path of an Ingress.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) host: String,
    pub(crate) prefix: String,
    pub(crate) backend: Backend,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Backend {
    pub(crate) service: String,
    pub(crate) port: String,
    /// HTTP/2 without TLS, as gRPC has it.
    pub(crate) is_h2c: bool,
}

impl Backend {
    fn name(&self) -> String {
        format!("{}-{}", self.service, self.port)
    }
}

/// The rules of all Ingresses of a set of manifests.
pub(crate) fn rules(documents: &[Value]) -> Vec<Rule> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_sequence().cloned().unwrap_or_default();
    let of_kind = |kind: &'static str| documents.iter().filter(move |document| document["kind"] == kind);
    let mut rules = Vec::new();
    for ingress in of_kind("Ingress") {
        let class = text(&ingress["spec"]["ingressClassName"]);
        assert!(class.starts_with("haproxy"), "another controller than {class} would be configured otherwise");
        for rule in list(&ingress["spec"]["rules"]) {
            for path in list(&rule["http"]["paths"]) {
                assert_eq!(path["pathType"], "Prefix", "other kinds of paths are not understood here");
                let to = &path["backend"]["service"];
                let service = of_kind("Service").find(|one| one["metadata"]["name"] == to["name"]).unwrap();
                let is_h2c = service["metadata"]["annotations"]["haproxy.org/server-proto"] == "h2";
                let backend = Backend { service: text(&to["name"]), port: text(&to["port"]["name"]), is_h2c };
                rules.push(Rule { host: text(&rule["host"]), prefix: text(&path["path"]), backend });
            }
        }
    }
    rules
}

/// A running HAProxy. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) rules: Vec<Rule>,
    /// Without TLS.
    pub(crate) plain: SocketAddr,
    /// With TLS; HTTP/2 and HTTP/1.1.
    pub(crate) tls: SocketAddr,
    /// The same behind a load balancer that speaks the PROXY protocol.
    pub(crate) behind: SocketAddr,
    socket: PathBuf,
    log: PathBuf,
    _child: Child,
    _scratch: Scratch,
}

impl Proxy {
    pub(crate) fn start(rules: Vec<Rule>, certificate: &Certificate) -> anyhow::Result<Self> {
        let scratch = Scratch::new("haproxy")?;
        let (socket, log, file) = (at(&scratch, "socket"), at(&scratch, "log"), at(&scratch, "haproxy.cfg"));
        let listen = || anyhow::Ok(SocketAddr::from(([127, 0, 0, 1], ports::free()?)));
        let (plain, tls, behind) = (listen()?, listen()?, listen()?);
        std::fs::write(&file, config(&rules, [plain, tls, behind], &certificate.both, &socket))?;
        let program = find_program("haproxy", &["/usr/sbin".into()])
            .context("haproxy is missing: `make test-deps` installs it")?;
        let mut command = child::command(program);
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null());
        let out = append_to(&log)?;
        command.stdout(out.try_clone()?).stderr(out);
        let child = Child::spawn("haproxy", command)?;
        wait::until("haproxy answers", START_WITHIN, || {
            ensure!(child.exited()?.is_none(), "haproxy ended:\n{}", last_lines(&log, 20));
            Ok(UnixStream::connect(&socket).is_ok().then_some(()))
        })?;
        Ok(Self { rules, plain, tls, behind, socket, log, _child: child, _scratch: scratch })
    }

    /// Routes a Service's traffic to a pod, in one of its slots.
    pub(crate) fn route(&self, backend: &Backend, slot: usize, to: &str) -> anyhow::Result<()> {
        let (address, port) = to.rsplit_once(':').context("an address has a port")?;
        let server = format!("{}/pod{}", backend.name(), slot + 1);
        self.ask(&format!("set server {server} addr {address} port {port}"))?;
        self.ask(&format!("set server {server} state ready"))
    }

    /// Sends a slot nothing new. What is on its way ends.
    pub(crate) fn unroute(&self, backend: &Backend, slot: usize) -> anyhow::Result<()> {
        self.ask(&format!("set server {}/pod{} state maint", backend.name(), slot + 1))
    }

    fn ask(&self, command: &str) -> anyhow::Result<()> {
        let mut stream = UnixStream::connect(&self.socket).context("haproxy is gone")?;
        writeln!(stream, "{command}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let answer = answer.trim();
        let is_done = answer.is_empty() || answer.starts_with("IP changed") || answer.starts_with("no need to change");
        ensure!(
            is_done || answer.starts_with("port changed"),
            "haproxy: {command}: {answer}\n{}",
            last_lines(&self.log, 20)
        );
        Ok(())
    }
}

fn at(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path().join(name)
}

/// What a controller makes of it.
fn config(rules: &[Rule], [plain, tls, behind]: [SocketAddr; 3], certificate: &Path, socket: &Path) -> String {
    let (certificate, socket) = (certificate.display(), socket.display());
    let mut text = format!(
        "global
    stats socket {socket} mode 600 level admin
    maxconn 2000
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    retries 3
    option redispatch 1
    option forwardfor
frontend ways-in
    bind {plain}
    bind {tls} ssl crt {certificate} alpn h2,http/1.1
    bind {behind} accept-proxy ssl crt {certificate} alpn h2,http/1.1
"
    );
    for Rule { host, prefix, backend } in rules {
        let name = backend.name();
        let _ =
            writeln!(text, "    use_backend {name} if {{ req.hdr(host),host_only -i {host} }} {{ path_beg {prefix} }}");
    }
    text.push_str("    default_backend nobody\nbackend nobody\n    http-request deny deny_status 404\n");
    for backend in rules.iter().map(|rule| &rule.backend).collect::<BTreeSet<_>>() {
        let proto = if backend.is_h2c { " proto h2" } else { "" };
        let name = backend.name();
        let _ = write!(
            text,
            "backend {name}\n    balance roundrobin\n    server-template pod 1-{SLOTS} 127.0.0.1:1{proto} disabled\n"
        );
    }
    text
}
