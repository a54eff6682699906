use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use crate::{Bus, Error, Headers, Record};

const TOPIC: &str = "things";
const OFFSET: u64 = 7;
const LIMIT: Duration = Duration::from_secs(60);

/// As much of a broker as refuses the first of two requests to one partition and takes the second: while it had too few
/// replicas, and when it had enough.
fn serve(mut stream: TcpStream, port: u16, came: &mpsc::Sender<()>) -> std::io::Result<()> {
    let mut produced = Vec::new();
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut request)?;
        // Its header: what is asked, in which version, and the number of the answer.
        let number = request[4..8].to_vec();
        match request[1] {
            18 => tell(&mut stream, &[number, versions()].concat())?,
            3 => tell(&mut stream, &[number, cluster(port)].concat())?,
            22 => tell(&mut stream, &[number, vec![0; 6], 1000_u64.to_be_bytes().to_vec(), vec![0; 2]].concat())?,
            0 => {
                produced.push(number);
                // Nobody looks any more.
                let _ = came.send(());
                if let [first, second] = &*produced {
                    const TOO_FEW_REPLICAS: u8 = 19;
                    tell(&mut stream, &[first.clone(), taken(TOO_FEW_REPLICAS, u64::MAX)].concat())?;
                    tell(&mut stream, &[second.clone(), taken(0, OFFSET)].concat())?;
                }
            }
            other => panic!("nobody offered request {other}"),
        }
    }
}

fn tell(stream: &mut TcpStream, answer: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&u32::try_from(answer.len()).unwrap().to_be_bytes()[..], answer].concat())
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()
}

/// `ApiVersions` 3: what an idempotent producer wants of a broker.
fn versions() -> Vec<u8> {
    let mut answer = vec![0, 0, 6];
    for (request, lowest, highest) in [(18_u8, 0_u8, 3_u8), (3, 0, 2), (22, 0, 0), (0, 3, 3), (1, 4, 4)] {
        answer.extend([0, request, 0, lowest, 0, highest, 0]);
    }
    answer.extend([0; 5]);
    answer
}

/// `Metadata` 2: this broker, and the topic with one partition.
fn cluster(port: u16) -> Vec<u8> {
    let one = 1_u32.to_be_bytes().to_vec();
    let broker = [one.clone(), one.clone(), text("127.0.0.1"), u32::from(port).to_be_bytes().to_vec(), vec![0xff; 2]];
    let topic = [one.clone(), vec![0; 2], text(TOPIC), vec![0]];
    let partition = [one.clone(), vec![0; 6], one.clone(), one.clone(), one.clone(), one.clone(), one.clone()];
    [broker.concat(), text("a-cluster"), one, topic.concat(), partition.concat()].concat()
}

/// `Produce` 3.
fn taken(error: u8, offset: u64) -> Vec<u8> {
    let one = 1_u32.to_be_bytes().to_vec();
    let answer = [vec![0; 4], vec![0, error], offset.to_be_bytes().to_vec(), vec![0xff; 8], vec![0; 4]];
    [one.clone(), text(TOPIC), one, answer.concat()].concat()
}

/// librdkafka takes the first for written then: the broker would not have taken the second without it. It does, of a
/// producer that is new to it, and so what was refused would be acknowledged and lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_broker_has_acknowledged_is_not_delivered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (came, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, came) = (stream.unwrap(), came.clone());
            // A client that goes away ends it.
            std::thread::spawn(move || serve(stream, port, &came));
        }
    });
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.kafka.brokers = vec![format!("127.0.0.1:{port}")];
    settings.producer.linger_ms = 0;
    let bus = Bus::open(&settings).unwrap();
    let producer = bus.producer().unwrap();
    let record = || Record::encoded(TOPIC, "key", b"value".to_vec(), Headers { id: "1".into(), ..Headers::default() });

    let first = producer.try_send(record()).unwrap();
    let requests = tokio::task::spawn_blocking(move || requests.recv_timeout(LIMIT).map(|()| requests)).await.unwrap();
    let second = producer.try_send(record()).unwrap();
    let first = tokio::time::timeout(LIMIT, first).await.unwrap();
    assert!(matches!(first, Err(Error::NotDelivered { .. })), "{first:?}");
    let second = tokio::time::timeout(LIMIT, second).await.unwrap().unwrap();
    assert_eq!(second.offset, i64::try_from(OFFSET).unwrap());
    drop(requests);
}
