use super::*;

#[test]
fn what_is_not_of_the_public_internet() {
    for address in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "198.19.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2002:7f00:1::",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in [
        "1.1.1.1",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "192.167.0.1",
        "::ffff:1.1.1.1",
        "2606:4700::1111",
    ] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn what_is_allowed_is_reached_and_nothing_beside_it() {
    let reach =
        Reach::Public(vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    for (address, is_so) in [
        ("10.1.255.1", true),
        ("10.2.0.1", false),
        ("::ffff:10.1.0.1", true),
        ("fd12::1", true),
        ("fc12::1", false),
        ("127.0.0.1", true),
        ("127.0.0.2", false),
        ("8.8.8.8", true),
    ] {
        assert_eq!(reach.includes(address.parse().unwrap()), is_so, "{address}");
    }
    let all = |text: &str| text.parse::<Network>().unwrap();
    assert!(all("0.0.0.0/0").contains("10.0.0.1".parse().unwrap()) && all("::/0").contains("::1".parse().unwrap()));
    for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/", "10.0.0.0/-1"] {
        assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
    }
}
