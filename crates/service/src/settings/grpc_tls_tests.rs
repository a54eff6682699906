use super::*;

fn problems(text: &str) -> Vec<String> {
    let mut table: toml::Table =
        "certificate_file = ''\nkey_file = ''\nclient_ca_file = ''\nallow = []".parse().unwrap();
    table.extend(text.parse::<toml::Table>().unwrap());
    let settings: GrpcTlsSettings = table.try_into().unwrap();
    settings.validate().into_iter().map(|problem| format!("{}: {}", problem.key, problem.problem)).collect()
}

#[test]
fn what_does_not_protect_is_refused() {
    assert!(problems("").is_empty());
    assert!(problems("certificate_file = 'a'\nkey_file = 'b'").is_empty());
    for (text, begins) in [
        ("key_file = 'b'", "grpc.tls.certificate_file: is empty"),
        ("certificate_file = 'a'", "grpc.tls.key_file: is empty"),
        ("client_ca_file = 'c'", "grpc.tls.certificate_file: is empty, but grpc.tls.client_ca_file"),
        ("[[allow]]\ncall = 'weir.health.v1'\nnames = ['x']", "grpc.tls.client_ca_file: is empty, but grpc.tls.allow"),
    ] {
        assert!(problems(text).iter().any(|problem| problem.starts_with(begins)), "{text}: {:?}", problems(text));
    }
}

#[test]
fn entries_name_what_can_be_called_and_who_may() {
    let of =
        |entries: &str| problems(&format!("certificate_file='a'\nkey_file='b'\nclient_ca_file='c'\nallow=[{entries}]"));
    assert!(of("{call = 'weir.health.v1', names = ['x', '*']}, {call = 'weir.a.v1.B/C', names = ['y']}").is_empty());
    for (entry, key) in [
        ("{call = '/weir.health.v1', names = ['x']}", "grpc.tls.allow[0].call"),
        ("{call = 'weir health', names = ['x']}", "grpc.tls.allow[0].call"),
        ("{call = '', names = ['x']}", "grpc.tls.allow[0].call"),
        ("{call = 'a.b', names = []}", "grpc.tls.allow[0].names"),
        ("{call = 'a.b', names = ['']}", "grpc.tls.allow[0].names"),
        ("{call = 'a.b', names = ['x']}, {call = 'a.b', names = ['y']}", "grpc.tls.allow[1].call"),
    ] {
        let found = of(entry);
        assert!(found.len() == 1 && found[0].starts_with(key), "{entry}: {found:?}");
    }
}
