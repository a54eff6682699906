//! As much of a broker as a test tells a client of. It knows only what the tests need of Kafka's protocol.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Kinds of requests.
pub(super) const PRODUCE: u8 = 0;
pub(super) const METADATA: u8 = 3;
pub(super) const API_VERSIONS: u8 = 18;
pub(super) const INIT_PRODUCER_ID: u8 = 22;

const ONE: [u8; 4] = [0, 0, 0, 1];

/// A client's connection, and the port that it was opened to.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) port: u16,
}

/// What is asked, and the number that its answer has to bear.
pub(super) struct Request {
    pub(super) kind: u8,
    number: [u8; 4],
}

/// Listens on loopback, and has each connection served by a thread, which ends where the client goes away. Returns the
/// settings of a client of it.
pub(super) fn listen(serve: impl Fn(Connection) -> std::io::Result<()> + Send + Sync + 'static) -> crate::Settings {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, serve) = (listener.local_addr().unwrap().port(), Arc::new(serve));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (connection, serve) = (Connection { stream: stream.unwrap(), port }, serve.clone());
            std::thread::spawn(move || serve(connection));
        }
    });
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.kafka.brokers = vec![format!("127.0.0.1:{port}")];
    settings
}

impl Connection {
    pub(super) fn next(&mut self) -> std::io::Result<Request> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut request)?;
        Ok(Request { kind: request[1], number: request[4..8].try_into().unwrap() })
    }

    pub(super) fn answer(&mut self, request: &Request, body: &[u8]) -> std::io::Result<()> {
        let size = u32::try_from(request.number.len() + body.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&size, &request.number, body].concat())
    }
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// `ApiVersions` 3: which requests it takes, from which version to which. Itself and `Metadata` 2 are among them.
pub(super) fn versions(others: &[(u8, u8, u8)]) -> Vec<u8> {
    let requests = [&[(API_VERSIONS, 0, 3), (METADATA, 0, 2)], others].concat();
    let mut answer = vec![0, 0, u8::try_from(requests.len()).unwrap() + 1];
    for (kind, lowest, highest) in requests {
        answer.extend([0, kind, 0, lowest, 0, highest, 0]);
    }
    answer.extend([0; 5]);
    answer
}

/// `Metadata` 2: the broker where there is one, and the topic, with one partition where there is a broker to have it.
pub(super) fn metadata(broker: Option<u16>, topic: Option<&str>) -> Vec<u8> {
    let mut answer = Vec::new();
    match broker {
        // Its id, and in no rack.
        Some(port) => {
            answer.extend([ONE, ONE].concat());
            answer.extend(text("127.0.0.1"));
            answer.extend(u32::from(port).to_be_bytes());
            answer.extend([0xff; 2]);
        }
        None => answer.extend([0; 4]),
    }
    answer.extend(text("a-cluster"));
    // Who controls it.
    answer.extend(if broker.is_some() { ONE } else { [0xff; 4] });
    match topic {
        Some(topic) => {
            answer.extend(ONE);
            answer.extend([0, 0]);
            answer.extend(text(topic));
            answer.push(0);
            match broker {
                // The first partition: its leader, its one replica, and that one in sync.
                Some(_) => answer.extend([&ONE[..], &[0; 6], &ONE, &ONE, &ONE, &ONE, &ONE].concat()),
                None => answer.extend([0; 4]),
            }
        }
        None => answer.extend([0; 4]),
    }
    answer
}

/// `InitProducerId` 0: at once, and no error.
pub(super) fn producer_id(id: u64) -> Vec<u8> {
    [&[0; 6][..], &id.to_be_bytes(), &[0; 2]].concat()
}

/// `Produce` 3: the answer for the first partition of a topic.
pub(super) fn produced(topic: &str, error: u8, offset: u64) -> Vec<u8> {
    let partition = [&[0; 4], &[0, error][..], &offset.to_be_bytes(), &[0xff; 8], &[0; 4]].concat();
    [&ONE[..], &text(topic), &ONE, &partition].concat()
}
