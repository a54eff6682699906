#![doc = include_str!("../README.md")]

pub mod dead_letters;
mod failures;
mod key;
mod look_up;
pub mod registrations;
pub mod replay;
pub mod settings;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, Producer, Table, TableHandle};
use common::deadletter::v1::dead_letter_service_server::DeadLetterServiceServer;
use common::enrichment::v1::enrichment_service_server::EnrichmentServiceServer;
use common::registration::v1::Registration;
use common::registration::v1::registration_service_server::RegistrationServiceServer;
use common::topics::REGISTRATIONS;
use database::Location;
use service::{Host, SecretsSettings};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::dead_letters::service::{self as letters, DeadLetters};
use crate::look_up::Enrichment;
pub use crate::look_up::REGISTRATIONS as LOOK_UP;
use crate::registrations::publish::Publisher;
use crate::registrations::service::{Moments, Registrations};
use crate::registrations::store::RegistrationStore;
use crate::registrations::stored::Stored;
use crate::registrations::upkeep::{self, Upkeep, View};
use crate::replay::reader::ReadsRaw;
pub use crate::settings::{DEFAULTS, RegistrationsSettings};

/// What whoever hosts it has opened.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The process.
    pub host: Host,
    /// The log.
    pub bus: Bus,
    /// Where its records go.
    pub producer: Producer,
    /// How often its health is looked at.
    pub every: Duration,
}

/// The stage that reads raw deliveries, for their replay.
#[derive(Debug)]
pub struct RawStage {
    /// The names of the sources that it processes.
    pub sources: Vec<&'static str>,
    /// The consumer group of each of its topics.
    pub groups: BTreeMap<String, String>,
    /// How it reads them.
    pub reader: Arc<dyn ReadsRaw>,
}

/// The control plane, opened and not yet running.
#[derive(Debug)]
pub struct Control {
    settings: RegistrationsSettings,
    parts: Parts,
    store: Arc<dyn RegistrationStore>,
    publisher: Publisher,
    registrations: Registrations,
    differs: Arc<Notify>,
    compared: CancellationToken,
    view: View,
    table: Table<Registration>,
    checks: upkeep::Checks,
}

/// The default of the registrations' file, without a setting, and what it was once.
const FILE: [&str; 2] = ["data/registrations.db", "weir-data/registrations.db"];

/// An empty database in place of one that is elsewhere would look as if every registration were lost.
fn left_behind(here: &Path, file: &Path) -> anyhow::Result<()> {
    let [now, once] = FILE;
    let set = file != Path::new(now);
    anyhow::ensure!(
        set || here.join(now).exists() || !here.join(once).exists(),
        "the registrations are in ./{once}, the default of an earlier version, and ./{now} does not exist: set \
         registrations.database = \"sqlite://./{once}\", or stop every process that uses the file and move it"
    );
    Ok(())
}

impl Control {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When the key file, the password file or a setting does not do; the message names the setting.
    pub fn open(settings: &RegistrationsSettings, secrets: &SecretsSettings, parts: Parts) -> anyhow::Result<Self> {
        let delivery = Duration::from_millis(parts.bus.settings().kafka.delivery_timeout_ms.into());
        let options =
            settings.options(delivery).map_err(|problem| anyhow::anyhow!("registrations.database {problem}"))?;
        if let Location::Sqlite(file) = &options.location {
            left_behind(Path::new(""), file)?;
        }
        Self::with_store(settings, secrets, parts, Arc::new(Stored::open(options)?))
    }

    /// The same with another database behind it: for tests of what a database may do.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_store(
        settings: &RegistrationsSettings,
        secrets: &SecretsSettings,
        parts: Parts,
        store: Arc<dyn RegistrationStore>,
    ) -> anyhow::Result<Self> {
        let key = key::open(secrets, settings.create_key_file)?;
        let Parts { host, bus, producer, .. } = &parts;
        let publisher = Publisher::new(producer.clone(), Duration::from_millis(settings.publish_timeout_ms));
        let (differs, compared) = (Arc::new(Notify::new()), CancellationToken::new());
        let view = View::new(host.counts().clone());
        let registrations = Registrations::new(
            Arc::clone(&store),
            publisher.clone(),
            key,
            settings.limits(),
            host.tasks().clone(),
            Arc::clone(&differs),
            Moments { compared: compared.clone(), ends: host.shutdown().clone() },
        );
        Ok(Self {
            settings: settings.clone(),
            table: bus.table(&REGISTRATIONS),
            checks: upkeep::Checks::new(host.health()),
            parts,
            store,
            publisher,
            registrations,
            differs,
            compared,
            view,
        })
    }

    /// The registrations as they have been read so far.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Whether they have been read.
    pub fn table(&self) -> TableHandle {
        self.table.handle()
    }

    /// Its gRPC services, with the largest message that they take.
    pub fn add_to(&self, routes: Routes, raw: RawStage, largest: usize) -> Routes {
        let Parts { host, bus, producer, .. } = self.parts.clone();
        // An answer may hold the largest record there is, and a page of what is said of many.
        let dead_letters = bus.settings().producer.max_record_bytes.saturating_mul(2).max(largest);
        let RawStage { sources, groups, reader } = raw;
        let stage = letters::Stage { sources, groups, reader, view: self.view(), table: self.table() };
        routes
            .add_service(
                RegistrationServiceServer::new(self.registrations.clone())
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(largest),
            )
            .add_service(
                EnrichmentServiceServer::new(Enrichment::new(self.view(), self.table()))
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(largest),
            )
            .add_service(
                DeadLetterServiceServer::new(DeadLetters::new(bus, producer, Arc::clone(&self.store), host, stage))
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(dead_letters),
            )
    }

    /// Follows the topic until `after` is cancelled, and keeps the database and it alike until the process ends. Gives
    /// what is to be closed in the end.
    pub fn run(self, after: CancellationToken, tasks: &mut JoinSet<anyhow::Result<()>>) -> Arc<dyn RegistrationStore> {
        let (view, table) = (self.view.clone(), self.table.handle());
        tasks.spawn(async move {
            let apply = move |id: &str, registration| view.apply(id, registration);
            self.table.follow(apply, after).await.context("following the registrations topic")
        });
        let upkeep = Upkeep {
            store: Arc::clone(&self.store),
            bus: self.parts.bus,
            publisher: self.publisher,
            view: self.view,
            table,
            differs: self.differs,
            compare: Duration::from_millis(self.settings.compare_interval_ms),
            look: self.parts.every,
            allow_removals: self.settings.allow_removals,
            compared: self.compared,
        };
        let (checks, until) = (self.checks, self.parts.host.shutdown().clone());
        tasks.spawn(async move {
            upkeep.run(checks, until).await;
            Ok(())
        });
        self.store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_at_the_default_of_before_are_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let [now, once] = FILE;
        let asked = |file: &str| left_behind(here, Path::new(file)).map_err(|error| error.to_string());
        let touch = |file: &str| {
            std::fs::create_dir_all(here.join(file).parent().unwrap()).unwrap();
            std::fs::write(here.join(file), "").unwrap();
        };
        asked(now).unwrap();
        touch(once);
        let error = asked(now).unwrap_err();
        assert!(error.contains("set registrations.database = \"sqlite://./weir-data/registrations.db\""), "{error}");
        asked(once).unwrap();
        asked("/var/lib/weir/registrations.db").unwrap();
        touch(now);
        asked(now).unwrap();
    }
}
