//! A second server that follows the first, to take its place.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::time::Duration;

use anyhow::Context;

use super::{Folders, Owner, Postgres, SUPERUSER, launch, run_as, succeeded};
use crate::child;
use crate::scratch::Scratch;
use crate::{ports, wait};

const FOLLOWS_WITHIN: Duration = Duration::from_secs(60);
const NAME: &str = "standby";

impl Postgres {
    /// A copy of this server that follows it. When this returns nothing is committed any more that the copy has not
    /// written down too.
    ///
    /// # Errors
    /// It cannot be copied, or the copy does not start or follow.
    pub fn standby(&self) -> anyhow::Result<Self> {
        let scratch = Scratch::new("pg")?;
        let folders = Folders {
            programs: self.folders.programs.clone(),
            data: scratch.path().join("data"),
            sockets: scratch.path().to_owned(),
            log: scratch.path().join("postgres.log"),
        };
        if let Some(Owner { uid, gid }) = self.owner {
            chown(scratch.path(), Some(uid), Some(gid)).context("give the folder to the user of postgresql")?;
        }
        let mut copy = child::command(folders.programs.join("pg_basebackup"));
        copy.arg("-D").arg(&folders.data).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", SUPERUSER]);
        copy.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"]);
        run_as(self.owner, &mut copy, &folders.sockets);
        succeeded("pg_basebackup", &copy.output().context("start pg_basebackup")?)?;
        let signal = folders.data.join("standby.signal");
        fs::write(&signal, "").context("write standby.signal")?;
        if let Some(Owner { uid, gid }) = self.owner {
            chown(&signal, Some(uid), Some(gid))?;
        }
        let mut settings = fs::OpenOptions::new().append(true).open(folders.data.join("postgresql.auto.conf"))?;
        // What was said of the server before, where it was a copy itself, comes first and does not count.
        let before = format!("host=127.0.0.1 port={} user={SUPERUSER} application_name={NAME}", self.port);
        writeln!(settings, "primary_conninfo = '{before}'\nsynchronous_standby_names = ''")?;
        let port = ports::free()?;
        let server = launch(&folders, self.owner, port)?;
        let standby = Self { port, folders, owner: self.owner, server, _scratch: scratch };
        self.set("synchronous_standby_names", NAME)?;
        wait::until("the standby of postgresql", FOLLOWS_WITHIN, || {
            let state = self.sql(&self.url(), "SELECT sync_state FROM pg_stat_replication")?;
            Ok((state == "sync").then_some(()))
        })?;
        Ok(standby)
    }

    /// It follows nobody any more, and takes what is written.
    ///
    /// # Errors
    /// It does not.
    pub fn promote(&self) -> anyhow::Result<()> {
        self.sql(&self.url(), "SELECT pg_promote(true, 60)").context("promote the standby")?;
        wait::until("the promotion of postgresql", FOLLOWS_WITHIN, || {
            Ok((self.sql(&self.url(), "SHOW transaction_read_only")? == "off").then_some(()))
        })
    }

    /// It takes nothing any more that is written, also from those that are connected.
    ///
    /// # Errors
    /// It does not do so.
    pub fn make_read_only(&self) -> anyhow::Result<()> {
        self.set("default_transaction_read_only", "on")?;
        wait::until("postgresql is read-only", FOLLOWS_WITHIN, || {
            Ok((self.sql(&self.url(), "SHOW transaction_read_only")? == "on").then_some(()))
        })
    }

    /// Changes a setting of the whole server.
    fn set(&self, setting: &str, value: &str) -> anyhow::Result<()> {
        self.sql(&self.url(), &format!("ALTER SYSTEM SET {setting} = '{value}'"))?;
        self.sql(&self.url(), "SELECT pg_reload_conf()").map(drop)
    }
}
