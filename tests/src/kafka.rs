//! Apache Kafka in KRaft mode: one process that is broker and controller, on loopback.
//!
//! ```no_run
//! let kafka = weir_tests::kafka::shared()?;
//! let prefix = weir_tests::kafka::prefix("resume");
//! // WEIR__BUS__KAFKA__BROKERS = kafka.bootstrap(), WEIR__BUS__TOPIC_PREFIX = prefix
//! # anyhow::Ok(())
//! ```
//! A test that kills, pauses or restarts the broker starts one of its own with [`Kafka::start`].

mod admin;
mod security;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::child::{self, Child, Signal, append_to, last_lines};
use crate::environment::{find_java, variable, workspace};
use crate::scratch::Scratch;
use crate::{ports, wait};

pub use admin::{Acl, Pattern};
pub use security::Security;

/// Takes 2 seconds alone; builds and other tests may have the processors.
const START_WITHIN: Duration = Duration::from_secs(90);
const STOP_WITHIN: Duration = Duration::from_secs(20);
/// How often other ports are tried where the ports that were found free are taken when Kafka gets to them.
const PORT_ATTEMPTS: u32 = 5;
const STARTED: &str = "Kafka Server started";
const ADDRESS_IN_USE: &str = "Address already in use";
/// The names of the files in the broker's folder.
const LOG_FILE: &str = "kafka.log";
/// A log that has become larger is put away at the next start; a broker with data that stays starts often.
const LARGE_LOG: u64 = 16 * 1024 * 1024;
const PROPERTIES_FILE: &str = "server.properties";

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its data is kept; formatted when it is used first, used again afterwards. `None`: a folder that goes with
    /// the [`Kafka`].
    pub data: Option<PathBuf>,
    /// The port for clients; 0: a free one.
    pub port: u16,
    /// The most memory of its heap, in MiB.
    pub heap_mb: u32,
    /// More broker properties; they win over those of the harness.
    pub properties: Vec<(String, String)>,
    /// The id of its cluster; `None`: one of its own.
    pub cluster_id: Option<String>,
    /// Listeners with TLS, SCRAM and certificates, and ACLs, beside the plain one, whose clients may do everything.
    pub security: Option<Security>,
}

impl Default for Options {
    fn default() -> Self {
        Self { data: None, port: 0, heap_mb: 512, properties: Vec::new(), cluster_id: None, security: None }
    }
}

/// A broker. Dropping it stops it: SIGTERM, after 20 s SIGKILL.
#[derive(Debug)]
pub struct Kafka {
    options: Options,
    folder: PathBuf,
    ports: Ports,
    bootstrap: String,
    broker: Child,
    /// After the broker, which is dropped first.
    _scratch: Option<Scratch>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    broker: u16,
    controller: u16,
    /// SASL_SSL, SSL; 0 where there are none.
    secure: [u16; 2],
}

impl Ports {
    fn free(options: &Options) -> anyhow::Result<Self> {
        let broker = if options.port == 0 { ports::free()? } else { options.port };
        let secure = if options.security.is_some() { [ports::free()?, ports::free()?] } else { [0; 2] };
        Ok(Self { broker, controller: ports::free()?, secure })
    }
}

impl Kafka {
    /// Starts a broker and waits until it accepts requests. Takes about 3 seconds, and blocks.
    ///
    /// # Errors
    /// Java or the jars are missing, the port is taken, or Kafka does not start; then with the last lines of its log.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        let (folder, scratch) = match &options.data {
            Some(data) => (absolute(data)?, None),
            None => {
                let scratch = Scratch::new("kafka")?;
                (scratch.path().to_owned(), Some(scratch))
            }
        };
        fs::create_dir_all(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
        if fs::metadata(folder.join(LOG_FILE)).is_ok_and(|log| log.len() > LARGE_LOG) {
            fs::rename(folder.join(LOG_FILE), folder.join(format!("{LOG_FILE}.old")))
                .context("put the old log away")?;
        }
        if options.port != 0 && ports::answers(options.port) {
            bail!("port {} of 127.0.0.1 is in use: another program listens there", options.port);
        }
        let mut attempt = 1;
        loop {
            let ports = Ports::free(&options)?;
            write_properties(&folder, ports, &options)?;
            if !folder.join("data").join("meta.properties").exists() {
                format(&folder, &options)?;
            }
            match launch(&folder, ports, &options) {
                Ok(broker) => {
                    let bootstrap = format!("127.0.0.1:{}", ports.broker);
                    return Ok(Self { options, folder, ports, bootstrap, broker, _scratch: scratch });
                }
                Err(error) if attempt < PORT_ATTEMPTS && error.to_string().contains(ADDRESS_IN_USE) => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// What clients connect to first: "127.0.0.1:port".
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.ports.broker
    }

    /// The id of the broker's process.
    pub fn pid(&self) -> u32 {
        self.broker.pid()
    }

    /// Kafka's own log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(LOG_FILE)
    }

    /// Copies Kafka's own log, and what stands of topics whose names begin so, into a folder of this name.
    ///
    /// # Errors
    /// Something cannot be copied.
    pub fn keep(&self, topics: &str, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        fs::copy(self.log(), folder.join(LOG_FILE))?;
        for partition in fs::read_dir(self.folder.join("data"))? {
            let partition = partition?;
            if !partition.file_name().to_string_lossy().starts_with(topics) {
                continue;
            }
            let copy = folder.join(partition.file_name());
            fs::create_dir_all(&copy)?;
            for file in fs::read_dir(partition.path())? {
                let file = file?;
                fs::copy(file.path(), copy.join(file.file_name()))?;
            }
        }
        Ok(())
    }

    /// Has the broker's process ended by itself? Then how.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn exited(&self) -> anyhow::Result<Option<std::process::ExitStatus>> {
        self.broker.exited()
    }

    /// SIGKILL. What the broker had written and not fsynced is still there: it is in the page cache.
    ///
    /// # Errors
    /// The process cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.broker.kill()?;
        Ok(())
    }

    /// SIGTERM, and waits until it has ended.
    ///
    /// # Errors
    /// It did not end within 20 s, and was killed.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.broker.stop(STOP_WITHIN)?;
        Ok(())
    }

    /// Starts it again on the same port with the same data; stops it before where it still runs.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.broker = launch(&self.folder, self.ports, &self.options)?;
        Ok(())
    }

    /// SIGSTOP: connections stay, nothing answers.
    ///
    /// # Errors
    /// The broker has ended.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.broker.signal(Signal::Stop)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// The broker has ended.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.broker.signal(Signal::Cont)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // A paused process takes SIGTERM only once it goes on. Where this fails the child is killed.
        let _ = self.broker.signal(Signal::Cont);
        let _ = self.broker.stop(STOP_WITHIN);
    }
}

/// The broker that all tests of this test binary use; the first call starts it. It ends with the process.
///
/// # Errors
/// As [`Kafka::start`]; the same for each call.
pub fn shared() -> anyhow::Result<&'static Kafka> {
    static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| Kafka::start(Options::default()).map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}

/// A topic prefix that no other test has: "name-pid-number.".
pub fn prefix(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}-{}.", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Where the jars are.
fn jars() -> anyhow::Result<PathBuf> {
    let folder = variable("WEIR_KAFKA_JARS").map_or_else(|| workspace().join("target").join("kafka"), PathBuf::from);
    let is_kafka = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("kafka_2.13-");
    if fs::read_dir(&folder).is_ok_and(|entries| entries.flatten().any(is_kafka)) {
        return absolute(&folder);
    }
    bail!(
        "no Apache Kafka in {}: run `make kafka-jars`, or set WEIR_KAFKA_JARS to the folder with its jars",
        folder.display()
    )
}

/// A command that runs a class of Kafka.
fn java(class: &str, folder: &Path, heap_mb: u32) -> anyhow::Result<Command> {
    let java = find_java()?;
    let temporary = folder.join("tmp");
    fs::create_dir_all(&temporary)?;
    let mut command = child::command(java);
    // Little compilation and a simple collector: a broker that lives for minutes starts faster and leaves the
    // processors to the tests.
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData"]);
    command.arg(format!("-Xmx{heap_mb}m"));
    command.arg(format!("-Djava.io.tmpdir={}", temporary.display()));
    command.args(["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.showThreadName=false"]);
    command.arg("-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX");
    command.arg("-cp").arg(jars()?.join("*")).arg(class);
    command.current_dir(folder).stdin(Stdio::null());
    Ok(command)
}

/// The timeouts of the broker's session with its own controller are shorter than Kafka's: a broker that was killed is
/// let in again only when its old session is over. An index file is mapped in its whole length, which the kernel fills with
/// zeros: with a thousand partitions that is most of what a broker does.
fn write_properties(folder: &Path, ports: Ports, options: &Options) -> anyhow::Result<()> {
    let Ports { broker, controller, .. } = ports;
    let data = folder.join("data");
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
log.index.size.max.bytes=65536
",
        data.display()
    );
    let secured = options.security.as_ref().map(|security| security.properties(ports)).unwrap_or_default();
    for (name, value) in secured.iter().chain(&options.properties) {
        // The last of two lines with one name counts.
        writeln!(text, "{name}={value}")?;
    }
    let path = folder.join(PROPERTIES_FILE);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

/// Makes the data folder Kafka's, with a cluster id of its own.
fn format(folder: &Path, options: &Options) -> anyhow::Result<()> {
    let mut command = java("kafka.tools.StorageTool", folder, options.heap_mb)?;
    let id = options.cluster_id.clone().map_or_else(cluster_id, Ok)?;
    command.args(["format", "--cluster-id", &id, "--config", PROPERTIES_FILE]);
    command.args(options.security.iter().flat_map(Security::format_arguments));
    let (log, _) = open_log(folder)?;
    command.stdout(log.try_clone()?).stderr(log);
    let status = Child::spawn("kafka's storage tool", command)?.wait(START_WITHIN)?;
    if !status.success() {
        bail!("the storage folder of kafka was not formatted ({status}):\n{}", last_lines(&folder.join(LOG_FILE), 15));
    }
    Ok(())
}

/// 16 random bytes in the way Kafka writes them, which is what clusters have in production.
pub(crate) fn cluster_id() -> anyhow::Result<String> {
    use base64::Engine as _;
    let mut bytes = [0; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).context("read random bytes")?;
    // Kafka's command line would take a leading hyphen for an option.
    bytes[0] &= 0x7f;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// Starts the broker and waits until it says that it has started, and its port answers.
fn launch(folder: &Path, ports: Ports, options: &Options) -> anyhow::Result<Child> {
    use std::os::unix::process::CommandExt as _;
    let mut command = java("kafka.Kafka", folder, options.heap_mb)?;
    command.arg(PROPERTIES_FILE);
    // Ctrl-C in a terminal goes to all of a process group: the broker is stopped by its holder, after its users.
    command.process_group(0);
    let (log, from) = open_log(folder)?;
    command.stdout(log.try_clone()?).stderr(log);
    let broker = Child::spawn("kafka", command)?;
    let log = folder.join(LOG_FILE);
    let started = wait::until("the start of kafka", START_WITHIN, || {
        let said = read_from(&log, from)?;
        if let Some(status) = broker.exited()? {
            let why = if said.contains(ADDRESS_IN_USE) { ADDRESS_IN_USE } else { "see its log" };
            bail!("kafka ended while it started ({status}): {why}:\n{}", last_lines(&log, 15));
        }
        Ok((said.contains(STARTED) && ports::answers(ports.broker)).then_some(()))
    });
    match started {
        Ok(()) => Ok(broker),
        Err(error) => bail!("{error:#}\nlog: {}", log.display()),
    }
}

/// Kafka's log, to append to, and its length.
fn open_log(folder: &Path) -> anyhow::Result<(File, u64)> {
    let log = append_to(&folder.join(LOG_FILE))?;
    let length = log.metadata()?.len();
    Ok((log, length))
}

fn read_from(path: &Path, from: u64) -> anyhow::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("the path {}", path.display()))
}
