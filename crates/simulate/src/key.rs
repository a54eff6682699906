//! The natural key of a typed event, from what Weir wrote of it.
//!
//! It is made of what the platform sent, and of nothing that Weir decides: so it tells whether the
//! right events came out without trusting Weir's own ids.

use common::meta::v1::Party;
use common::standard_webhooks::v1 as standard_webhooks;
use common::{facebook::v1 as facebook, github::v1 as github, instagram::v1 as instagram};
use prost::{DecodeError, Message};

/// Why a record has no natural key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The bytes are not the topic's message.
    #[error("not a message of its topic: {0}")]
    Malformed(#[from] DecodeError),
    /// Nothing that a simulation generates.
    #[error("the simulation makes no events of {0}")]
    Unknown(String),
}

/// The key that [`Expected::key`](crate::meaning::Expected::key) has for this event. `topic` is
/// without the prefix of the installation, `payload` the record's value.
pub fn natural_key(topic: &str, payload: &[u8]) -> Result<String, NoKey> {
    let (platform, kind) = topic
        .strip_prefix("events.")
        .and_then(|rest| rest.split_once('.'))
        .ok_or_else(|| NoKey::Unknown(topic.to_owned()))?;
    match platform {
        "facebook" => of_facebook(topic, kind, payload),
        "instagram" => of_instagram(topic, kind, payload),
        "github" => of_github(topic, kind, payload),
        "standard_webhooks" if kind == "message" => {
            let message = standard_webhooks::Message::decode(payload)?;
            Ok(format!("standard_webhooks/{}", message.message_id))
        }
        _ => Err(NoKey::Unknown(topic.to_owned())),
    }
}

fn text(field: &Option<String>) -> &str {
    field.as_deref().unwrap_or_default()
}

fn number(field: Option<i64>) -> i64 {
    field.unwrap_or_default()
}

fn id(party: &Option<Party>) -> &str {
    party.as_ref().map_or("", |party| text(&party.id))
}

fn of_facebook(topic: &str, kind: &str, payload: &[u8]) -> Result<String, NoKey> {
    macro_rules! post {
        ($message:ident) => {{
            let event = facebook::$message::decode(payload)?;
            format!("facebook/{kind}/{}/{}/{}", text(&event.post_id), text(&event.verb), number(event.created_time))
        }};
    }
    Ok(match kind {
        "status" => post!(Status),
        "photo" => post!(Photo),
        "video" => post!(Video),
        "link" => post!(Link),
        "share" => post!(Share),
        "mention" => post!(Mention),
        "comment" => {
            let event = facebook::Comment::decode(payload)?;
            let (id, verb) = (text(&event.comment_id), text(&event.verb));
            format!("facebook/comment/{id}/{verb}/{}", number(event.created_time))
        }
        "reaction" => {
            let event = facebook::Reaction::decode(payload)?;
            let object = event.comment_id.as_deref().unwrap_or(text(&event.post_id));
            let from = event.from.as_ref().and_then(|from| from.id.as_deref()).unwrap_or_default();
            let (kind, verb) = (text(&event.reaction_type), text(&event.verb));
            format!("facebook/reaction/{object}/{from}/{kind}/{verb}/{}", number(event.created_time))
        }
        "message" => {
            let event = facebook::Message::decode(payload)?;
            format!("facebook/message/{}", event.message.as_ref().map_or("", |message| text(&message.mid)))
        }
        "message_read" => {
            let event = facebook::MessageRead::decode(payload)?;
            format!("facebook/read/{}/{}", id(&event.sender), number(event.timestamp))
        }
        "message_reaction" => {
            let event = facebook::MessageReaction::decode(payload)?;
            let reaction = event.reaction.clone().unwrap_or_default();
            let (mid, action) = (text(&reaction.mid), text(&reaction.action));
            format!("facebook/message_reaction/{mid}/{}/{action}/{}", id(&event.sender), number(event.timestamp))
        }
        _ => return Err(NoKey::Unknown(topic.to_owned())),
    })
}

fn of_instagram(topic: &str, kind: &str, payload: &[u8]) -> Result<String, NoKey> {
    Ok(match kind {
        "comment" => {
            let event = instagram::Comment::decode(payload)?;
            format!("instagram/comment/{}", text(&event.id))
        }
        "mention" => {
            let event = instagram::Mention::decode(payload)?;
            format!("instagram/mention/{}", event.comment_id.as_deref().unwrap_or(text(&event.media_id)))
        }
        "story_insights" => {
            let event = instagram::StoryInsights::decode(payload)?;
            format!("instagram/story_insights/{}", text(&event.media_id))
        }
        "message" => {
            let event = instagram::Message::decode(payload)?;
            format!("instagram/message/{}", event.message.as_ref().map_or("", |message| text(&message.mid)))
        }
        "message_seen" => {
            let event = instagram::MessageSeen::decode(payload)?;
            format!("instagram/read/{}/{}", id(&event.sender), number(event.timestamp))
        }
        "message_reaction" => {
            let event = instagram::MessageReaction::decode(payload)?;
            let reaction = event.reaction.clone().unwrap_or_default();
            let (mid, action) = (text(&reaction.mid), text(&reaction.action));
            format!("instagram/message_reaction/{mid}/{}/{action}/{}", id(&event.sender), number(event.timestamp))
        }
        _ => return Err(NoKey::Unknown(topic.to_owned())),
    })
}

fn of_github(topic: &str, kind: &str, payload: &[u8]) -> Result<String, NoKey> {
    macro_rules! event {
        ($message:ident, |$event:ident| $key:expr) => {{
            let $event = github::$message::decode(payload)?;
            let repository = $event.repository.as_ref().map_or("", |repository| text(&repository.full_name));
            format!("github/{repository}/{}", $key)
        }};
    }
    Ok(match kind {
        "push" => event!(Push, |event| format!("push/{}", text(&event.after))),
        "issues" => event!(Issues, |event| {
            let id = event.issue.as_ref().map_or("", |issue| text(&issue.id));
            format!("issues/{id}/{}", text(&event.action))
        }),
        "issue_comment" => event!(IssueComment, |event| {
            let id = event.comment.as_ref().map_or("", |comment| text(&comment.id));
            format!("issue_comment/{id}/{}", text(&event.action))
        }),
        "pull_request" => event!(PullRequest, |event| {
            let id = event.pull_request.as_ref().map_or("", |pull| text(&pull.id));
            let after = event.after.as_ref().map_or(String::new(), |after| format!("/{after}"));
            format!("pull_request/{id}/{}{after}", text(&event.action))
        }),
        "workflow_run" => event!(WorkflowRun, |event| {
            let run = event.workflow_run.clone().unwrap_or_default();
            format!("workflow_run/{}/{}/{}", text(&run.id), number(run.run_attempt), text(&event.action))
        }),
        "workflow_job" => event!(WorkflowJob, |event| {
            let job = event.workflow_job.clone().unwrap_or_default();
            format!("workflow_job/{}/{}/{}", text(&job.id), number(job.run_attempt), text(&event.action))
        }),
        "star" => event!(Star, |event| {
            let who = event.sender.as_ref().map_or("", |sender| text(&sender.id));
            format!("star/{who}/{}", text(&event.action))
        }),
        _ => return Err(NoKey::Unknown(topic.to_owned())),
    })
}
