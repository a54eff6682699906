//! Reading topics, wherever the log is.
//!
//! ```text
//! weir tail, trace ─▶ Records ─┬─ Kafka                       where bus.kafka.brokers names one
//!                              ├─ gRPC ─▶ LogService ─ log    the embedded log of a running `weir up`
//!                              └─ the log's folder            the embedded log while nothing runs
//! ```
//!
//! * [`window`]: what was produced within a time
//! * [`service`]: what `weir up` answers; [`groups`]: where consumer groups stand, by the same ways
//! * [`wire`]: records as they go over gRPC

pub mod groups;
pub mod service;
pub mod window;
pub mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, Reader, Start, Stored};
use common::log::v1::group_service_client::GroupServiceClient;
use common::log::v1::log_service_client::LogServiceClient;
use common::log::v1::{ListGroupsRequest, ListTopicsRequest, ReadRequest, ReadResponse};
use tokio::time::{Instant, sleep};

use ::service::Channel;
use ::service::tls::Dial;

use crate::settings::Settings;

/// How long a broker or a service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(300);

/// Where records are read.
#[derive(Debug)]
pub enum Records {
    /// Straight from the log.
    Bus(Box<Bus>),
    /// From whoever has the log.
    Grpc(Box<Clients>),
}

/// Of whoever has the log.
#[derive(Debug)]
pub struct Clients {
    /// Asked for records.
    log: LogServiceClient<Channel>,
    /// Asked for offsets.
    groups: GroupServiceClient<Channel>,
}

/// Where the log is.
enum Log {
    Bus(Box<Bus>),
    Grpc(Channel),
}

impl Log {
    async fn find(settings: &Settings, grpc: Option<&str>) -> anyhow::Result<Self> {
        let dial = Dial::new("grpc.client", &settings.grpc.client);
        if !settings.bus.kafka.brokers.is_empty() {
            let bus = Bus::open(&settings.bus)?;
            reach(&bus).await?;
            return Ok(Self::Bus(Box::new(bus)));
        }
        let url = grpc.map_or_else(|| settings.grpc_url(&settings.grpc.listen), ToOwned::to_owned);
        let unreachable = match crate::register::channel(&dial, &url).await {
            Ok(channel) => return Ok(Self::Grpc(channel)),
            Err(error) => error,
        };
        // Nothing runs: then nobody else has the log open.
        if settings.bus.data_dir.join("log").is_dir() && grpc.is_none() {
            return Ok(Self::Bus(Box::new(Bus::open(&settings.bus)?)));
        }
        if grpc.is_some() {
            return Err(unreachable.into());
        }
        Err(unreachable).with_context(|| {
            format!(
                "there is no log in {} (setting bus.data_dir), and no running weir up",
                settings.bus.data_dir.display()
            )
        })
    }
}

/// Waits a while for a broker of Kafka to answer.
///
/// # Errors
/// None does; the message names the setting.
pub async fn reach(bus: &Bus) -> anyhow::Result<()> {
    bus.ping(PATIENCE).await.with_context(|| {
        format!(
            "no broker answers at {} (setting bus.kafka.brokers, or WEIR__BUS__KAFKA__BROKERS). Start one, or name the \
             right one",
            bus.settings().kafka.brokers.join(", ")
        )
    })
}

impl Records {
    /// Finds the log. `grpc`: where `weir up` answers, if it is not where the settings say.
    ///
    /// # Errors
    /// When nobody answers and there is no log; the message says what was tried.
    pub async fn open(settings: &Settings, grpc: Option<&str>) -> anyhow::Result<Self> {
        Ok(match Log::find(settings, grpc).await? {
            Log::Bus(bus) => Self::Bus(bus),
            Log::Grpc(channel) => Self::Grpc(Box::new(Clients {
                log: LogServiceClient::new(channel.clone()).max_decoding_message_size(wire::LARGEST),
                groups: GroupServiceClient::new(channel),
            })),
        })
    }

    /// Where they are, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Grpc(_) => "the log of the running weir up".to_owned(),
            Self::Bus(bus) if bus.settings().is_embedded() => {
                format!("the log in {} (no weir up is running)", bus.settings().data_dir.join("log").display())
            }
            Self::Bus(bus) => format!("Kafka at {}", bus.settings().kafka.brokers.join(", ")),
        }
    }

    /// Existing topics, without the prefix.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn topics(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Bus(bus) => bus.topics().await.context("cannot list the topics"),
            Self::Grpc(clients) => {
                let answer = clients.log.clone().list_topics(ListTopicsRequest {}).await;
                Ok(answer.map_err(said).context("cannot list the topics")?.into_inner().topics)
            }
        }
    }

    /// Where a reader of each partition of a topic would begin.
    ///
    /// # Errors
    /// When there is no such topic, or the log does not answer.
    pub async fn offsets_at(&self, topic: &str, start: &Start) -> anyhow::Result<Vec<i64>> {
        match self {
            Self::Bus(bus) => Ok(bus.offsets_at(topic, start.clone()).await?),
            Self::Grpc(clients) => groups::offsets_by(&clients.groups, topic, start).await,
        }
    }

    /// The offset at which a group goes on in a partition; none where it has committed none.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn committed(&self, group: &str, topic: &str, partition: i32) -> anyhow::Result<Option<i64>> {
        match self {
            Self::Bus(bus) => Ok(bus.group_offset(group, topic, partition).await?),
            Self::Grpc(clients) => {
                let answer = clients.groups.clone().list_groups(ListGroupsRequest {}).await.map_err(said)?.into_inner();
                let mut places = answer.groups.into_iter().filter(|of| of.name == group).flat_map(|of| of.places);
                let place = places.find(|place| place.topic == topic && place.partition == partition);
                Ok(place.map(|place| place.committed))
            }
        }
    }

    /// Reads topics, named without the prefix.
    ///
    /// # Errors
    /// When a topic does not exist or the log does not answer.
    pub async fn read(&self, topics: &[String], start: Start, follow: bool) -> anyhow::Result<Reading> {
        match self {
            Self::Bus(bus) => Ok(Reading::Bus(Box::new(open(bus, topics, start).await?))),
            Self::Grpc(clients) => {
                let request = ReadRequest { topics: topics.to_vec(), start: Some(wire::start(&start)), follow };
                let stream = clients.log.clone().read(request).await.map_err(said)?.into_inner();
                Ok(Reading::Grpc { stream: Box::new(stream), ahead: VecDeque::new(), caught_up: false })
            }
        }
    }
}

/// Opens a reader. A broker that has just started says for a moment that it leads no partition.
async fn open(bus: &Bus, topics: &[String], start: Start) -> Result<Reader, bus::Error> {
    let began = Instant::now();
    loop {
        match bus.reader(topics, start.clone()).await {
            Err(bus::Error::Unavailable { .. }) if began.elapsed() < PATIENCE => sleep(AGAIN).await,
            reader => return reader,
        }
    }
}

fn said(status: tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{}", status.message())
}

/// Records on their way.
#[derive(Debug)]
pub enum Reading {
    /// From the log.
    Bus(Box<Reader>),
    /// From whoever has the log.
    Grpc {
        /// What comes.
        stream: Box<tonic::Streaming<ReadResponse>>,
        /// What came and was not yet asked for.
        ahead: VecDeque<Stored>,
        /// All that was there at the beginning has come.
        caught_up: bool,
    },
}

impl Reading {
    /// The records up to the end as it was at the beginning, then `None`.
    ///
    /// # Errors
    /// When the log or the connection fails.
    pub async fn next_until_end(&mut self) -> anyhow::Result<Option<Stored>> {
        match self {
            Self::Bus(reader) => Ok(reader.next_until_end().await?),
            Self::Grpc { stream, ahead, caught_up } => loop {
                if let Some(record) = ahead.pop_front() {
                    return Ok(Some(record));
                }
                if *caught_up {
                    return Ok(None);
                }
                let Some(answer) = stream.message().await.map_err(said)? else {
                    anyhow::bail!("the log's records ended before all had come: is weir up being stopped? Try again");
                };
                *caught_up = answer.caught_up;
                ahead.extend(answer.records.into_iter().map(wire::stored));
            },
        }
    }

    /// The next record; waits for it. Only where it was asked to follow.
    ///
    /// # Errors
    /// When the log or the connection fails, or ends.
    pub async fn next(&mut self) -> anyhow::Result<Stored> {
        match self {
            Self::Bus(reader) => Ok(reader.next().await?),
            Self::Grpc { stream, ahead, .. } => loop {
                if let Some(record) = ahead.pop_front() {
                    return Ok(record);
                }
                let answer = stream.message().await.map_err(said)?;
                let answer = answer.context("the process with the log has ended")?;
                ahead.extend(answer.records.into_iter().map(wire::stored));
            },
        }
    }
}
