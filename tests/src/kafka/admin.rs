//! What the harness asks of a broker, in Kafka's own words: none of its tools is among the jars.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::bail;

use super::{Kafka, START_WITHIN};

const CREATE_ACLS: i16 = 30;
const DELETE_TOPICS: i16 = 20;
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
}

impl Kafka {
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

    /// Allows what these say; blocks. The broker knows it a moment later. (CreateAcls, version 1.)
    ///
    /// # Errors
    /// The broker does not answer, or has no authorizer.
    pub fn allow(&self, acls: &[Acl]) -> anyhow::Result<()> {
        let mut request = i32::try_from(acls.len())?.to_be_bytes().to_vec();
        for acl in acls {
            let (kind, name) = match &acl.on {
                Pattern::Topic(name) => (2, name),
                Pattern::Group(name) => (3, name),
            };
            request.push(kind);
            text(&mut request, name)?;
            request.push(LITERAL);
            text(&mut request, &acl.principal)?;
            text(&mut request, "*")?;
            request.extend([acl.operation_code()?, ALLOW]);
        }
        let answer = self.ask(CREATE_ACLS, 1, &request)?;
        // The request's number, how long it was throttled, how many; then for each a code, and a message that is null or
        // empty where all is well.
        let mut outcomes = answer.get(12..).unwrap_or_default().chunks_exact(4);
        if outcomes.len() != acls.len() || !outcomes.all(|outcome| outcome.starts_with(&[0, 0])) {
            bail!("not every ACL was made: {}", String::from_utf8_lossy(&answer));
        }
        Ok(())
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
