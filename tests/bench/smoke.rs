//! The bench does what it says: every role is run once, and counts what it should.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by panicking")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use weir_tests::scratch::Scratch;

/// Builds the bench where that was not done yet, in the profile and with the features of this test, and finds it.
fn bench() -> PathBuf {
    let release = if cfg!(debug_assertions) { None } else { Some("--release") };
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo told this test of its package would look new to build scripts that watch it. They and all that needs
    // them would be built again, now and by the next cargo.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name.as_ref());
        }
    }
    let output = cargo
        .args(["test", "--workspace", "--bench", "pipeline", "--no-run", "--message-format", "json"])
        .arg("--offline")
        .args(release)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let mut built = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let of_bench = message["target"]["kind"][0] == "bench";
        of_bench.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    built.next().expect("cargo names no executable of the bench")
}

/// The contenders of a section: the whole, its parts, and what is told beside.
fn contenders(section: &Value) -> Vec<&Value> {
    let listed = ["parts", "beside"].into_iter().flat_map(|name| section[name].as_array().unwrap());
    [&section["whole"]].into_iter().chain(listed).collect()
}

#[test]
fn every_role_counts_what_it_should() {
    let scratch = Scratch::new("bench-smoke").unwrap();
    let (json, markdown) = (scratch.path().join("bench.json"), scratch.path().join("bench.md"));
    std::fs::write(&markdown, "before\n<!-- table -->\nold\n<!-- end of table -->\nafter\n").unwrap();
    let bench = bench();
    let programs = bench.ancestors().nth(2).unwrap();
    let output = Command::new(&bench)
        .arg("--quick")
        .arg("--beside")
        .arg(format!("same={}", programs.display()))
        .arg("--json")
        .arg(&json)
        .arg("--markdown")
        .arg(&markdown)
        .current_dir(scratch.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The bench checks itself: an answer other than 200, a record too few, a byte too many ends it.
    assert!(output.status.success(), "{said}");

    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["quick"], true);
    let sections = report["sections"].as_array().unwrap();
    let names: Vec<_> = sections.iter().map(|section| section["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["door-1k", "door-8k", "processing"]);
    for section in sections {
        let all = contenders(section);
        assert!(all.iter().any(|one| one["name"].as_str().unwrap().ends_with(", same")), "{section}");
        for contender in all {
            let slices = contender["slices"].as_array().unwrap();
            assert_eq!(slices.len(), 1, "{contender}");
            assert_eq!(slices[0]["records"], 300, "{contender}");
        }
        let costs = section["cpu_seconds_per_million"].as_object().unwrap();
        assert_eq!(costs.len(), contenders(section).len());
    }
    // A slice of 100 to warm up and one of 300.
    for (section, bytes) in sections.iter().zip([1024, 8192]) {
        assert_eq!(section["checks"]["requests answered with 200"], 400);
        assert_eq!(section["checks"]["bytes of bodies, sent and on the topic"], 400 * bytes);
    }
    let checks = &sections[2]["checks"];
    assert_eq!(checks["deliveries, filled in and worked off"], 400);
    assert!(checks["events, parsed and claimed"].as_u64().unwrap() > 400, "{checks}");
    assert!(checks["records that came out, and that the claims let pass"].as_u64().unwrap() > 400, "{checks}");

    let table = std::fs::read_to_string(&markdown).unwrap();
    assert!(table.starts_with("before\n") && table.ends_with("\nafter\n") && !table.contains("old"), "{table}");
    assert_eq!(table.matches("Aim: at most 1.3").count(), 3, "{table}");
}
