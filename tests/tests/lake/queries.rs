//! The queries of `docs/queries.md`, as they stand there, in four engines.

use std::collections::BTreeMap;

use bytes::Bytes;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use serde_json::{Value, json};
use weir_tests::real::Real;
use weir_tests::{connect, environment, github, python, real, spark};

use crate::system::System;

const SECRET: &str = "the secret of all of them";

/// What Spark has no words for, and what it has instead.
const SPARK_CHANGE: (&str, &str) = ("extract(epoch FROM ", "unix_timestamp(");

const NO_TEXTS: [[&str; 2]; 14] = [
    ["day", "date"],
    ["ordinal", "int"],
    ["number", "bigint"],
    ["run_attempt", "bigint"],
    ["links", "array<string>"],
    ["hashtags", "array<string>"],
    ["mentions", "array<string>"],
    ["attributes", "map<string,string>"],
    ["partial", "boolean"],
    // With a zone: an instant.
    ["occurred_at", "timestamp"],
    ["received_at", "timestamp"],
    ["enriched_at", "timestamp"],
    ["weir_partition", "int"],
    ["weir_offset", "bigint"],
];

/// The page's queries, and how many rows there are.
fn queries() -> Vec<String> {
    let page = std::fs::read_to_string(environment::workspace().join("docs/queries.md")).unwrap();
    let of_page = page.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
    of_page.chain(["SELECT count(*) FROM activities".to_owned()]).collect()
}

/// What the engines found, the rows of each query: all the same.
async fn ask(system: &System) -> Vec<Value> {
    let queries = queries();
    let of_spark = queries.iter().map(|query| query.replace(SPARK_CHANGE.0, SPARK_CHANGE.1)).collect();
    let (table, queries) = (system.table(), json!(queries).to_string());
    let told = tokio::task::spawn_blocking(move || python::script(python::QUERIES, &[&table, &queries]));
    let mut found: BTreeMap<String, Vec<Value>> = serde_json::from_str(&told.await.unwrap().unwrap()).unwrap();
    found.insert("spark".to_owned(), ask_spark(system, of_spark).await);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["datafusion", "duckdb", "polars", "spark"]);
    let first = found.remove("duckdb").unwrap();
    for (engine, rows) in found {
        assert_eq!(rows, first, "{engine}, and what DuckDB found");
    }
    first
}

/// What Spark answers, of which a query may have failed.
async fn ask_spark(system: &System, queries: Vec<String>) -> Vec<Value> {
    let table = system.table();
    let asked = tokio::task::spawn_blocking(move || {
        let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
        let answers = spark::shared()?.ask(&table, &queries)?;
        // Of a file that it does not quite understand it says so, and reads it.
        assert_eq!(spark::shared()?.warnings()?, Vec::<String>::new());
        anyhow::Ok(answers)
    });
    asked.await.unwrap().unwrap()
}

/// The columns that are no texts for Spark, in their order, and what they are.
async fn no_texts(system: &System) -> Value {
    let columns = ask_spark(system, vec!["DESCRIBE activities".to_owned()]).await.remove(0);
    let columns = columns.as_array().unwrap().iter();
    columns.filter(|column| column[1] != "string").map(|column| json!([column[0], column[1]])).collect()
}

async fn register(system: &System) {
    let mut registrar = RegistrationServiceClient::new(connect::grpc(system.grpc()).await.unwrap());
    for name in ["meta", "github"] {
        registrar.register(github::registration(name, name, "me", SECRET)).await.unwrap();
    }
}

async fn send(system: &System, deliveries: &[Real]) {
    for delivery in deliveries {
        let answer = github::send(delivery.to(system.door(), SECRET)).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", delivery.name);
    }
}

fn of_github(number: usize, event: &str, body: &Value) -> Real {
    real::of_github(number, event, format!("{event} {number}"), Bytes::from(body.to_string()))
}

fn of_page(value: &Value) -> Real {
    let entry = json!({"id": "77", "time": 1_772_359_500, "changes": [{"field": "feed", "value": value}]});
    let body = json!({"object": "page", "entry": [entry]});
    Real { name: body.to_string(), endpoint: "meta", headers: Vec::new(), body: Bytes::from(body.to_string()) }
}

/// Things that happened, told out of order: what each question's answer is can be seen here.
fn story() -> Vec<Real> {
    let user = |name: &str| json!({"id": name.len(), "login": name, "type": "User"});
    let place = json!({"id": 5, "full_name": "pier/gate", "owner": user("pier")});
    let (ada, grace) = (user("ada"), user("grace"));
    let issue = |number: u32, at: &str| json!({"id": 900 + number, "number": number, "user": ada, "created_at": at});
    let comment = |id: u32, by: &Value, at: &str| {
        json!({"action": "created", "sender": by, "repository": place, "issue": issue(7, "2026-03-01T10:00:00Z"),
            "comment": {"id": id, "user": by, "body": "words", "created_at": at}})
    };
    let opened = |number: u32, at: &str| json!({"action": "opened", "sender": ada, "repository": place, "issue": issue(number, at)});
    let pull_request = json!({"id": 950, "number": 9, "user": grace, "created_at": "2026-03-01T11:00:00Z",
        "head": {"ref": "topic", "sha": "abc"}, "base": {"ref": "main"}});
    let pull = json!({"action": "opened", "sender": grace, "repository": place, "pull_request": pull_request});
    let review = json!({"action": "submitted", "sender": ada, "repository": place, "pull_request": pull_request,
        "review": {"id": 60, "user": ada, "state": "approved", "submitted_at": "2026-03-01T11:45:00Z"}});
    let run = |id: u32, action: &str, workflow: &str, head: &str, ended: &str| {
        json!({"action": action, "sender": grace, "repository": place, "workflow": {"id": 3, "name": workflow},
            "workflow_run": {"id": id, "run_attempt": 1, "name": "", "head_branch": "main", "conclusion": ended,
                "status": "completed", "head_sha": "abc", "updated_at": "2026-03-01T12:00:00Z",
                "head_repository": {"id": if head == "pier/gate" { 5 } else { 6 }, "full_name": head, "owner": user(head)}}})
    };
    let sent = [
        ("issue_comment", comment(53, &grace, "2026-03-01T12:00:00Z")),
        ("issue_comment", comment(52, &grace, "2026-03-01T11:30:00Z")),
        ("issue_comment", comment(51, &ada, "2026-03-01T10:05:00Z")),
        ("issues", opened(7, "2026-03-01T10:00:00Z")),
        ("issues", opened(8, "2026-03-01T10:30:00Z")),
        ("pull_request_review", review),
        ("pull_request", pull),
        ("workflow_run", run(1, "requested", "CI", "pier/gate", "")),
        ("workflow_run", run(1, "completed", "CI", "pier/gate", "failure")),
        ("workflow_run", run(2, "completed", "CI", "pier/gate", "success")),
        ("workflow_run", run(3, "completed", "CI", "pier/gate", "timed_out")),
        ("workflow_run", run(4, "completed", "CI", "pier/gate", "cancelled")),
        ("workflow_run", run(5, "completed", "CI", "a-fork", "failure")),
        ("workflow_run", run(6, "completed", "Release", "pier/gate", "success")),
    ];
    let from = |name: &str| json!({"id": format!("1{}", name.len()), "name": name});
    let of = |item: &str, verb: &str, by: &str, more: Value| {
        let mut value =
            json!({"item": item, "verb": verb, "from": from(by), "post_id": "77_1", "created_time": 1_772_359_000});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of_page(&value)
    };
    let said = |verb: &str, by: &str, id: &str, parent: &str| {
        of("comment", verb, by, json!({"comment_id": id, "parent_id": parent}))
    };
    let reacted = |verb: &str, by: &str, kind: &str| {
        of("reaction", verb, by, json!({"reaction_type": kind, "parent_id": "77_1"}))
    };
    let on_page = [
        said("add", "ann", "1_2", "77_1"),
        said("add", "bobby", "1_3", "1_2"),
        said("add", "bobby", "1_4", "77_1"),
        said("remove", "bobby", "1_4", "77_1"),
        reacted("add", "ann", "like"),
        reacted("edit", "ann", "love"),
        reacted("add", "claire", "wow"),
        reacted("remove", "claire", "wow"),
        of("share", "add", "claire", json!({"share_id": "88"})),
    ];
    let github = sent.iter().enumerate().map(|(number, (event, body))| of_github(number, event, body));
    github.chain(on_page).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_the_page_answer_its_questions_in_four_engines() {
    spark::shared().unwrap();
    let system = System::embedded().await;
    register(&system).await;
    let story = story();
    send(&system, &story).await;
    assert_eq!(system.wait_for_rows(story.len() as u64).await, story.len() as u64);
    let answers = ask(&system).await;
    let [busiest, first_answers, workflows, posts, volume, _] = &answers[..] else {
        panic!("{} queries", answers.len())
    };
    assert_eq!(no_texts(&system).await, json!(NO_TEXTS));
    assert_eq!(*busiest, json!([["pier/gate", 14, 2]]));
    let hours = json!([
        ["pier/gate", 7, "2026-03-01T10:00:00+00:00", 1.5],
        ["pier/gate", 8, "2026-03-01T10:30:00+00:00", null],
        ["pier/gate", 9, "2026-03-01T11:00:00+00:00", 0.75]
    ]);
    assert_eq!(*first_answers, hours);
    assert_eq!(*workflows, json!([["pier/gate", "CI", 3, 2], ["pier/gate", "Release", 1, 0]]));
    assert_eq!(*posts, json!([["77_1", null, 2, 1, 1, 3]]));
    let of = |source: &str| {
        let rows = volume.as_array().unwrap().iter().filter(|row| row[2] == source);
        rows.map(|row| row[3].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((of("github"), of("facebook")), (14, 9));

    // Of real deliveries nobody has written down the answers: the engines find the same, and something for each question.
    let more = real::all();
    if more.is_empty() {
        return;
    }
    send(&system, &more).await;
    system.wait_for_all().await;
    let answers = ask(&system).await;
    let [questions @ .., volume, rows] = &answers[..] else { panic!("{answers:#?}") };
    assert!(questions.iter().all(|rows| rows.as_array().unwrap().len() > 1), "{answers:#?}");
    let volume: u64 = volume.as_array().unwrap().iter().map(|row| row[3].as_u64().unwrap()).sum();
    assert_eq!(volume, rows[0][0].as_u64().unwrap());
}
