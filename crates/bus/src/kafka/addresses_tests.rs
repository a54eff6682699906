use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::statistics::{Broker, Statistics};

use super::Addresses;
use crate::kafka::Kafka;

fn statistics(sources: &[&str]) -> Statistics {
    let broker = |source: &&str| (format!("{source}:1"), Broker { source: (*source).to_owned(), ..Broker::default() });
    Statistics { brokers: sources.iter().map(broker).collect(), ..Statistics::default() }
}

#[test]
fn only_what_has_an_address_of_its_own_counts() {
    for (sources, lost) in [
        (&["configured", "internal"][..], false),
        (&["learned", "logical", "internal"], false),
        (&["logical", "internal"], true),
        (&[], true),
    ] {
        let addresses = Addresses::default();
        assert!(!addresses.are_lost(), "nothing was told yet");
        addresses.on_stats(&statistics(sources));
        assert_eq!(addresses.are_lost(), lost, "{sources:?}");
        assert!(!addresses.are_lost(), "once for each statistics: {sources:?}");
    }
}

/// As much of a broker as tells what is in the cluster: itself, or topics and nobody.
struct Teller {
    port: u16,
    /// The next answer has no brokers, and the ones after it have this one again.
    fenced: Arc<AtomicBool>,
}

impl Teller {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, fenced) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let shared = fenced.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, fenced) = (stream.unwrap(), shared.clone());
                // A client that goes away ends it.
                std::thread::spawn(move || serve(stream, port, &fenced));
            }
        });
        Self { port, fenced }
    }
}

fn serve(mut stream: TcpStream, port: u16, fenced: &AtomicBool) -> std::io::Result<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut request)?;
        // Its header: what is asked, in which version, and the number of the answer.
        let mut answer = request[4..8].to_vec();
        match request[1] {
            18 => versions(&mut answer),
            3 => cluster(&mut answer, (!fenced.swap(false, Ordering::SeqCst)).then_some(port)),
            other => panic!("nobody offered request {other}"),
        }
        let size = u32::try_from(answer.len()).unwrap().to_be_bytes();
        stream.write_all(&[&size[..], &answer].concat())?;
    }
}

/// `ApiVersions` 3: itself, and `Metadata` up to version 2.
fn versions(answer: &mut Vec<u8>) {
    answer.extend([0, 0, 3]);
    for (request, highest) in [(18_u8, 3_u8), (3, 2)] {
        answer.extend([0, request, 0, 0, 0, highest, 0]);
    }
    answer.extend([0; 5]);
}

/// `Metadata` 2: this broker and no topic, or a topic without partitions and nobody.
fn cluster(answer: &mut Vec<u8>, broker: Option<u16>) {
    let text = |answer: &mut Vec<u8>, text: &str| {
        answer.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        answer.extend(text.as_bytes());
    };
    answer.extend(u32::from(broker.is_some()).to_be_bytes());
    if let Some(port) = broker {
        answer.extend(1_u32.to_be_bytes());
        text(answer, "127.0.0.1");
        answer.extend(u32::from(port).to_be_bytes());
        answer.extend(u16::MAX.to_be_bytes());
    }
    text(answer, "a-cluster");
    answer.extend(broker.map_or(-1_i32, |_| 1).to_be_bytes());
    answer.extend(u32::from(broker.is_none()).to_be_bytes());
    if broker.is_none() {
        answer.extend([0, 0]);
        // The client guesses by the size of the answer how much memory it needs.
        text(answer, &"a-topic-with-a-long-name".repeat(4));
        answer.extend([0; 5]);
    }
}

/// Whether librdkafka begins anew by itself is a race in it, and once it was lost it never does again. It loses more than
/// half of them: without our doing this ends in the first rounds.
#[test]
fn a_client_that_was_told_of_no_brokers_goes_back_to_those_of_the_settings() {
    const LIMIT: Duration = Duration::from_secs(60);
    let teller = Teller::start();
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.kafka.brokers = vec![format!("127.0.0.1:{}", teller.port)];
    let kafka = Kafka::open(settings.into()).unwrap();
    for round in 0..5 {
        let begun = Instant::now();
        while kafka.ping(Duration::from_secs(1)).is_err() {
            assert!(begun.elapsed() < LIMIT, "it does not come back in round {round}");
        }
        teller.fenced.store(true, Ordering::SeqCst);
        while teller.fenced.load(Ordering::SeqCst) {
            // What is answered may be one of the client's own questions.
            let _ = kafka.ping(Duration::from_secs(1));
            assert!(begun.elapsed() < LIMIT, "nobody asks any more in round {round}");
        }
    }
}
