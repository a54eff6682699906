use super::super::load::tests::{OWN, all};
use super::*;

const LATER: &str = "[telemetry]\n# Only here.\nlog_format = \"text\"\n";

fn texts() -> [&'static str; 3] {
    [crate::DEFAULTS, OWN, LATER]
}

#[test]
fn a_setting_has_the_comment_the_default_and_the_range_of_its_field() {
    let schema = schema(&texts(), &all()).unwrap();
    let of = |pointer: &str| schema.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {schema:#}"));
    let timeout = of("/properties/admin/properties/header_timeout_ms");
    assert_eq!(
        timeout,
        &json!({
            "type": ["integer", "string"], "pattern": "^( *[0-9.]+ *[a-zA-Z]*)+ *$", "minimum": 1, "default": "5s",
            "description": "The time a client has for the head of a request, from its first byte.",
        })
    );
    let ratio = of("/properties/telemetry/properties/sample_ratio");
    assert_eq!((&ratio["minimum"], &ratio["maximum"]), (&json!(0.0), &json!(1.0)));
    let otlp = of("/properties/telemetry/properties/otlp_endpoint");
    assert_eq!(otlp["example"], "http://127.0.0.1:4317");
    assert!(otlp.get("default").is_none() && otlp["description"].as_str().unwrap().contains("OTLP over gRPC"));
    let format = of("/properties/telemetry/properties/log_format");
    assert_eq!(format["default"], "json");
    assert!(format["description"].as_str().unwrap().ends_with("In `weir up` the default is \"text\"."), "{format}");
    let allow = of("/properties/grpc/properties/tls/properties/allow");
    assert_eq!(allow["type"], "array");
    assert!(allow["description"].as_str().unwrap().contains("\n[[grpc.tls.allow]]\ncall = "), "{allow}");
    // Settings that one comment is for.
    let tls = |key| of(&format!("/properties/admin/properties/tls/properties/{key}"))["type"] == "string";
    assert!(tls("certificate_file") && tls("key_file"));
    assert!(of("/properties/admin/properties/tls")["description"].as_str().unwrap().starts_with("The certificate of"));
}

#[test]
fn the_page_has_a_row_for_every_setting() {
    let page = page(&texts(), &all()).unwrap();
    for line in [
        "## `[grpc.tls]`",
        "| `header_timeout_ms` | time, at least 1ms | `\"5s\"` | The time a client has for the head of a request, from its \
         first byte. |",
        "| `otlp_endpoint` | text | not set | Where the service sends traces by OTLP over gRPC, for example \
         \"http://127.0.0.1:4317\". Without it nothing is traced. |",
        "| `log_format` | text | `\"json\"`; `weir up`: `\"text\"` | json (one object for each line) or text (for a terminal). |",
        "[[grpc.tls.allow]]",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
}

/// A setting that is in the page by another name than a service reads would be told wrong.
#[test]
fn every_setting_that_is_read_is_there() {
    let schema = schema(&texts(), &all()).unwrap();
    for (key, _) in ranges_of(&all()).unwrap().into_iter().filter(|(key, _)| !key.starts_with("shop.")) {
        let pointer = format!("/properties/{}", key.replace('.', "/properties/"));
        assert!(schema.pointer(&pointer).is_some(), "{key}");
    }
}
