//! PostgreSQL, as Debian packages it: one cluster in a temporary folder, and a standby of it where it is wanted.

mod standby;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::certificates::Certificate;
use crate::child::{self, Child, Signal, append_to, last_lines};
use crate::environment::find_program;
use crate::scratch::Scratch;
use crate::{ports, wait};

/// After a kill it reads its journal first.
const START_WITHIN: Duration = Duration::from_secs(60);
const STOP_WITHIN: Duration = Duration::from_secs(20);
const SUPERUSER: &str = "weir";

/// A server that trusts every connection, on loopback. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    folders: Folders,
    owner: Option<Owner>,
    server: Child,
    /// After the server, which is dropped first.
    _scratch: Scratch,
}

#[derive(Clone, Debug)]
struct Folders {
    programs: PathBuf,
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
}

/// Whom PostgreSQL runs as where the tests run as root, which it refuses.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Makes a cluster, starts it and waits until it answers.
    ///
    /// # Errors
    /// PostgreSQL is missing or does not start; then with the last lines of its log.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(None)
    }

    /// The same with TLS beside plain connections.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_with_tls(certificate: &Certificate) -> anyhow::Result<Self> {
        Self::start_with(Some(certificate))
    }

    fn start_with(certificate: Option<&Certificate>) -> anyhow::Result<Self> {
        let scratch = Scratch::new("pg")?;
        let folders = Folders {
            programs: programs()?,
            data: scratch.path().join("data"),
            sockets: scratch.path().to_owned(),
            log: scratch.path().join("postgres.log"),
        };
        let owner = owner()?;
        if let Some(Owner { uid, gid }) = owner {
            chown(scratch.path(), Some(uid), Some(gid)).context("give the folder to the user of postgresql")?;
        }
        let mut initdb = child::command(folders.programs.join("initdb"));
        initdb.arg("-D").arg(&folders.data).args(["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.arg("--no-sync");
        run_as(owner, &mut initdb, &folders.sockets);
        let output = initdb.output().context("start initdb")?;
        succeeded("initdb", &output)?;
        if let Some(certificate) = certificate {
            certify(&folders.data, certificate, owner)?;
        }
        let port = ports::free()?;
        let server = launch(&folders, owner, port)?;
        Ok(Self { port, folders, owner, server, _scratch: scratch })
    }

    /// The URL of the database that is always there.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes a new, empty database and returns its URL.
    ///
    /// # Errors
    /// The server refuses.
    pub fn database(&self) -> anyhow::Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut createdb = Command::new(self.folders.programs.join("createdb"));
        createdb.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER, &name]);
        succeeded("createdb", &createdb.output().context("start createdb")?)?;
        Ok(self.url_of(&name))
    }

    /// Runs one statement in a database and returns its rows as psql prints them: a line each, columns parted by "|".
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the statement.
    pub fn sql(&self, url: &str, statement: &str) -> anyhow::Result<String> {
        let mut psql = Command::new(self.folders.programs.join("psql"));
        psql.args(["--no-psqlrc", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, url]);
        let output = psql.output().context("start psql")?;
        succeeded("psql", &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its first process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// SIGKILL for its first process; waits until the others have seen it and are gone too.
    ///
    /// # Errors
    /// A process does not end.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        wait::until("the end of the processes of postgresql", STOP_WITHIN, || {
            Ok((!anything_works_in(&self.folders.data)).then_some(()))
        })
    }

    /// Ends it without waiting for its clients ("fast").
    ///
    /// # Errors
    /// It did not end, and was killed.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.server.stop_with(Signal::Int, STOP_WITHIN)?;
        Ok(())
    }

    /// Starts it again on the same port with the same data; stops it before where it still runs.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.server = launch(&self.folders, self.owner, self.port)?;
        Ok(())
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Where it does not end it is killed.
        let _ = self.stop();
    }
}

/// The server that all tests of this test binary use, each with a [`Postgres::database`] of its own; the first call
/// starts it. It ends with the process.
///
/// # Errors
/// As [`Postgres::start`]; the same for each call.
pub fn shared() -> anyhow::Result<&'static Postgres> {
    static SHARED: OnceLock<Result<Postgres, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| Postgres::start().map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The folder with the programs of the newest version. Debian does not put the server's on PATH.
fn programs() -> anyhow::Result<PathBuf> {
    let mut newest = None;
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0);
        let folder = entry.path().join("bin");
        if folder.join("initdb").is_file() && newest.as_ref().is_none_or(|(known, _)| version > *known) {
            newest = Some((version, folder));
        }
    }
    if let Some((_, folder)) = newest {
        return Ok(folder);
    }
    let on_path = find_program("initdb", &[]).and_then(|initdb| initdb.parent().map(Path::to_owned));
    on_path.context("no PostgreSQL in /usr/lib/postgresql or on PATH: install postgresql (`make deps`)")
}

/// `None` where the tests do not run as root.
fn owner() -> anyhow::Result<Option<Owner>> {
    if fs::metadata("/proc/self").context("find out who runs the tests")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    for wanted in ["postgres", "nobody"] {
        for line in users.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields[..]
                && name == wanted
            {
                return Ok(Some(Owner { uid: uid.parse()?, gid: gid.parse()? }));
            }
        }
    }
    bail!("postgresql refuses to run as root, and there is neither a user postgres nor a user nobody")
}

fn run_as(owner: Option<Owner>, command: &mut Command, folder: &Path) {
    if let Some(Owner { uid, gid }) = owner {
        command.uid(uid).gid(gid).env("HOME", folder);
    }
    command.current_dir(folder).stdin(Stdio::null());
}

/// The names under which it looks for its certificate by itself. The key must be its own, and nobody else's to read.
fn certify(data: &Path, certificate: &Certificate, owner: Option<Owner>) -> anyhow::Result<()> {
    for (from, name) in [(&certificate.certificate, "server.crt"), (&certificate.key, "server.key")] {
        let to = data.join(name);
        fs::copy(from, &to).with_context(|| format!("copy to {}", to.display()))?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
        if let Some(Owner { uid, gid }) = owner {
            chown(&to, Some(uid), Some(gid))?;
        }
    }
    let mut settings = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
    writeln!(settings, "ssl = on").context("turn TLS on")
}

fn launch(folders: &Folders, owner: Option<Owner>, port: u16) -> anyhow::Result<Child> {
    let log = append_to(&folders.log)?;
    let mut command = child::command(folders.programs.join("postgres"));
    command.arg("-D").arg(&folders.data).arg("-k").arg(&folders.sockets);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    // What was written outlives a killed process; only a power failure, which no test makes, needs fsync.
    command.args(["-c", "fsync=off"]);
    // It counts what it inherits: beside hundreds of clients of Kafka in this process, whose pipes stay open, the default of 1000
    // leaves it none.
    command.args(["-c", "max_files_per_process=8000"]);
    command.stdout(log.try_clone()?).stderr(log);
    run_as(owner, &mut command, &folders.sockets);
    let server = Child::spawn("postgresql", command)?;
    wait::until("the start of postgresql", START_WITHIN, || {
        if let Some(status) = server.exited()? {
            bail!("postgresql ended while it started ({status}):\n{}", last_lines(&folders.log, 10));
        }
        let mut ready = Command::new(folders.programs.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
        Ok(ready.status().context("start pg_isready")?.success().then_some(()))
    })?;
    Ok(server)
}

fn succeeded(program: &str, output: &Output) -> anyhow::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!("{program} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
}

/// Every process of PostgreSQL works in its data folder.
fn anything_works_in(folder: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|process| process.path().join("cwd")).any(|cwd| fs::read_link(cwd).is_ok_and(|at| at == folder))
}
