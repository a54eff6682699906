use common::health::v1::Digest;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// What is told of a service after this was logged.
fn told(service: &'static str, log: impl FnOnce()) -> Vec<(String, String, String)> {
    let layer = Logged::of(service).with_filter(filter_fn(is_error));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    let mut digest = Digest::default();
    crate::errors::fill(&mut digest);
    digest.errors.retain(|error| error.hop == service || error.text.contains(service));
    digest.errors.into_iter().map(|error| (error.hop, error.kind, error.text)).collect()
}

#[test]
fn what_is_an_error_and_of_whom() {
    let told = told("told-of", || {
        tracing::error!(target: "bus::kafka", group = "weir-told-of", "it stands still");
        tracing::warn!(target: "stage::driver", error = "told-of: no room", "sending failed, retrying");
        tracing::warn!(target: "stage::driver", stage = "enricher", lane = "main", error = "told-of", "a part failed");
        tracing::error!(target: "enricher::steps", lookup = "told-of", why = "late", endpoint = "hub", "a look-up failed");
        tracing::warn!(target: "bus::kafka", group = "weir-loader-2", error = %"told-of", at = "7", "rewound");
        tracing::error!(target: "service::telemetry", panic = "\"4111 1111\" is no number", location = "told-of.rs:1:2", "panicked");
        // A warning of no error, a check, news, and what a library says.
        tracing::warn!(target: "bus::kafka", "told-of is copied");
        tracing::error!(target: "service::health", check = "told-of", "check failing");
        tracing::info!(target: "bus::kafka", error = "told-of", "again");
        // The same panic once more, and what a library says with our name.
        tracing::error!(target: "service::lifecycle", panic = "told-of", "told-of panicked");
        tracing::error!(target: "bus::kafka::client", client = "told-of", facility = "FATAL", text = "told-of", "librdkafka");
        tracing::error!(target: "hyper::proto", error = "told-of", "connection error");
    });
    let expected = [
        ("told-of", "logged", "it stands still"),
        ("told-of", "logged", "sending failed, retrying: told-of: no room"),
        ("enricher", "logged", "a part failed: told-of"),
        ("enricher", "logged", "a look-up failed: late (lookup=told-of)"),
        ("loader", "logged", "rewound: told-of"),
        ("told-of", "panic", "panicked (location=told-of.rs:1:2)"),
    ];
    let expected = expected.map(|(hop, kind, text)| (hop.to_owned(), kind.to_owned(), text.to_owned()));
    assert_eq!(told, expected);
}

#[test]
fn every_crate_of_ours_that_logs_counts() {
    assert!(OURS.is_sorted());
    assert!(OURS.contains(&crate_of(module_path!())));
    assert_eq!(hop("control::replay", ["", ""]), Some("processing"));
    assert_eq!(hop("streaming", ["", "weir-loader"]), Some("streaming"));
    assert_eq!(hop("stage::driver", ["enricher", "mine"]), Some("enricher"));
    assert_eq!(hop("stage::driver", ["", "mine"]), None);
}
