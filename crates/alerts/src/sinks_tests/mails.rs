//! Mails, to a scripted SMTP server.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// Answers each command that begins with a word; all that one client said.
async fn server(answers: &'static [(&'static str, &'static str)]) -> (u16, JoinSet<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 mail ESMTP\r\n").await.unwrap();
        let (mut said, mut is_data) = (Vec::new(), false);
        while let Ok(Some(line)) = lines.next_line().await {
            said.push(line.clone());
            let answer = match (is_data, line.as_str()) {
                (true, ".") => {
                    is_data = false;
                    "250 queued"
                }
                (true, _) => continue,
                (false, _) => {
                    is_data = line == "DATA";
                    answers.iter().find(|(word, _)| line.starts_with(word)).map_or("250 ok", |(_, answer)| answer)
                }
            };
            if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() || line == "QUIT" {
                break;
            }
        }
        said
    });
    (port, serving)
}

fn mail(port: u16, more: &str) -> Box<dyn Sink> {
    let to = "from = \"Weir <weir@example.org>\", to = [\"ana@example.org\", \"ben@example.org\"]";
    sink(&format!("mail = {{ server = \"127.0.0.1:{port}\", {to}{more} }}"), ALLOWED)
}

#[tokio::test]
async fn a_mail_has_its_subject_its_text_and_its_thread() {
    let (port, mut serving) = server(&[("DATA", "354 go on"), ("QUIT", "221 bye")]).await;
    mail(port, ", tls = \"never\"").send(&firing()).await.unwrap();
    let said = serving.join_next().await.unwrap().unwrap();
    for line in [
        "MAIL FROM:<weir@example.org>",
        "RCPT TO:<ana@example.org>",
        "RCPT TO:<ben@example.org>",
        "Subject: Weir page: lag at loader",
        "Message-ID: <0123@example.org>",
        "From: Weir <weir@example.org>",
    ] {
        assert!(said.iter().any(|one| one == line), "{line}: {said:#?}");
    }
    let text = said.join("\n");
    assert!(text.contains("page: loader: the lag is <9> records & more (lag on loader-0"), "{text}");
    assert!(text.contains("\nReferences: <"), "{text}");
}

#[tokio::test]
async fn without_tls_nothing_is_sent_where_tls_is_wanted() {
    let (port, mut serving) = server(&[("QUIT", "221 bye")]).await;
    let error = mail(port, ", user = \"weir\", password = \"s3cret\"").send(&firing()).await.unwrap_err().problem;
    assert!(error.starts_with(&format!("127.0.0.1:{port}: ")) && !error.contains("s3cret"), "{error}");
    let said = serving.join_next().await.unwrap().unwrap();
    assert!(!said.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")), "{said:?}");
}

#[tokio::test]
async fn who_does_not_take_a_mail_says_why() {
    let (port, _serving) = server(&[("RCPT", "550 no such user")]).await;
    let error = mail(port, ", tls = \"never\"").send(&firing()).await.unwrap_err().problem;
    assert!(error.starts_with(&format!("127.0.0.1:{port}: ")) && error.contains("no such user"), "{error}");
    // Nobody is there.
    let NotTaken { problem, perhaps } = mail(1, ", tls = \"never\"").send(&firing()).await.unwrap_err();
    assert!(problem.contains("onnection refused") && !perhaps, "{problem}");
}
