//! What the harness asks of a broker, in Kafka's own words: none of its tools is among the jars.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::bail;

use super::{Kafka, START_WITHIN};
use crate::wait;

const CREATE_ACLS: i16 = 30;
const DESCRIBE_ACLS: i16 = 29;
const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const KNOWN_WITHIN: Duration = Duration::from_secs(20);
const LITERAL: u8 = 3;
const ALLOW: u8 = 3;

/// What an ACL is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// A topic by its whole name.
    Topic(String),
    /// A consumer group by its whole name.
    Group(String),
}

/// Something that a principal may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// As "User:weir-loader".
    pub principal: String,
    /// As Kafka names it: Read, Write, Describe, DescribeConfigs.
    pub operation: String,
    /// On what.
    pub on: Pattern,
}

impl Acl {
    fn operation_code(&self) -> anyhow::Result<u8> {
        Ok(match self.operation.as_str() {
            "Read" => 3,
            "Write" => 4,
            "Describe" => 8,
            "DescribeConfigs" => 10,
            other => bail!("the harness does not know the operation {other}"),
        })
    }

    /// As it is made, and as it is looked for.
    fn write_to(&self, request: &mut Vec<u8>) -> anyhow::Result<()> {
        let (kind, name) = match &self.on {
            Pattern::Topic(name) => (2, name),
            Pattern::Group(name) => (3, name),
        };
        request.push(kind);
        text(request, name)?;
        request.push(LITERAL);
        text(request, &self.principal)?;
        text(request, "*")?;
        request.extend([self.operation_code()?, ALLOW]);
        Ok(())
    }
}

impl Kafka {
    /// Creates a topic of one partition as somebody does who knows nothing of Weir; blocks. (CreateTopics, version 2.)
    ///
    /// # Errors
    /// The broker does not answer, or refuses it.
    pub fn create_topic(&self, topic: &str, config: &[(&str, &str)]) -> anyhow::Result<()> {
        const WITHIN_MS: i32 = 10_000;
        let mut request = 1i32.to_be_bytes().to_vec();
        text(&mut request, topic)?;
        request.extend(1i32.to_be_bytes());
        request.extend(1i16.to_be_bytes());
        // It is placed by the broker.
        request.extend(0i32.to_be_bytes());
        request.extend(i32::try_from(config.len())?.to_be_bytes());
        for (key, value) in config {
            text(&mut request, key)?;
            text(&mut request, value)?;
        }
        request.extend(WITHIN_MS.to_be_bytes());
        request.push(0);
        let answer = self.ask(CREATE_TOPICS, 2, &request)?;
        // It ends with the topic's outcome, and a message that is null where all is well.
        match answer.last_chunk() {
            Some([0, 0, 0xff, 0xff]) => Ok(()),
            _ => bail!("topic {topic} was not created: {}", String::from_utf8_lossy(&answer)),
        }
    }

    /// Deletes a topic and all that is on it; blocks. (DeleteTopics, version 1.)
    ///
    /// # Errors
    /// The broker does not answer, or there is no such topic.
    pub fn delete_topic(&self, topic: &str) -> anyhow::Result<()> {
        const WITHIN_MS: i32 = 10_000;
        let mut request = 1i32.to_be_bytes().to_vec();
        text(&mut request, topic)?;
        request.extend(WITHIN_MS.to_be_bytes());
        let answer = self.ask(DELETE_TOPICS, 1, &request)?;
        // It ends with the topic's outcome.
        match answer.last_chunk() {
            Some([0, 0]) => Ok(()),
            code => bail!("topic {topic} was not deleted: error {:?}", code.map(|code| i16::from_be_bytes(*code))),
        }
    }

    /// Allows what these say; blocks until the broker goes by them, which is a moment after they were made. (CreateAcls,
    /// version 1.)
    ///
    /// # Errors
    /// The broker does not answer, or has no authorizer.
    pub fn allow(&self, acls: &[Acl]) -> anyhow::Result<()> {
        let mut request = i32::try_from(acls.len())?.to_be_bytes().to_vec();
        for acl in acls {
            acl.write_to(&mut request)?;
        }
        let answer = self.ask(CREATE_ACLS, 1, &request)?;
        // The request's number, how long it was throttled, how many; then for each a code, and a message that is null or
        // empty where all is well.
        let mut outcomes = answer.get(12..).unwrap_or_default().chunks_exact(4);
        if outcomes.len() != acls.len() || !outcomes.all(|outcome| outcome.starts_with(&[0, 0])) {
            bail!("not every ACL was made: {}", String::from_utf8_lossy(&answer));
        }
        acls.iter().try_for_each(|acl| wait::until("an ACL", KNOWN_WITHIN, || Ok(self.knows(acl)?.then_some(()))))
    }

    /// Whether the broker goes by this ACL. (DescribeAcls, version 1.)
    fn knows(&self, acl: &Acl) -> anyhow::Result<bool> {
        let mut filter = Vec::new();
        acl.write_to(&mut filter)?;
        let answer = self.ask(DESCRIBE_ACLS, 1, &filter)?;
        // The request's number, how long it was throttled, a code, a message that is null or empty where all is well, and
        // how many resources have such an ACL.
        match answer.get(8..).unwrap_or_default() {
            [0, 0, _, _, found @ ..] => Ok(found.first_chunk().is_some_and(|count| i32::from_be_bytes(*count) > 0)),
            _ => bail!("the broker does not say which ACLs it has: {}", String::from_utf8_lossy(&answer)),
        }
    }

    fn ask(&self, what: i16, version: i16, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        // What it is, its version, its number, and no name of a client.
        let mut request = [what.to_be_bytes(), version.to_be_bytes()].concat();
        request.extend(1i32.to_be_bytes());
        request.extend((-1i16).to_be_bytes());
        request.extend(body);
        let mut broker = TcpStream::connect(self.bootstrap())?;
        broker.set_read_timeout(Some(START_WITHIN))?;
        broker.write_all(&u32::try_from(request.len())?.to_be_bytes())?;
        broker.write_all(&request)?;
        let mut length = [0; 4];
        broker.read_exact(&mut length)?;
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
        broker.read_exact(&mut answer)?;
        Ok(answer)
    }
}

fn text(request: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    request.extend(u16::try_from(text.len())?.to_be_bytes());
    request.extend(text.as_bytes());
    Ok(())
}
