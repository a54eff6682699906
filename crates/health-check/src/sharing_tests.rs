use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Instant;

use service::{Action, CheckSpec, Health};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::pipeline::Model;
use crate::samples::LIMITS;

/// Takes connections, greets, and never answers a request. Says for each connection that it is there.
fn leads_nowhere() -> (u16, std::sync::mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (here, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((mut connection, _)) = listener.accept() {
            let mut greeting = [0; 4096];
            let n = connection.read(&mut greeting).unwrap_or_default();
            let commands = greeting[..n].iter().filter(|byte| **byte == b'*').count();
            let _ = connection.write_all("+OK\r\n".repeat(commands).as_bytes());
            open.push(connection);
            if here.send(()).is_err() {
                return;
            }
        }
    });
    (port, connections)
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_is_given_up() {
    let (port, connections) = leads_nowhere();
    let url = Secret::new(format!("redis://127.0.0.1:{port}/0"));
    let (tell, told) = watch::channel(Vec::new());
    let health = Health::new("health-check", CancellationToken::new());
    let spec = CheckSpec {
        name: "health_check_errors",
        action: Action::Ticket,
        gates_readiness: false,
        unit: "",
        threshold: None,
    };
    let known = Known::new(Model::new(Vec::new(), LIMITS));
    let (window, limit) = (Duration::from_secs(1800), Duration::from_millis(50));
    let sharing = Sharing::open(&url, "", window, limit, told, known, health.check(spec)).unwrap();
    let rounds = async {
        let began = Instant::now();
        let mut count = 0;
        while count < 2 && began.elapsed() < Duration::from_secs(10) {
            tell.send_replace(Vec::new());
            tokio::task::yield_now().await;
            count += connections.try_iter().count();
        }
        count
    };
    tokio::select! {
        () = sharing.run() => unreachable!(),
        count = rounds => assert_eq!(count, 2),
    }
}
