//! An installation of Weir for one test: a log, a folder, a sealing key, and settings. Its services run in the test's
//! process or as processes of their own. Each gets those of the settings that it reads, as the catalogue says.
//!
//! ```no_run
//! # use std::time::Duration;
//! use weir_tests::installation::Installation;
//! let installation = Installation::on_kafka("resume")?.with("WEIR__LOADER__COMMIT_INTERVAL_MS", "500");
//! let loader = installation.launch("loader")?.start()?;
//! loader.ready(Duration::from_secs(20))?;
//! # anyhow::Ok(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bus::Bus;
use common::catalogue::Use;
use service::Service;
use weir::catalogue::{self, SERVICES};

use crate::kafka;
use crate::process::Launch;
use crate::scratch::Scratch;

/// The setting with the address of the door.
pub const DOOR: &str = "WEIR__STREAMING__LISTEN";
/// All services in one process: `weir up`.
pub const UP: &str = "weir";
const LISTENERS: [&str; 3] = ["WEIR__ADMIN__LISTEN", "WEIR__GRPC__LISTEN", DOOR];

/// An installation. Dropping it removes its folder: what runs in it has to be dropped before.
#[derive(Debug)]
pub struct Installation {
    name: String,
    settings: BTreeMap<String, String>,
    scratch: Scratch,
}

impl Installation {
    /// Where the log is embedded in the process that has it.
    ///
    /// # Errors
    /// The folder or the key cannot be made.
    pub fn embedded(name: &str) -> anyhow::Result<Self> {
        let scratch = Scratch::new(name)?;
        service::seal::SealingKey::create_file(scratch.path().join("sealing-key"))?;
        // Who counts records of a topic finds no canary there that `weir up` would send.
        let settings = [("WEIR__BUS__CREATE_TOPICS", "true"), ("WEIR__STREAMING__CANARY_INTERVAL_MS", "0")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let name = kafka::prefix(name).trim_end_matches('.').to_owned();
        Ok(Self { name, settings, scratch })
    }

    /// On the broker that all tests of this test program share, with a topic prefix of its own.
    ///
    /// # Errors
    /// As [`kafka::shared`] and [`Installation::embedded`].
    pub fn on_kafka(name: &str) -> anyhow::Result<Self> {
        Self::on(kafka::shared()?.bootstrap(), name)
    }

    /// On these brokers, "host:port,…", with a topic prefix of its own.
    ///
    /// # Errors
    /// As [`Installation::embedded`].
    pub fn on(brokers: &str, name: &str) -> anyhow::Result<Self> {
        let installation = Self::embedded(name)?;
        let prefix = format!("{}.", installation.name);
        Ok(installation.with("WEIR__BUS__KAFKA__BROKERS", brokers).with("WEIR__BUS__TOPIC_PREFIX", prefix))
    }

    /// A setting of all its services that read it.
    #[must_use]
    pub fn with(mut self, setting: &str, value: impl Into<String>) -> Self {
        self.settings.insert(setting.to_owned(), value.into());
        self
    }

    /// A name that no other installation has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its topics and groups begin with; empty on an embedded log.
    pub fn prefix(&self) -> &str {
        self.setting("WEIR__BUS__TOPIC_PREFIX")
    }

    /// The value of a setting that was made; empty for others.
    pub fn setting(&self, setting: &str) -> &str {
        self.settings.get(setting).map_or("", String::as_str)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// The file with its sealing key.
    pub fn key_file(&self) -> PathBuf {
        self.folder().join("sealing-key")
    }

    /// The program of a service, as "loader", or of all ([`UP`]), with the settings that it reads. A door gets a port.
    ///
    /// # Errors
    /// The catalogue has no such service.
    pub fn launch(&self, service: &str) -> anyhow::Result<Launch> {
        let read = sections(service)?;
        // `weir up` has a key and a lake of its own where nothing is said.
        let (launch, own) = match service {
            UP => (Launch::new(UP).arg("up"), BTreeMap::new()),
            _ => (Launch::new(&format!("weir-{service}")), self.own()),
        };
        let launch = if read.contains("streaming") { launch.listen(DOOR) } else { launch };
        Ok(of(&read, own, &self.settings).into_iter().fold(launch, |launch, (name, value)| launch.env(&name, value)))
    }

    /// The settings of a service that runs in the test's process: its ports are free ones, and what the bus keeps is in the
    /// folder.
    ///
    /// # Errors
    /// A setting is wrong; the message names it.
    pub fn settings<S: Service>(&self) -> anyhow::Result<S::Settings> {
        self.settings_with::<S>(None, &[])
    }

    /// The same, with a file of settings and with further ones, which win.
    ///
    /// # Errors
    /// As [`Installation::settings`].
    pub fn settings_with<S: Service>(&self, file: Option<&Path>, more: &[(&str, &str)]) -> anyhow::Result<S::Settings> {
        let mut own = self.own();
        own.extend(LISTENERS.map(|setting| (setting.to_owned(), "127.0.0.1:0".to_owned())));
        own.insert("WEIR__BUS__DATA_DIR".to_owned(), self.folder().join("data").display().to_string());
        // No Kafka, unless the installation is on one.
        own.insert("WEIR__BUS__KAFKA__BROKERS".to_owned(), String::new());
        let mut settings = of(&sections(S::description().name)?, own, &self.settings);
        settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok(service::load(S::DEFAULTS, file, settings)?)
    }

    /// The settings of the commands.
    ///
    /// # Errors
    /// A setting is wrong; the message names it.
    pub fn commands(&self) -> anyhow::Result<weir::settings::Settings> {
        Ok(service::load(weir::settings::DEFAULTS, None, self.settings.clone())?)
    }

    /// A connection of the test's own to its Kafka.
    ///
    /// # Errors
    /// A setting is wrong; the message names it.
    pub fn bus(&self) -> anyhow::Result<Bus> {
        Ok(Bus::open(&self.commands()?.bus)?)
    }

    /// What is not told apart by tests: files in the folder.
    fn own(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("WEIR__SECRETS__KEY_FILE".to_owned(), self.key_file().display().to_string()),
            ("WEIR__LAKE__ROOT".to_owned(), self.folder().join("lake").display().to_string()),
        ])
    }
}

/// The services through which deliveries pass, in the order of their way.
pub fn pipeline() -> Vec<&'static str> {
    let passes = |used| matches!(used, Use::Input | Use::Output | Use::Publish);
    let services = catalogue::descriptions().filter(|service| service.topics.iter().any(|topic| passes(topic.used)));
    services.map(|service| service.name).collect()
}

/// Those of the settings that stand in these sections; `more` wins.
fn of(
    read: &BTreeSet<String>,
    mut settings: BTreeMap<String, String>,
    more: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    settings.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    let section = |name: &str| name.trim_start_matches("WEIR__").split("__").next().map(str::to_lowercase);
    settings.retain(|name, _| section(name).is_some_and(|section| read.contains(&section)));
    settings
}

/// The sections of settings that a service reads.
fn sections(service: &str) -> anyhow::Result<BTreeSet<String>> {
    let all: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, [])?;
    let read = if service == UP {
        serde_json::to_value(&all)
    } else {
        let entry = SERVICES.into_iter().find(|entry| (entry.description)().name == service);
        (entry.with_context(|| format!("the catalogue of services has no {service}"))?.settings)(&all)
    };
    let read = read.with_context(|| format!("the settings of {service}"))?;
    Ok(read.as_object().into_iter().flatten().map(|(section, _)| section.clone()).collect())
}
