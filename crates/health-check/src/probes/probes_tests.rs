use common::health::v1::{Action, Check};
use service::Settings as _;
use tokio::net::TcpListener;

use super::*;
use crate::HealthCheck;
use crate::samples;
use crate::settings::Settings;

/// The settings with this in a file.
pub(super) fn settings(text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let nobody =
        "[[health_check.services]]\nname = \"streaming\"\naddresses = [\"http://127.0.0.1:1\"]\nexpected = 1\n";
    std::fs::write(&file, format!("{nobody}{text}")).unwrap();
    let listen = ["WEIR__ADMIN__LISTEN", "WEIR__GRPC__LISTEN"].map(|key| (key.to_owned(), "127.0.0.1:0".to_owned()));
    service::load(crate::DEFAULTS, Some(&file), listen).unwrap()
}

fn host(settings: &Settings) -> Host {
    Host::new("health-check", &settings.host())
}

fn check(digest: &Digest, name: &str) -> Check {
    digest.checks.iter().find(|check| check.name == name).unwrap().clone()
}

#[tokio::test]
async fn no_answer_in_time_is_a_failure_and_an_answer_says_how_long_it_took() {
    // Takes connections, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let settings = settings(&format!(
        "[health_check.probing]\ntimeout_ms = \"20ms\"\n\
         [[health_check.probes]]\nname = \"hangs\"\naction = \"page\"\ntcp = {{ address = \"{address}\", must = \"x\" }}\n\
         [[health_check.probes]]\nname = \"takes\"\ntimeout_ms = \"60s\"\ntcp = {{ address = \"{address}\" }}\n\
         [[health_check.probes]]\nname = \"plugin\"\ntimeout_ms = \"10s\"\nnagios = {{ command = [\"false\"] }}\n\
         [[health_check.probes]]\nname = \"sleeps\"\nnagios = {{ command = [\"sleep\", \"600\"] }}\n"
    ));
    let host = host(&settings);
    let mut probes = Probes::open(&settings.health_check, &host).unwrap();
    let periods: Vec<_> = probes.list.iter().map(|probe| probe.period().as_secs()).collect();
    assert_eq!(periods, [30, 60, 30, 30], "one that may take longer than its interval is old later");
    let told = Probes::told(&probes.health());
    assert_eq!((told.service.as_str(), told.checks.len()), (PROBES, 4));
    assert!(told.checks.iter().all(|check| check.state() == State::Unknown));
    for probe in &mut probes.list {
        probe.look(&probes.dial).await;
    }
    let told = Probes::told(&probes.health());
    let hangs = check(&told, "hangs");
    assert_eq!((hangs.state(), hangs.message.as_str()), (State::Failing, "no answer within 20ms"));
    assert_eq!((hangs.action(), hangs.unit.as_str()), (Action::Page, "seconds"));
    assert!(hangs.value.unwrap() >= 0.02, "{hangs:?}");
    let takes = check(&told, "takes");
    assert_eq!((takes.state(), takes.action()), (State::Ok, Action::Ticket), "{takes:?}");
    let plugin = check(&told, "plugin");
    assert_eq!((plugin.state(), plugin.value), (State::Warning, None), "{plugin:?}");
    assert_eq!(check(&told, "sleeps").message, "no answer within 20ms");
}

/// They are asked as long as health-check runs, and are a stage beside those of the services, which do not answer here.
#[tokio::test]
async fn probes_are_a_stage_of_their_own() {
    let settings = settings(
        "[[health_check.probes]]\nname = \"disk\"\naction = \"page\"\n\
         nagios = { command = [\"sh\", \"-c\", \"echo 'DISK CRITICAL: full|/=99%'; exit 2\"] }\n\
         [health_check]\ninterval_ms = \"200ms\"\n",
    );
    let host = host(&settings);
    let health_check = HealthCheck::new(&settings, &host);
    let known = health_check.known.clone();
    let mut running = tokio::task::JoinSet::new();
    running.spawn(health_check.run());
    let failing = async {
        loop {
            let view = known.view();
            let disk = |problem: &&crate::problems::Problem| problem.check == "disk" && problem.state == State::Failing;
            let own = check(&host.health().digest(), "health_check_collector");
            if let Some(problem) = view.problems.iter().find(disk).filter(|_| own.state() != State::Unknown) {
                return (view.clone(), problem.clone(), own);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (view, problem, own) = timeout(Duration::from_secs(20), failing).await.expect("it is not told");
    assert_eq!((problem.state, problem.action), (State::Failing, Action::Page));
    assert_eq!((problem.hops.as_slice(), problem.found.as_str()), (&["probes".to_owned()][..], "DISK CRITICAL: full"));
    let hops: Vec<_> = view.pipeline.hops.iter().map(|hop| (hop.service.as_str(), hop.state())).collect();
    assert_eq!(hops, [("streaming", State::Failing), ("probes", State::Failing)]);
    // That nobody else answers is not hidden by it.
    assert_eq!((own.state(), own.message.as_str()), (State::Failing, "0 of 1 addresses answer"));
    host.shutdown().cancel();
    running.join_next().await.unwrap().unwrap().unwrap();
}

/// What the checks of Weir are called says what they are about; what probes are called says nothing.
#[test]
fn the_name_of_a_probe_explains_nothing_away() {
    let names = ["shop_log", "shop_kafka", "shop_topics", "shop_progress", "shop_registrations", "shop_retention"];
    let mut digest = samples::digest(PROBES, "h:1", &[]);
    digest.checks = names.iter().map(|name| samples::check(name, State::Failing, &format!("{name} fails"))).collect();
    let view = samples::told(&[(PROBES, 1)], vec![(PROBES, HERE, Ok(digest))]).view(samples::at(0));
    let told: Vec<_> = view.problems.iter().map(|problem| problem.check.as_str()).collect();
    assert_eq!(told, names);
    assert!(view.problems.iter().all(|problem| problem.advice.starts_with("Run the probe by hand")));
}

#[test]
fn without_probes_there_is_no_such_stage() {
    let settings = settings("");
    assert!(Probes::open(&settings.health_check, &host(&settings)).is_none());
}
