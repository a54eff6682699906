use service::Settings as _;

use super::*;

fn load(text: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, text).unwrap();
    service::load(DEFAULTS, Some(&file), []).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    load(text).map(|_| ()).unwrap_err()
}

#[test]
fn the_defaults_do_and_print_as_they_are() {
    let settings = load("").unwrap();
    assert_eq!(settings.validate(), []);
    assert_eq!(settings.enricher.steps.len(), 2);
    assert_eq!(settings.enricher.steps[0].fields().len(), 4);
    let printed = service::print(&settings);
    let again = load(&printed).unwrap();
    assert_eq!(service::print(&again), printed);
}

#[test]
fn the_bus_gets_the_limits_and_claims_of_its_own() {
    let settings = load("[enricher]\nmax_held_records = 77\nmax_held_bytes = 7777\n").unwrap();
    let bus = settings.bus();
    assert_eq!((bus.consumer.max_in_flight_records, bus.consumer.max_in_flight_bytes), (77, 7777));
    assert_eq!(bus.claims.folder.to_str(), Some("claims-enricher"));
    assert_eq!(bus.validate(), []);
}

#[test]
fn a_step_of_ones_own_takes_what_is_common() {
    let settings = load(
        "[[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\nurl = \"http://crm:9090\"\nkey = [\"actor_id\"]\n\
         timeout_ms = 50\ncircuit_failures = 2\n",
    )
    .unwrap();
    let step = &settings.enricher.steps[0];
    let own = step.lookup_settings(&settings.enricher.lookups);
    assert_eq!((own.timeout_ms, own.circuit_failures, own.batch), (50, 2, 200));
    assert!(!step.required);
}

#[test]
fn what_does_not_do_is_told_with_what_would() {
    let lookup = |more: &str| refused(&format!("[[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\n{more}\n"));
    let said = lookup("url = \"http://crm:1\"\nkey = [\"actor\"]");
    assert!(
        said.contains("\"actor\" is not a field") && said.contains("tenant, endpoint, source, account_id"),
        "{said}"
    );
    for (more, problem) in [
        ("key = [\"actor_id\"]", "is missing; write http://host:port"),
        ("url = \"ftp://crm:1\"\nkey = [\"actor_id\"]", "is not the address of a service"),
        ("url = \"crm:1\"\nkey = [\"actor_id\"]", "is not the address of a service"),
        ("url = \"http://crm:1\"", "is missing; name some of tenant"),
        ("url = \"http://crm:1\"\nkey = [\"actor_id\"]\npath = \"a.csv\"", "a look-up has no such setting"),
        ("url = \"http://crm:1\"\nkey = [\"actor_id\"]\nbatch = 0", "0 is out of range; give 1 to 10000"),
        ("url = \"http://crm:1\"\nkey = [\"actor_id\"]\nfoo = 1", "foo"),
    ] {
        let said = lookup(more);
        assert!(said.contains(problem), "{more}: {said}");
    }
    for (text, problem) in [
        ("name = \"a\"\ntype = \"reference\"\nkey = [\"actor_id\"]", "is missing; name a .csv or .parquet file"),
        ("name = \"a\"\ntype = \"reference\"\nkey = [\"actor_id\"]\npath = \"a.txt\"", "neither .csv nor .parquet"),
        (
            "name = \"a\"\ntype = \"reference\"\nkey = [\"actor_id\"]\npath = \"a.csv\"\ncolumns = [\"x\", \"y\"]",
            "names 2 columns for 1 fields",
        ),
        ("name = \"a\"\ntype = \"derive\"\nrequired = true", "derive cannot fail"),
        ("name = \"a\"\ntype = \"derive\"\nurl = \"http://crm:1\"", "derive has no such setting"),
        ("name = \"A.b\"\ntype = \"derive\"", "\"A.b\" is not a valid name"),
        ("name = \"a\"\ntype = \"guess\"", "type"),
    ] {
        let said = refused(&format!("[[enricher.steps]]\n{text}\n"));
        assert!(said.contains(problem), "{text}: {said}");
    }
    let twice = "[[enricher.steps]]\nname = \"a\"\ntype = \"derive\"\n".repeat(2);
    assert!(refused(&twice).contains("the name of another step"));
    for (text, problem) in [
        ("group = \"\"", "enricher.group"),
        ("batches_ahead = 0", "enricher.batches_ahead"),
        ("flush_interval_ms = 5", "enricher.flush_interval_ms"),
        ("stalled_after_ms = 60000", "not more than flush_interval_ms"),
        ("processing_url = \"processing:9090\"", "enricher.processing_url"),
        ("lookups = { timeout_ms = 0 }", "enricher.lookups.timeout_ms"),
        ("reference = { max_rows = 0 }", "enricher.reference.max_rows"),
    ] {
        let said = refused(&format!("[enricher]\n{text}\n"));
        assert!(said.contains(problem), "{text}: {said}");
    }
}
