//! Apache Kafka for one's own machine: one broker, on loopback, by itself or around a command.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::task::{Context, Waker};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{Signal as Incoming, SignalKind, signal};
use weir_tests::child::{self, Child, Signal};
use weir_tests::kafka::{Kafka, Options};

const BROKERS: &str = "WEIR__BUS__KAFKA__BROKERS";
/// Between two looks whether the command or the broker still runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Starts one Apache Kafka broker on 127.0.0.1, to try Weir by hand.
#[derive(Debug, Parser)]
#[command(name = "weir-kafka", version, after_help = EXAMPLES)]
struct Arguments {
    /// Where the broker keeps its data and its log (kafka.log); the next start goes on with it. Without it the data goes
    /// when the broker stops
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The port for clients; 0 takes a free one. 9092 is where Weir looks when it is told nothing else
    #[arg(long, value_name = "N", default_value_t = 9092)]
    port: u16,
    /// The most memory of the broker's heap, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    heap: u32,
    /// A command to run with WEIR__BUS__KAFKA__BROKERS set. When it ends the broker is stopped, and its exit code is
    /// handed on. Without a command the broker runs until Ctrl-C
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  weir-kafka                                    a broker on port 9092
  weir-kafka --data weir-data/kafka             the same, and its data stays
  weir-kafka --data weir-data/kafka -- weir up  a broker with Weir on it;
                                                Ctrl-C stops both
  weir-kafka --port 0 -- sh -c 'echo $WEIR__BUS__KAFKA__BROKERS'

It needs Java 17 and Kafka's jars: `make deps kafka-jars` brings both. The
jars are looked for in target/kafka of the checkout in which this was built,
or in the folder that WEIR_KAFKA_JARS names.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.context("start the runtime").and_then(|runtime| runtime.block_on(run(arguments)));
    outcome.unwrap_or_else(|error| {
        say_error(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Before the broker starts, so that from now on no signal ends this process and leaves the broker to be killed.
    let mut signals = Signals::new()?;
    let options = Options { data: arguments.data, port: arguments.port, heap_mb: arguments.heap, ..Options::default() };
    let port = options.port;
    let mut kafka = Kafka::start(options).with_context(|| match port {
        0 => "kafka does not start".to_owned(),
        port => format!("kafka does not start on port {port} (another: --port N, a free one: --port 0)"),
    })?;
    say(&format!("Apache Kafka at {}, log in {}", kafka.bootstrap(), kafka.log().display()))?;
    if signals.any() {
        kafka.stop()?;
        return Ok(ExitCode::FAILURE);
    }
    let code = match arguments.command.split_first() {
        Some((program, rest)) => around(&kafka, program, rest, &mut signals).await?,
        None => alone(&kafka, &mut signals).await?,
    };
    kafka.stop()?;
    Ok(code)
}

/// Until a signal comes.
async fn alone(kafka: &Kafka, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    say("Ctrl-C stops it")?;
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = signals.next() => return Ok(ExitCode::SUCCESS),
            _ = look.tick() => if let Some(status) = kafka.exited()? {
                say_error(&format!("kafka ended ({status}), see {}", kafka.log().display()));
                return Ok(ExitCode::FAILURE);
            },
        }
    }
}

/// Until the command ends.
async fn around(kafka: &Kafka, program: &str, rest: &[String], signals: &mut Signals) -> anyhow::Result<ExitCode> {
    // Where this process is killed, the command is asked to end.
    let mut command = child::bound_command(program, Signal::Term);
    command.args(rest).env(BROKERS, kafka.bootstrap());
    let command = Child::spawn(program, command)?;
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut told = false;
    loop {
        tokio::select! {
            // Ctrl-C reaches the command by itself: it is in this process's group. SIGTERM was sent to this process only.
            received = signals.next() => if received == Signal::Term && command.exited()?.is_none() {
                command.signal(Signal::Term)?;
            },
            _ = look.tick() => {
                if let Some(status) = command.exited()? {
                    return Ok(exit_code(status));
                }
                if let (false, Some(status)) = (told, kafka.exited()?) {
                    told = true;
                    say_error(&format!("kafka ended ({status}), see {}", kafka.log().display()));
                }
            },
        }
    }
}

/// As a shell hands it on: 128 and the signal for a command that was killed.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

struct Signals {
    interrupt: Incoming,
    terminate: Incoming,
    hang_up: Incoming,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Has one come already? Starting the broker takes seconds.
    fn any(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let Self { interrupt, terminate, hang_up } = self;
        [interrupt, terminate, hang_up].into_iter().any(|signal| signal.poll_recv(&mut context).is_ready())
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Int,
            _ = self.terminate.recv() => Signal::Term,
            _ = self.hang_up.recv() => Signal::Term,
        }
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("print")
}

fn say_error(line: &str) {
    // Nobody reads it: nothing is left to be done.
    let _ = writeln!(std::io::stderr(), "weir-kafka: {line}");
}
