//! A broker that does not let a service in: it says why and which setting to look at, waits, and tells no password.

use std::path::Path;
use std::time::Duration;

use weir_tests::certificates::Authority;
use weir_tests::process::{Launch, Process};
use weir_tests::wait;

use crate::world::{DOOR, password, prefix, with, world};

const WITHIN: Duration = Duration::from_secs(40);

struct Case {
    name: &'static str,
    environment: Vec<(String, String)>,
    /// What /readyz has to say.
    says: &'static [&'static str],
}

#[test]
fn a_service_that_is_not_let_in_says_why_and_waits() {
    let world = world();
    let (sasl, tls, plain) = (world.kafka.sasl_bootstrap(), world.kafka.tls_bootstrap(), world.kafka.bootstrap());
    let strangers = Authority::new("somebody else").unwrap();
    let stranger = strangers.issue("weir-streaming", &[]).unwrap();
    let (right, wrong) = (world.authority.root.as_path(), strangers.root.as_path());
    let good = world.password_file("right", &password("weir-streaming"));
    let bad = world.password_file("wrong", "a-wrong-and-planted-password");
    let user = Path::new("weir-streaming");
    let login = |ca, file| [("CA_FILE", ca), ("SASL_USERNAME", user), ("SASL_PASSWORD_FILE", file)];
    let cases = [
        Case {
            name: "wrong password",
            environment: world.kafka_settings(&sasl, "sasl_ssl", &login(right, &bad)),
            says: &["user name or the password", "bus.kafka.sasl_password_file"],
        },
        Case {
            name: "untrusted broker",
            environment: world.kafka_settings(&sasl, "sasl_ssl", &login(wrong, &good)),
            says: &["certificate is not trusted", "bus.kafka.ca_file"],
        },
        Case {
            name: "no certificate",
            environment: world.kafka_settings(&tls, "ssl", &[("CA_FILE", right)]),
            says: &["bus.kafka.certificate_file"],
        },
        Case {
            name: "certificate of somebody else",
            environment: world.kafka_settings(
                &tls,
                "ssl",
                &[("CA_FILE", right), ("CERTIFICATE_FILE", &stranger.certificate), ("KEY_FILE", &stranger.key)],
            ),
            says: &["bus.kafka.certificate_file"],
        },
        Case {
            name: "TLS to a plain port",
            environment: world.kafka_settings(plain, "sasl_ssl", &login(right, &good)),
            says: &["bus.kafka.security_protocol"],
        },
        Case {
            name: "plain to a port with TLS",
            environment: world.kafka_settings(&sasl, "plaintext", &[]),
            says: &["bus.kafka.security_protocol"],
        },
    ];
    let start = |case: Case| -> (Case, Process) {
        let launch = with(Launch::new("weir-streaming").listen(DOOR), case.environment.clone());
        let launch = launch.env("WEIR__BUS__TOPIC_PREFIX", prefix("refused"));
        (case, launch.env("WEIR__TELEMETRY__LOG", "debug").start().unwrap())
    };
    // All at once: each waits for most of its time.
    let running: Vec<_> = cases.into_iter().map(start).collect();
    for (case, process) in &running {
        let mut last = String::new();
        let told = wait::until(case.name, WITHIN, || {
            assert!(process.exited()?.is_none(), "{}: it ended: {}", case.name, process.logged()?);
            let Ok((status, text)) = process.get("/readyz") else { return Ok(None) };
            assert_ne!(status, 200, "{}: it is ready", case.name);
            last = text;
            Ok(case.says.iter().all(|part| last.contains(part)).then_some(()))
        });
        told.unwrap_or_else(|error| panic!("{error}: {last}\n{}", process.logged().unwrap()));
        println!("{}: {}", case.name, last.lines().next().unwrap_or_default());
        assert_eq!(process.get("/livez").unwrap().0, 200, "{}: nothing is gained by a restart", case.name);
    }
    for (case, process) in &running {
        let told = process.logged().unwrap() + &process.get("/health").unwrap().1 + &process.get("/metrics").unwrap().1;
        for secret in [password("weir-streaming").as_str(), "a-wrong-and-planted-password"] {
            assert!(!told.contains(secret), "{}: a password is told", case.name);
        }
        process.stop(WITHIN).unwrap();
    }
}
