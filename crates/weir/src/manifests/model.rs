//! What the templates see: the catalogue, with what follows from it.

use std::collections::BTreeMap;

use common::catalogue::{Answer, Description, Need, Scales, Use};
use serde::Serialize;

use super::tables::{self, PrincipalRow, SourceRow, TopicRow};
use crate::catalogue::{self, SERVICES};
use crate::settings::Settings;

#[derive(Debug, Serialize)]
pub(super) struct Model {
    version: &'static str,
    partitions: i32,
    services: Vec<Service>,
    /// Who authenticates at Kafka.
    clients: Vec<String>,
    /// The Services of Kubernetes that operators reach by gRPC.
    grpc_services: Vec<String>,
    topics: Vec<TopicRow>,
    sources: Vec<SourceRow>,
    principals: Vec<PrincipalRow>,
}

/// A service. What it has not is `false`, empty or `null`.
#[derive(Debug, Serialize)]
struct Service {
    name: &'static str,
    about: &'static str,
    program: String,
    cpu: &'static str,
    memory: &'static str,
    memory_limit: &'static str,
    /// `fixed`, `cpu` or `lag`.
    scales: &'static str,
    /// How many there always are.
    least: u32,
    /// Records that wait, for one more instance.
    lag: u32,
    kafka: bool,
    lake: bool,
    sealing_key: bool,
    targets: bool,
    /// The beginning of the environment variables that say where its database is.
    database: Option<String>,
    public_path: Option<&'static str>,
    pages: bool,
    /// Full names of the gRPC services that operators call.
    grpc: Vec<&'static str>,
    /// The Service of Kubernetes that leads to its gRPC.
    grpc_at: Option<String>,
    is_dialed: bool,
    /// Whether others than health-check connect to it.
    is_reached: bool,
    /// Labels below `weir.example.com/`, by which policies, monitors and patches select.
    labels: Vec<String>,
    /// The settings that are the same wherever it runs.
    settings: Vec<Setting>,
    inputs: Vec<Input>,
    groups: Vec<String>,
    /// Compose: secrets, ports of the host, and whom it waits for.
    secrets: Vec<&'static str>,
    published: Vec<u16>,
    waits_for: Vec<&'static str>,
    /// Docs.
    reached_by: Vec<String>,
    reaches: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Setting {
    key: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct Input {
    topic: String,
    group: String,
}

impl Model {
    pub(super) fn of(settings: &Settings) -> Self {
        let all: Vec<Description> = catalogue::descriptions().chain([catalogue::jobs()]).collect();
        let mut services = Vec::new();
        for entry in &SERVICES {
            let mut service = Service::of(&(entry.description)(), &(entry.groups)(settings), &all);
            // One port of the host: who comes first has it.
            if services.iter().all(|other: &Service| other.grpc.is_empty()) && !service.grpc.is_empty() {
                service.published.push(9090);
            }
            services.push(service);
        }
        let speaking = services.iter().filter(|service| !service.grpc.is_empty());
        let clients = all.iter().filter(|one| !one.topics.is_empty());
        Self {
            version: super::VERSION,
            partitions: settings.bus.partitions,
            clients: clients.map(|one| program(one.name)).collect(),
            grpc_services: speaking.filter_map(|service| service.grpc_at.clone()).collect(),
            topics: tables::topics(&all),
            sources: tables::sources(),
            principals: tables::principals(settings),
            services,
        }
    }
}

impl Service {
    fn of(description: &Description, groups: &BTreeMap<String, String>, all: &[Description]) -> Self {
        let Description { name, about, runs, .. } = *description;
        let has = |need| runs.needs.contains(&need);
        let (scales, lag) = match runs.scales {
            Scales::Fixed(_) => ("fixed", 0),
            Scales::Cpu => ("cpu", 0),
            Scales::Lag(records) => ("lag", records),
        };
        let is_dialed = all.iter().any(|other| other.runs.dials.iter().any(|dial| dial.service == name));
        let inputs: Vec<Input> = description
            .used(Use::Input)
            .filter_map(|input| {
                let topic = input.topic.name.clone();
                groups.get(&topic).map(|group| Input { group: group.clone(), topic })
            })
            .collect();
        let mut joined: Vec<String> = inputs.iter().map(|input| input.group.clone()).collect();
        joined.sort();
        joined.dedup();
        let database = runs.needs.iter().find_map(|need| match need {
            Need::Database(section) => Some(variable(section)),
            _ => None,
        });
        let kafka = !description.topics.is_empty();
        let choose = |list: &[(bool, &'static str)]| -> Vec<&'static str> {
            list.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect()
        };
        let (lake, claims, sealing_key, postgres) =
            (has(Need::Lake), has(Need::Claims), has(Need::SealingKey), database.is_some());
        let (public_path, pages) = (public(description).map(|(path, _)| path), runs.answers.contains(&Answer::Pages));
        Self {
            name,
            about: about.trim_end_matches('.'),
            program: program(name),
            cpu: runs.cpu,
            memory: runs.memory[0],
            memory_limit: runs.memory[1],
            scales,
            least: runs.scales.least(),
            lag,
            kafka,
            lake,
            sealing_key,
            targets: has(Need::Targets),
            database,
            public_path,
            pages,
            grpc: grpc(description),
            grpc_at: (is_dialed || !grpc(description).is_empty()).then(|| grpc_at(description)),
            is_dialed,
            is_reached: is_dialed || !runs.answers.is_empty(),
            labels: labels(description),
            settings: settings(description, all),
            inputs,
            groups: joined,
            secrets: choose(&[(sealing_key, "sealing-key"), (postgres, "postgres-password"), (lake, "lake-key")]),
            published: [(public_path.is_some(), 8080), (pages, 8081)]
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, port)| *port)
                .collect(),
            waits_for: choose(&[(kafka, "kafka"), (postgres, "postgres"), (claims, "valkey"), (lake, "store")]),
            reached_by: reached_by(description, all),
            reaches: reaches(description),
        }
    }
}

/// The programs that have an image.
pub(super) fn programs() -> Vec<String> {
    catalogue::descriptions().map(|one| program(one.name)).chain(["weir".to_owned()]).collect()
}

fn program(name: &str) -> String {
    format!("weir-{name}")
}

/// `bus.claims.store` as environment variable.
fn variable(setting: &str) -> String {
    format!("WEIR__{}", setting.to_uppercase().replace('.', "__"))
}

fn grpc(description: &Description) -> Vec<&'static str> {
    let answers = description.runs.answers.iter();
    answers.filter_map(|answer| if let Answer::Grpc(name) = answer { Some(*name) } else { None }).collect()
}

fn public(description: &Description) -> Option<(&'static str, &'static str)> {
    description.runs.answers.iter().find_map(|answer| match answer {
        Answer::Public { path, listen } => Some((*path, *listen)),
        _ => None,
    })
}

/// Controllers are told for a whole Service that it speaks HTTP/2: who answers HTTP/1 too has a second one.
fn grpc_at(description: &Description) -> String {
    let more = description.runs.answers.iter().any(|answer| !matches!(answer, Answer::Grpc(_)));
    format!("{}{}", description.name, if more { "-grpc" } else { "" })
}

fn labels(description: &Description) -> Vec<String> {
    let runs = &description.runs;
    let mut labels = Vec::new();
    if !description.topics.is_empty() {
        labels.push("needs-kafka".to_owned());
    }
    for need in runs.needs {
        match need {
            Need::Lake => labels.push("needs-lake".to_owned()),
            Need::Claims => labels.push("needs-valkey".to_owned()),
            Need::Database(_) => labels.push("needs-postgres".to_owned()),
            Need::SealingKey | Need::Targets => {}
        }
    }
    labels.extend(runs.dials.iter().map(|dial| format!("dials-{}", dial.service)));
    for answer in runs.answers {
        let label = match answer {
            Answer::Public { .. } => "answers-public",
            Answer::Grpc(_) => "answers-grpc",
            Answer::Pages => "answers-pages",
        };
        labels.push(label.to_owned());
    }
    if description.used(Use::Input).next().is_some() {
        labels.push("consumes".to_owned());
    }
    if let Scales::Lag(_) = runs.scales {
        labels.push("scales-by-lag".to_owned());
    }
    labels.dedup();
    labels.into_iter().map(|label| format!("{label}: \"true\"")).collect()
}

fn settings(description: &Description, all: &[Description]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut set = |setting: &str, value: String| settings.push(Setting { key: variable(setting), value });
    if let Some((_, listen)) = public(description) {
        set(listen, "0.0.0.0:8080".to_owned());
    }
    if description.runs.needs.contains(&Need::Claims) {
        set("bus.claims.store", "redis".to_owned());
        set("bus.claims.url", "redis://valkey:6379/0".to_owned());
    }
    for dial in description.runs.dials {
        let other = all.iter().find(|other| other.name == dial.service);
        if let (Some(setting), Some(other)) = (dial.setting, other) {
            set(setting, format!("http://{}:9090", grpc_at(other)));
        }
    }
    settings
}

fn reached_by(description: &Description, all: &[Description]) -> Vec<String> {
    let mut from = Vec::new();
    for answer in description.runs.answers {
        let who = match answer {
            Answer::Public { .. } => "the world (8080)",
            Answer::Grpc(_) => "operators (9090)",
            Answer::Pages => "operators (8081)",
        };
        from.push(who.to_owned());
    }
    from.dedup();
    let dialing = all.iter().filter(|other| other.runs.dials.iter().any(|dial| dial.service == description.name));
    from.extend(dialing.map(|other| format!("{} (9090)", other.name)));
    let asking = all.iter().filter(|other| !description.topics.is_empty() && other.runs.needs.contains(&Need::Targets));
    from.extend(asking.map(|other| format!("{} (9090)", other.name)));
    from
}

fn reaches(description: &Description) -> Vec<String> {
    let mut to = Vec::new();
    if !description.topics.is_empty() {
        to.push("Kafka".to_owned());
    }
    for need in description.runs.needs {
        match need {
            Need::Lake => to.push("the lake's store".to_owned()),
            Need::Claims => to.push("Valkey".to_owned()),
            Need::Database(_) => to.push("PostgreSQL".to_owned()),
            Need::Targets => to.push("every service".to_owned()),
            Need::SealingKey => {}
        }
    }
    to.extend(description.runs.dials.iter().map(|dial| dial.service.to_owned()));
    to
}
