use service::SettingsError;

use super::*;

fn load(probe: &str) -> Result<Vec<ProbeSettings>, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let nobody = "[[health_check.services]]\nname = \"shops\"\naddresses = [\"http://127.0.0.1:1\"]\nexpected = 1\n";
    std::fs::write(&file, format!("{nobody}[[health_check.probes]]\n{probe}")).unwrap();
    let settings: Result<crate::Settings, _> = service::load(crate::DEFAULTS, Some(&file), []);
    settings.map(|settings| settings.health_check.probes)
}

#[test]
fn a_probe_asks_one_thing() {
    let probes =
        load("name = \"shop\"\naction = \"page\"\nhttp = { url = \"https://shop/health\", must = \"^ok\" }\n").unwrap();
    assert_eq!((probes[0].action, probes[0].interval_ms), (Class::Page, None));
    assert!(matches!(probes[0].what(), Some(What::Http(http)) if http.status.is_none()));
    let probes = load("name = \"mail\"\ntimeout_ms = \"1s\"\ntcp = { address = \"mail:25\" }\n").unwrap();
    assert_eq!((probes[0].action, probes[0].timeout_ms), (Class::Ticket, Some(1000)));
}

#[test]
fn what_cannot_be_is_named() {
    for (probe, key, says) in [
        ("name = \"a\"\n", "probes[0].name", "asks 0 things"),
        (
            "name = \"a\"\ntcp = { address = \"a:1\" }\nnagios = { command = [\"a\"] }\n",
            "probes[0].name",
            "asks 2 things",
        ),
        ("name = \"A b\"\ntcp = { address = \"a:1\" }\n", "probes[0].name", "not a valid name"),
        (
            "name = \"a\"\ntcp = { address = \"a:1\" }\n[[health_check.probes]]\nname = \"a\"\ntcp = { address = \"a:1\" }\n",
            "probes[1].name",
            "another probe",
        ),
        ("name = \"x\"\ntcp = { address = \"tcp://a:1\" }\n", "probes[0].tcp.address", "not host:port"),
        ("name = \"x\"\ntcp = { address = \"mail\" }\n", "probes[0].tcp.address", "not host:port"),
        ("name = \"x\"\ntcp = { address = \"mail:smtp\" }\n", "probes[0].tcp.address", "not host:port"),
        ("name = \"x\"\ntcp = { address = \"mail:0\" }\n", "probes[0].tcp.address", "not host:port"),
        ("name = \"a\"\nhttp = { url = \"shop:80\" }\n", "probes[0].http.url", "is not a URL"),
        ("name = \"a\"\ngrpc = { url = \"ftp://a\" }\n", "probes[0].grpc.url", "is not a URL"),
        ("name = \"a\"\nhttp = { url = \"http://a\", must = \"(\" }\n", "must", "unclosed group"),
        ("name = \"a\"\nhttp = { url = \"http://a\", must = \"(a{1000}){1000}\" }\n", "must", "size limit"),
        ("name = \"a\"\nhttp = { url = \"http://a\", status = 99 }\n", "status", "100"),
        ("name = \"a\"\nhttp = { url = \"http://a\", mst = \"a\" }\n", "mst", "must"),
        ("name = \"a\"\nnagios = { command = [] }\n", "probes[0].nagios.command", "is empty"),
        ("name = \"a\"\nlog = { file = \"a\" }\n", "probes[0].log", "looks for nothing"),
        ("name = \"a\"\nlog = { must = \"a\" }\n", "probes[0].log", "needs one source of lines"),
        ("name = \"a\"\nlog = { file = \"a\", folder = \"b\", must = \"a\" }\n", "probes[0].log", "and not more"),
        ("name = \"a\"\naction = \"pager\"\ntcp = { address = \"a:1\" }\n", "action", "page"),
    ] {
        let error = load(probe).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(says), "{probe}: {error}");
    }
}

#[test]
fn a_log_may_be_behind_an_api() {
    let pods = "kubernetes = { namespace = \"shop\", selector = \"app=shop\", container = \"web\" }";
    let probes = load(&format!("name = \"a\"\nlog = {{ {pods}, must_not = \"ERROR\" }}\n")).unwrap();
    let log = probes[0].log.as_ref().unwrap();
    assert_eq!(log.kubernetes.as_ref().unwrap().container.as_deref(), Some("web"));
    let loki = "loki = { url = \"http://loki:3100\", selector = '{app=\"shop\"}', user = \"u\", password = \"hush\" }";
    let probes = load(&format!("name = \"a\"\nlog = {{ {loki}, must = \"done\" }}\n")).unwrap();
    let shown = format!("{:?} {}", probes[0], serde_json::to_string(&probes[0]).unwrap());
    assert!(shown.contains("app=") && !shown.contains("hush"), "{shown}");
    for (source, key, says) in [
        ("kubernetes = { namespace = \"\", selector = \"a=b\" }", "log.kubernetes.namespace", "not the name"),
        ("kubernetes = { namespace = \"../x\", selector = \"a=b\" }", "log.kubernetes.namespace", "not the name"),
        ("kubernetes = { namespace = \"a\", selector = \" \" }", "log.kubernetes.selector", "all pods"),
        ("kubernetes = { namespace = \"a\" }", "log.kubernetes.selector", "it is not set"),
        ("kubernetes = { namespace = \"a\", selector = \"a\", url = \"k8s:1\" }", "log.kubernetes.url", "not a URL"),
        ("kubernetes = { namespace = \"a\", selector = \"a\" }, file = \"b\"", "probes[0].log", "and not more"),
        ("loki = { url = \"loki\", selector = '{a=\"b\"}' }", "log.loki.url", "not a URL"),
        ("loki = { url = \"http://a\", selector = 'a=\"b\"' }", "log.loki.selector", "no selector"),
        ("loki = { url = \"http://a\", selector = '{}' }", "log.loki.selector", "no selector"),
        ("loki = { url = \"http://a\", selector = '{a=\"b\"} |= \"c\"' }", "log.loki.selector", "no selector"),
        ("loki = { url = \"http://a\", selector = '{a=\"b\"}', tenant = \"a\\nb\" }", "log.loki.tenant", "header"),
        ("loki = { url = \"http://a\", selector = '{a=\"b\"}', user = \"u\" }", "log.loki.user", "needs a password"),
        ("loki = { url = \"http://a\", selector = '{a=\"b\"}', limit = 0 }", "limit", "1"),
        (
            "loki = { url = \"http://a\", selector = '{a=\"b\"}', user = \"u\", password = \"p\", token_file = \"t\" }",
            "log.loki.token_file",
            "beside a user",
        ),
    ] {
        let error = load(&format!("name = \"a\"\nlog = {{ {source}, must = \"a\" }}\n")).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(says), "{source}: {error}");
    }
}

#[test]
fn what_docs_health_md_shows_is_taken() {
    let page = include_str!("../../../../docs/health.md");
    let shown = page.split("```toml\n[[health_check.probes]]\n").nth(1).and_then(|rest| rest.split("```").next());
    let probes = load(shown.unwrap()).unwrap();
    let sources: Vec<_> = probes.iter().filter_map(|probe| probe.log.as_ref()).collect();
    assert!(sources.iter().any(|log| log.kubernetes.is_some()) && sources.iter().any(|log| log.loki.is_some()));
}

/// Of the checks that docs/health.md lists: who asks for one by its name must not get a probe.
#[test]
fn what_weir_itself_is_called_is_no_name_of_a_probe() {
    let page = include_str!("../../../../docs/health.md");
    let rows = page.lines().skip_while(|line| !line.starts_with("| check | class |")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let mut names: Vec<_> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 40, "{names:?}");
    names.extend(["streaming", "processing", "enricher", "loader", "probes", "health_check_collector", "shops"]);
    for name in names.into_iter().map(|name| name.replace("<name>", "geo")) {
        let error = load(&format!("name = \"{name}\"\ntcp = {{ address = \"a:1\" }}\n")).unwrap_err().to_string();
        assert!(error.contains("probes[0].name") && error.contains("of Weir itself"), "{name}: {error}");
    }
    for name in ["shop", "shop_log", "x-kafka", "logger"] {
        load(&format!("name = \"{name}\"\ntcp = {{ address = \"a:1\" }}\n")).unwrap();
    }
}
