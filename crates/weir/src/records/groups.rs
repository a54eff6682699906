//! Where consumer groups stand, wherever the log is; and what `weir up` answers of it.

use anyhow::Context as _;
use bus::{Bus, Group, GroupPlace, Start};
use common::log::v1::group_service_client::GroupServiceClient;
use common::log::v1::group_service_server::{GroupService, GroupServiceServer};
use common::log::v1::{
    DeleteGroupRequest, DeleteGroupResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest,
    ListOffsetsResponse, SetGroupRequest, SetGroupResponse,
};
use tonic::{Request, Response, Status};

use ::service::Channel;

use super::service::status;
use super::{Log, said, wire};
use crate::settings::Settings;

/// Where groups are looked at and set.
#[derive(Debug)]
pub enum Groups {
    /// On the log itself.
    Bus(Box<Bus>),
    /// By whoever has the log.
    Grpc(GroupServiceClient<Channel>),
}

impl Groups {
    /// Finds the log. `grpc`: where `weir up` answers, if it is not where the settings say.
    ///
    /// # Errors
    /// When nobody answers and there is no log; the message says what was tried.
    pub async fn open(settings: &Settings, grpc: Option<&str>) -> anyhow::Result<Self> {
        Ok(match Log::find(settings, grpc).await? {
            Log::Bus(bus) => Self::Bus(bus),
            Log::Grpc(channel) => Self::Grpc(GroupServiceClient::new(channel)),
        })
    }

    /// Those that have committed an offset.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn list(&self) -> anyhow::Result<Vec<Group>> {
        match self {
            Self::Bus(bus) => bus.groups().await.context("cannot list the groups"),
            Self::Grpc(client) => {
                let answer = client.clone().list_groups(ListGroupsRequest {}).await;
                let answer = answer.map_err(said).context("cannot list the groups")?.into_inner();
                Ok(answer.groups.into_iter().map(group).collect())
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
            Self::Grpc(client) => offsets_by(client, topic, start).await,
        }
    }

    /// Sets where a group goes on.
    ///
    /// # Errors
    /// When the group has members, or the log does not answer.
    pub async fn set(&self, group: &str, topic: &str, partition: i32, offset: i64) -> anyhow::Result<()> {
        match self {
            Self::Bus(bus) => Ok(bus.set_group_offset(group, topic, partition, offset).await?),
            Self::Grpc(client) => {
                let (group, topic) = (group.to_owned(), topic.to_owned());
                let request = SetGroupRequest { group, topic, partition, offset };
                client.clone().set_group(request).await.map_err(said)?;
                Ok(())
            }
        }
    }

    /// Forgets where a group stands.
    ///
    /// # Errors
    /// When the group has members, or the log does not answer.
    pub async fn delete(&self, group: &str) -> anyhow::Result<()> {
        match self {
            Self::Bus(bus) => Ok(bus.delete_group(group).await?),
            Self::Grpc(client) => {
                let request = DeleteGroupRequest { group: group.to_owned() };
                client.clone().delete_group(request).await.map_err(said)?;
                Ok(())
            }
        }
    }
}

/// As whoever has the log says it.
pub(super) async fn offsets_by(
    client: &GroupServiceClient<Channel>,
    topic: &str,
    start: &Start,
) -> anyhow::Result<Vec<i64>> {
    let request = ListOffsetsRequest { topic: topic.to_owned(), start: Some(wire::start(start)) };
    Ok(client.clone().list_offsets(request).await.map_err(said)?.into_inner().offsets)
}

fn group(sent: common::log::v1::Group) -> Group {
    let place = |sent: common::log::v1::GroupPlace| {
        let common::log::v1::GroupPlace { topic, partition, committed, low, end } = sent;
        GroupPlace { topic, partition, committed, low, end }
    };
    let members = usize::try_from(sent.members).unwrap_or(usize::MAX);
    Group { name: sent.name, members, places: sent.places.into_iter().map(place).collect() }
}

fn to_send(group: Group) -> common::log::v1::Group {
    let place = |place: GroupPlace| {
        let GroupPlace { topic, partition, committed, low, end } = place;
        common::log::v1::GroupPlace { topic, partition, committed, low, end }
    };
    let members = u32::try_from(group.members).unwrap_or(u32::MAX);
    common::log::v1::Group { name: group.name, members, places: group.places.into_iter().map(place).collect() }
}

/// Answers for the log that is inside this process.
#[derive(Debug)]
pub struct Service {
    bus: Bus,
}

impl Service {
    /// To be added to the routes.
    pub fn server(bus: Bus, host: &::service::Host) -> GroupServiceServer<Self> {
        GroupServiceServer::new(Self { bus }).max_decoding_message_size(host.settings().grpc.max_message_bytes)
    }
}

#[tonic::async_trait]
impl GroupService for Service {
    async fn list_groups(&self, _: Request<ListGroupsRequest>) -> Result<Response<ListGroupsResponse>, Status> {
        let groups = self.bus.groups().await.map_err(status)?;
        Ok(Response::new(ListGroupsResponse { groups: groups.into_iter().map(to_send).collect() }))
    }

    async fn list_offsets(
        &self,
        request: Request<ListOffsetsRequest>,
    ) -> Result<Response<ListOffsetsResponse>, Status> {
        let ListOffsetsRequest { topic, start } = request.into_inner();
        let offsets = self.bus.offsets_at(&topic, wire::asked(start)).await.map_err(status)?;
        Ok(Response::new(ListOffsetsResponse { offsets }))
    }

    async fn set_group(&self, request: Request<SetGroupRequest>) -> Result<Response<SetGroupResponse>, Status> {
        let SetGroupRequest { group, topic, partition, offset } = request.into_inner();
        tracing::info!(group, topic, partition, offset, "an operator sets the offset of a group");
        self.bus.set_group_offset(&group, &topic, partition, offset).await.map_err(status)?;
        Ok(Response::new(SetGroupResponse {}))
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupResponse>, Status> {
        let DeleteGroupRequest { group } = request.into_inner();
        tracing::info!(group, "an operator deletes a group");
        self.bus.delete_group(&group).await.map_err(status)?;
        Ok(Response::new(DeleteGroupResponse {}))
    }
}
