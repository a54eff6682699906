use super::tests::{ADMIN_KEYS, LISTEN_FIX, SECTIONS, TIME_FIX, error_of};

#[test]
fn errors_of_the_file() {
    for (file, expected) in [
        (
            "[admin]\nlissten = \"127.0.0.1:1\"\n",
            format!("admin.lissten (weir.toml line 2): there is no such setting; did you mean `listen`? known in [admin]: {ADMIN_KEYS}"),
        ),
        (
            "[shopp]\ncount = 1\n",
            format!("shopp (weir.toml line 2): there is no such setting; did you mean `shop`? known at the top level: {SECTIONS}"),
        ),
        (
            "verbose = true\n",
            format!("verbose (weir.toml line 1): there is no such setting; remove it; known at the top level: {SECTIONS}"),
        ),
        (
            "[shop]\n\ncount = \"12\"\n",
            "shop.count (weir.toml line 3): \"12\" is not what is expected; give a whole number from 0 on, without quotes".to_owned(),
        ),
        (
            "[shop]\ncount = -1\n",
            "shop.count (weir.toml line 2): -1 is not what is expected; give a whole number from 0 on, without quotes".to_owned(),
        ),
        (
            "[shop]\nsmall = 256\n",
            "shop.small (weir.toml line 2): 256 is not what is expected; give a whole number from 0 to 255, without quotes".to_owned(),
        ),
        (
            "[shop]\nfast = \"yes\"\n",
            "shop.fast (weir.toml line 2): \"yes\" is not what is expected; give true or false, without quotes".to_owned(),
        ),
        (
            "[shop]\nlisten = 8080\n",
            "shop.listen (weir.toml line 2): 8080 is not what is expected; give a text in double quotes".to_owned(),
        ),
        (
            "[shop]\nlisten = \"8080\"\n",
            format!("shop.listen (weir.toml line 2): \"8080\" has no port; {LISTEN_FIX}"),
        ),
        (
            "[shop]\nbrokers = \"a:1\"\n",
            "shop.brokers (weir.toml line 2): \"a:1\" is not what is expected; give a list: [\"a\", \"b\"], or in a variable a,b".to_owned(),
        ),
        (
            "[shop]\nports = [\n  1,\n  \"x\",\n]\n",
            "shop.ports[1] (weir.toml line 4): \"x\" is not what is expected; give a whole number from 0 to 65535, without quotes".to_owned(),
        ),
        (
            "[shop]\nmode = \"kep\"\n",
            "shop.mode (weir.toml line 2): \"kep\" is not known; give keep or drop".to_owned(),
        ),
        (
            "[shop.limits]\npost = true\n",
            "shop.limits.post (weir.toml line 2): true is not what is expected; give a whole number from 0 to 4294967295, without quotes".to_owned(),
        ),
        (
            "shop = 3\n",
            "shop (weir.toml line 1): 3 is not what is expected; give a section with keys, not one value".to_owned(),
        ),
        (
            "[shop]\ncount = 99999999999999999999\n",
            "shop.count (weir.toml line 2): the number is out of range; give a smaller one".to_owned(),
        ),
        (
            "[\"shop.limits\"]\npage = 1\n",
            "\"shop.limits\" (weir.toml line 1): not the name of a section; use letters, digits, _ and -, without quotes".to_owned(),
        ),
    ] {
        assert_eq!(error_of(file, &[]), expected, "{file}");
    }
}

#[test]
fn errors_of_what_every_service_has() {
    for (file, expected) in [
        (
            "[telemetry]\nsample_ratio = 1.5\n",
            "telemetry.sample_ratio (weir.toml line 2): 1.5 is out of range; give 0 to 1".to_owned(),
        ),
        (
            "[telemetry]\notlp_endpoint = \"https://collector\"\n",
            "telemetry.otlp_endpoint (weir.toml line 2): \"https://collector\" is not the address of a collector; write http://host:4317; for TLS run a collector beside the service".to_owned(),
        ),
        (
            "[shutdown]\ndeadline_ms = 0\n",
            "shutdown.deadline_ms (weir.toml line 2): 0ms is out of range; give at least 1ms".to_owned(),
        ),
        (
            "[shutdown]\ndeadline_ms = \"soon\"\n",
            format!("shutdown.deadline_ms (weir.toml line 2): \"soon\" is not what is expected; {TIME_FIX}"),
        ),
        (
            "[shutdown]\ndeadline_ms = -1\n",
            format!("shutdown.deadline_ms (weir.toml line 2): -1 is not what is expected; {TIME_FIX}"),
        ),
        (
            "[grpc]\nmax_message_bytes = \"1000\"\n",
            "grpc.max_message_bytes (weir.toml line 2): 1000B is out of range; give at least 1KiB".to_owned(),
        ),
        (
            "[grpc]\nmax_connections = \"5\"\n",
            "grpc.max_connections (weir.toml line 2): \"5\" is not what is expected; give a whole number from 1 on, without quotes".to_owned(),
        ),
        (
            "[data]\ndir = \"\"\n",
            "data.dir (weir.toml line 2): it is empty; name a folder".to_owned(),
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:9090\"\n",
            "grpc.listen (defaults): 127.0.0.1:9090 is the same as admin.listen; give each its own port".to_owned(),
        ),
    ] {
        assert_eq!(error_of(file, &[]), expected, "{file}");
    }
}
