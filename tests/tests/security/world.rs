//! A broker that asks who its clients are, with a principal for each service.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rdkafka::ClientConfig;
use weir::access::{Access, Resource, access};
use weir::catalogue::{descriptions, jobs};
use weir::settings::Settings;
use weir_tests::certificates::{Authority, Certificate};
use weir_tests::connect;
use weir_tests::kafka::{self, Acl, Kafka, Options, Pattern, Security};
use weir_tests::process::Launch;
use weir_tests::scratch::Scratch;

pub(crate) const DOOR: &str = "WEIR__STREAMING__LISTEN";

/// The principal of each service, and that of the jobs.
pub(crate) fn principals() -> Vec<String> {
    descriptions().chain([jobs()]).map(|service| format!("weir-{}", service.name)).collect()
}

/// The broker that these tests share. It ends with the process.
pub(crate) struct World {
    pub(crate) kafka: Kafka,
    pub(crate) authority: Authority,
    folder: Scratch,
}

/// The password of a principal.
pub(crate) fn password(name: &str) -> String {
    format!("{name}-planted-sasl-password-5e1f")
}

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let authority = Authority::new("weir tests").unwrap();
        let users: Vec<_> = principals().into_iter().map(|name| (password(&name), name)).collect();
        let users: Vec<_> = users.iter().map(|(password, name)| (name.as_str(), password.as_str())).collect();
        let security = Some(Security::new(&authority, &users).unwrap());
        let kafka = Kafka::start(Options { security, ..Options::default() }).unwrap();
        World { kafka, authority, folder: Scratch::new("passwords").unwrap() }
    })
}

impl World {
    /// A file with a password.
    pub(crate) fn password_file(&self, name: &str, password: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("{password}\n")).unwrap();
        path
    }

    /// What a service has to be told to reach the broker by its user name and password.
    pub(crate) fn by_password(&self, service: &str) -> Vec<(String, String)> {
        let file = self.password_file(service, &password(service));
        self.kafka_settings(
            &self.kafka.sasl_bootstrap(),
            "sasl_ssl",
            &[
                ("CA_FILE", self.authority.root.as_path()),
                ("SASL_USERNAME", Path::new(service)),
                ("SASL_PASSWORD_FILE", &file),
            ],
        )
    }

    /// The same by certificate.
    pub(crate) fn by_certificate(&self, certificate: &Certificate) -> Vec<(String, String)> {
        self.kafka_settings(
            &self.kafka.tls_bootstrap(),
            "ssl",
            &[
                ("CA_FILE", self.authority.root.as_path()),
                ("CERTIFICATE_FILE", &certificate.certificate),
                ("KEY_FILE", &certificate.key),
            ],
        )
    }

    pub(crate) fn kafka_settings(
        &self,
        brokers: &str,
        protocol: &str,
        more: &[(&str, &Path)],
    ) -> Vec<(String, String)> {
        let first = [("BROKERS", Path::new(brokers)), ("SECURITY_PROTOCOL", Path::new(protocol))];
        let named = |(name, value): &(&str, &Path)| (format!("WEIR__BUS__KAFKA__{name}"), value.display().to_string());
        first.iter().chain(more).map(named).collect()
    }

    /// Makes all topics, and allows exactly what the table says, with this prefix.
    pub(crate) async fn open(&self, prefix: &str) -> Vec<Access> {
        let table = access(&settings([("WEIR__BUS__TOPIC_PREFIX".to_owned(), prefix.to_owned())]));
        let mut names: Vec<_> =
            table.iter().flat_map(|access| &access.rules).filter_map(|rule| topic(&rule.resource)).collect();
        names.sort_unstable();
        names.dedup();
        let described: Vec<_> = descriptions().flat_map(|service| service.topics).map(|one| one.topic).collect();
        let spec = |name: &&str| {
            let name = name.strip_prefix(prefix).unwrap();
            described.iter().find(|topic| topic.name == name).unwrap_or_else(|| panic!("{name}")).clone()
        };
        let scratch = Scratch::new("topics").unwrap();
        let mut own = connect::settings(&self.kafka, prefix, scratch.path()).unwrap();
        own.partitions = 1;
        let (bus, specs) = (bus::Bus::open(&own).unwrap(), names.iter().map(spec).collect::<Vec<_>>());
        assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
        self.kafka.allow(&acls(&table)).unwrap();
        table
    }

    /// How the client itself is configured as this service.
    pub(crate) fn client(&self, service: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.kafka.sasl_bootstrap())
            .set("security.protocol", "SASL_SSL")
            .set("ssl.ca.location", self.authority.root.display().to_string())
            .set("sasl.mechanism", "SCRAM-SHA-512")
            .set("sasl.username", service)
            .set("sasl.password", password(service))
            .set("group.id", format!("{service}-of-a-stranger"))
            .set("auto.offset.reset", "earliest");
        config
    }
}

pub(crate) fn settings(environment: impl IntoIterator<Item = (String, String)>) -> Settings {
    service::load(weir::settings::DEFAULTS, None, environment).unwrap()
}

pub(crate) fn topic(resource: &Resource) -> Option<&str> {
    match resource {
        Resource::Topic(name) => Some(name),
        Resource::Group(_) => None,
    }
}

fn acls(table: &[Access]) -> Vec<Acl> {
    let mut acls = Vec::new();
    for Access { service, rules } in table {
        for rule in rules {
            for operation in &rule.operations {
                acls.push(Acl {
                    principal: format!("User:{service}"),
                    operation: format!("{operation:?}"),
                    on: match &rule.resource {
                        Resource::Topic(name) => Pattern::Topic(name.clone()),
                        Resource::Group(name) => Pattern::Group(name.clone()),
                    },
                });
            }
        }
    }
    acls
}

/// A topic prefix of its own.
pub(crate) fn prefix(name: &str) -> String {
    kafka::prefix(name)
}

pub(crate) fn with(mut launch: Launch, environment: impl IntoIterator<Item = (String, String)>) -> Launch {
    for (name, value) in environment {
        launch = launch.env(&name, value);
    }
    launch
}
