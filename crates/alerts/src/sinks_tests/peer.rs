//! A scripted HTTP server, which answers one request on each connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

pub(crate) struct Asked {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    asked: Mutex<mpsc::UnboundedReceiver<Asked>>,
    connections: Arc<AtomicUsize>,
    serving: Mutex<JoinSet<()>>,
}

impl Peer {
    /// With these statuses, one after the other; then it does not listen any more.
    pub(crate) async fn answers(statuses: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = mpsc::unbounded_channel();
        let statuses = statuses.to_vec();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            for status in statuses {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let mut reader = BufReader::new(&mut stream);
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).await.unwrap();
                    if line.trim().is_empty() {
                        break;
                    }
                    lines.push(line.trim().to_owned());
                }
                let headers: Vec<_> = lines[1..]
                    .iter()
                    .map(|line| line.split_once(':').unwrap())
                    .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                    .collect();
                let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
                let mut body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut body).await.unwrap();
                // A redirect that is followed would come here again.
                let answer = format!("HTTP/1.1 {status}\r\nlocation: http://{address}/again\r\n");
                let body_of_it = if status.starts_with('2') { "" } else { "what the peer says" };
                let answer = format!("{answer}content-length: {}\r\n\r\n{body_of_it}", body_of_it.len());
                let answer =
                    if status.starts_with("204") { answer.replace("content-length: 0\r\n", "") } else { answer };
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = tell.send(Asked { line: lines[0].clone(), headers, body });
            }
        });
        Self { address, asked: Mutex::new(asked), connections, serving: Mutex::new(serving) }
    }

    /// The next request.
    pub(crate) async fn asked(&self) -> Asked {
        self.asked.lock().await.recv().await.unwrap()
    }

    /// Until it does not listen any more.
    pub(crate) async fn ended(&self) {
        self.serving.lock().await.join_next().await.unwrap().unwrap();
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}
