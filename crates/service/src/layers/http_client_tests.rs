use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::tls::ClientTlsSettings;

/// A server that answers the first request with this and closes the connection; what it was asked.
async fn server(answer: &'static [u8]) -> (SocketAddr, JoinSet<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let read = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
        String::from_utf8_lossy(&asked[..read]).into_owned()
    });
    (address, tasks)
}

async fn get(url: &str, most: usize) -> anyhow::Result<Response<Bytes>> {
    Dial::new("test", &ClientTlsSettings::default()).get(&url.parse().unwrap(), most).await
}

#[tokio::test]
async fn a_page_is_read_to_its_end() {
    let (address, mut tasks) = server(b"HTTP/1.1 404 Not Found\r\nx-why: none\r\n\r\nnothing here").await;
    let answer = get(&format!("http://{address}/a/b?c=d"), 12).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (404, &b"nothing here"[..]));
    assert_eq!(answer.headers()["x-why"], "none");
    let asked = tasks.join_next().await.unwrap().unwrap();
    assert!(asked.starts_with("GET /a/b?c=d HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {address}\r\n")) && asked.contains("user-agent: weir/"), "{asked}");
}

#[tokio::test]
async fn what_is_no_answer_is_told() {
    for (answer, says) in [
        (&b"HTTP/1.1 200 OK\r\n\r\nnothing here"[..], "length limit exceeded"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", "the body of the answer"),
        (b"220 mail ESMTP\r\n", "invalid HTTP version parsed"),
        (b"", "connection closed before message completed"),
    ] {
        let (address, _tasks) = server(answer).await;
        let error = format!("{:#}", get(&format!("http://{address}"), 11).await.unwrap_err());
        assert!(error.contains(says), "{error}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = format!("{:#}", get(&format!("http://{nobody}"), 11).await.unwrap_err());
    assert!(error.starts_with(&format!("cannot connect to {nobody}: ")), "{error}");
    // TLS with what speaks none.
    let (address, _tasks) = server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = format!("{:#}", get(&format!("https://{address}"), 11).await.unwrap_err());
    assert!(error.contains(&format!("cannot connect to {address}: TLS with 127.0.0.1 failed")), "{error}");
}

#[tokio::test]
async fn what_may_not_be_reached_is_not_connected_to() {
    let (address, mut tasks) = server(b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let dial = Dial::new("test", &ClientTlsSettings::default());
    let request = || Request::post(format!("http://{address}/secret")).body(Bytes::from_static(b"{}")).unwrap();
    let public = Reach::Public(Vec::new());
    let error = format!("{:#}", dial.ask(request(), 11, &public).await.unwrap_err());
    let says =
        format!("cannot connect to {address}: its address 127.0.0.1 is not public, and not in an allowed network");
    assert_eq!(error, says);
    // Nobody was there before: this one is the first that the server has.
    let allowed = Reach::Public(vec!["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(dial.ask(request(), 11, &allowed).await.unwrap().status(), 204);
    let asked = tasks.join_next().await.unwrap().unwrap();
    assert!(asked.starts_with("POST /secret HTTP/1.1\r\n") && asked.ends_with("\r\n\r\n{}"), "{asked}");
}
