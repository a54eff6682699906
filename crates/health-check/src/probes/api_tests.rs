use super::*;
use crate::probes::peer::{Peer, answer};

#[tokio::test]
async fn a_token_is_read_anew_for_each_request_and_never_shown() {
    let peer = Peer::new(|_| answer(200, "")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let api = Api::new("test", format!("{}/behind/", peer.url()), None).with_token(Some(file.clone()));
    let path = ["a", "b/c?d"];
    let error = api.get(&path, &[], 10).await.unwrap_err();
    assert!(error.starts_with(&format!("the token's file {} cannot be read: ", file.display())), "{error}");
    for (text, says) in [("\n", "is empty"), ("hush\nhush", "holds no token")] {
        std::fs::write(&file, text).unwrap();
        let error = api.get(&path, &[], 10).await.unwrap_err();
        assert!(error.ends_with(says) && !error.contains("hush"), "{error}");
    }
    assert!(peer.asked().is_empty(), "nobody is asked without it");
    for token in ["one", "two"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        api.get(&path, &[("q", "{a=\"b c\"} |~ \"d+e&f\""), ("r", "é")], 10).await.unwrap();
        let asked = peer.asked().remove(0);
        assert_eq!(
            (asked.path.as_str(), asked.header("authorization").unwrap()),
            ("/behind/a/b%2Fc%3Fd", &*format!("Bearer {token}"))
        );
        assert_eq!((asked.query["q"].as_str(), asked.query["r"].as_str()), ("{a=\"b c\"} |~ \"d+e&f\"", "é"));
    }
}

#[tokio::test]
async fn who_asks_is_said_as_the_settings_say() {
    let peer = Peer::new(|_| answer(200, "")).await;
    let api = Api::new("test", peer.url(), None)
        .with_password(Some("weir".to_owned()), Some(Secret::new("hush")))
        .with_tenant(Some("shop|web".to_owned()));
    assert!(!format!("{api:?}").contains("hush"));
    api.get(&["a"], &[], 10).await.unwrap();
    let asked = peer.asked().remove(0);
    assert_eq!(asked.header("authorization"), Some("Basic d2VpcjpodXNo"));
    assert_eq!(asked.header("x-scope-orgid"), Some("shop|web"));
    Api::new("test", peer.url(), None).get(&["a"], &[], 10).await.unwrap();
    let asked = peer.asked().remove(0);
    assert_eq!((asked.header("authorization"), asked.header("x-scope-orgid")), (None, None));
}

#[test]
fn what_is_said_against_a_request_is_one_line() {
    let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods is forbidden","reason":"Forbidden","code":403}"#;
    for (code, body, says) in [
        (403, status, "403 Forbidden: pods is forbidden"),
        (
            400,
            "parse error at line 1, col 5:\nsyntax error\n",
            "400 Bad Request: parse error at line 1, col 5:\\u000asyntax error",
        ),
        (503, "", "503 Service Unavailable"),
    ] {
        let answer = Response::builder().status(code).body(Bytes::from(body)).unwrap();
        assert_eq!(refusal(&answer), says);
    }
}
