use std::process::Command;

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

fn found(days: &[f64]) -> Vec<Found> {
    let ends = |days: &f64| UNIX_EPOCH + Duration::from_secs_f64(NOW.as_secs_f64() + days * DAY.as_secs_f64());
    days.iter().enumerate().map(|(n, days)| (format!("of.number{n}"), Ok(ends(days)))).collect()
}

#[test]
fn it_warns_seven_days_before_and_fails_after() {
    assert_eq!(judge(&found(&[7.1, 400.0]), now()).0, State::Ok);
    let (state, message, least) = judge(&found(&[400.0, 6.9]), now());
    assert_eq!((state, (least.unwrap() * 10.0).round()), (State::Warning, 69.0));
    assert!(message.contains("of.number1 expires at 2027-01-22T"), "{message}");
    let (state, message, least) = judge(&found(&[6.9, -0.1, 400.0]), now());
    assert_eq!(state, State::Failing);
    assert!(message.contains("of.number1 expired at") && least.unwrap() < 0.0, "{message}");
    let unknown = vec![("of.one".to_owned(), Err("cannot be read".to_owned()))];
    assert_eq!(judge(&unknown, now()), (State::Warning, "cannot be read".to_owned(), None));
}

/// By `openssl`, which the tests of TLS need as well.
fn certificate(file: &Path, days: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=weir"])
        .args(["-days", days, "-keyout", "/dev/null", "-out"])
        .arg(file)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn a_file_is_read_anew_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    let days = || {
        let ends = ends("grpc.tls.certificate_file", &file).unwrap();
        (left(ends, clock::now()) / DAY.as_secs_f64()).round()
    };
    certificate(&file, "3");
    assert_eq!(days(), 3.0);
    certificate(&file, "90");
    assert_eq!(days(), 90.0);
    std::fs::write(&file, "nothing").unwrap();
    let error = ends("grpc.tls.certificate_file", &file).unwrap_err();
    assert!(error.contains("grpc.tls.certificate_file") && error.contains("own.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_looks_at_any_more_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    certificate(&file, "90");
    let certificates = Certificates::default();
    certificates.add("grpc.tls.certificate_file", &file);
    let (health, stop) = (Health::new("test", CancellationToken::new()), CancellationToken::new());
    let watching = certificates.watch(health.clone(), stop.clone());
    let looked = async {
        while health.digest().checks.first().is_none_or(|check| check.state() == State::Unknown) {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(watching, looked);
    let state = |after| health.checks_at(std::time::Instant::now() + after).remove(0).state();
    assert_eq!((state(Duration::ZERO), state(DAY)), (State::Ok, State::Unknown));
}
