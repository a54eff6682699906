use super::*;

fn settings() -> Settings {
    service::load(DEFAULTS, None, []).unwrap()
}

#[test]
fn a_rate_is_positive() {
    assert_eq!(parse_rate("0.5"), Ok(0.5));
    for wrong in ["0", "-1", "NaN", "inf", "1e9", "many"] {
        assert!(parse_rate(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_banner_says_where_everything_is() {
    let addresses = Addresses { admin: "127.0.0.1:8081".parse().unwrap(), grpc: "127.0.0.1:9090".parse().unwrap() };
    insta::assert_snapshot!(banner("127.0.0.1:8080".parse().unwrap(), &addresses, &settings(), None));
    let elsewhere = Addresses { grpc: "127.0.0.1:7".parse().unwrap(), ..addresses };
    let text = banner("127.0.0.1:8080".parse().unwrap(), &elsewhere, &settings(), Some(Path::new("x/weir.log")));
    assert!(text.contains("\n  log lines x/weir.log\n"), "{text}");
    assert_eq!(text.matches("--grpc http://127.0.0.1:7").count(), 3);
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains("let it deliver")), "{text}");
}

#[tokio::test]
async fn a_service_that_fails_ends_the_others() {
    let host = Host::new("test", &service::Settings::host(&settings()));
    let after = CancellationToken::new();
    let mut services = JoinSet::new();
    services.spawn(async { anyhow::bail!("broke") });
    let shutdown = host.shutdown().clone();
    services.spawn(async move {
        shutdown.cancelled().await;
        Ok(())
    });
    let waiting = after.clone();
    let aside = Box::pin(async move {
        waiting.cancelled().await;
        Ok(())
    });
    let error = until_all_end(&mut services, &host, &after, aside).await.unwrap_err();
    assert_eq!(error.to_string(), "broke");
    assert!(host.shutdown().is_cancelled());
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_with_its_setting() {
    let mut settings = settings();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.bus.kafka.brokers = vec![free.to_string()];
    let bus = Bus::open(&settings.bus).unwrap();
    let (lines, mut shown) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(tell_broker(bus, lines, stop.clone()));
    let line = shown.recv().await.unwrap();
    assert!(line.contains(&free.to_string()) && line.contains("bus.kafka.brokers"), "{line}");
    stop.cancel();
    tasks.join_all().await;
    assert_eq!(shown.recv().await, None);
}
