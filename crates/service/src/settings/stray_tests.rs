use super::stray::unread;
use super::tests::{error_of, load_with};

#[test]
fn a_variable_with_the_wrong_underscores_is_refused_with_the_right_name() {
    for (variable, key, right) in [
        ("WEIR_SHOP_BROKERS", "shop.brokers", "WEIR__SHOP__BROKERS"),
        ("WEIR_SHOP__BROKERS", "shop.brokers", "WEIR__SHOP__BROKERS"),
        ("weir__shop__brokers", "shop.brokers", "WEIR__SHOP__BROKERS"),
        ("WEIR_ADMIN_TLS_KEY_FILE", "admin.tls.key_file", "WEIR__ADMIN__TLS__KEY_FILE"),
        ("WEIR_SHOP_LIMITS_PAGE", "shop.limits.page", "WEIR__SHOP__LIMITS__PAGE"),
        // Not quite a setting, in a section that there is.
        ("WEIR_SHOP_BROKER", "shop.brokers", "WEIR__SHOP__BROKERS"),
        // Without a default.
        ("WEIR_SHOP_TOKEN", "shop.token", "WEIR__SHOP__TOKEN"),
        ("WEIR_SECRETS_KEY_FILE", "secrets.key_file", "WEIR__SECRETS__KEY_FILE"),
        // Without its section.
        ("WEIR_LIMITS_PAGE", "shop.limits.page", "WEIR__SHOP__LIMITS__PAGE"),
    ] {
        let expected = format!(
            "{key} (environment variable {variable}): a variable of this name is not read; write {right}, with two \
             underscores after WEIR and before each key"
        );
        assert_eq!(error_of("", &[(variable, "1")]), expected);
    }
}

#[test]
fn a_setting_with_wrong_underscores_after_the_right_beginning_is_told_its_name() {
    for (variable, right) in [
        ("WEIR__SHOP_BROKERS", "WEIR__SHOP__BROKERS"),
        ("WEIR__SHOP_LIMITS__PAGE", "WEIR__SHOP__LIMITS__PAGE"),
        ("WEIR__LIMITS__PAGE", "WEIR__SHOP__LIMITS__PAGE"),
    ] {
        let error = error_of("", &[(variable, "1")]);
        assert!(error.ends_with(&format!("there is no such setting; did you mean {right}?")), "{error}");
    }
    let error = error_of("", &[("WEIR__SHOP__BROKER", "1")]);
    assert!(error.contains("did you mean `brokers`?"), "{error}");
}

#[test]
fn what_is_no_setting_of_ours_is_left_alone() {
    let others = [
        ("PATH", "/bin"),
        ("WEIRD_SHOP_BROKERS", "x"),
        ("WEIR_HOME", "/x"),
        ("WEIR_SHOP", "/x"),
        ("WEIR_SHOP_SERVICE_HOST", "10.0.0.1"),
        ("WEIR_SHOP_SERVICE_PORT", "8080"),
        ("WEIR_SHOP_SERVICE_PORT_HTTP", "8080"),
        ("WEIR_SHOP_PORT", "tcp://10.0.0.1:8080"),
        ("WEIR_SHOP_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("WEIR_SHOP_PORT_8080_TCP_PROTO", "tcp"),
        ("WEIR_SHOP_PORT_8080_TCP_PORT", "8080"),
        ("WEIR_SHOP_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    load_with("", &others).unwrap();
    let variables = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(unread(variables), ["WEIR_HOME", "WEIR_SHOP"], "they are told, since nobody else begins so");
}
