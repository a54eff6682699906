use super::*;

const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 50_000);

#[test]
fn how_a_connection_begins_tells_what_is_wrong_with_the_port() {
    for (first, expected) in [
        (&b""[..], None),
        (b"PROXY TCP4 192.0", Some(Unserved::ProxyHeader)),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", Some(Unserved::ProxyHeader)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", Some(Unserved::Handshake)),
        (b"GET / HTTP/1.1\r\n", Some(Unserved::PlainOnTlsPort)),
        (b"\0\0", Some(Unserved::Malformed)),
    ] {
        assert_eq!(Unserved::of_handshake(first), expected, "{first:?}");
    }
}

#[test]
fn codes_are_stable_and_each_says_what_to_look_at() {
    let codes: Vec<_> = Unserved::ALL.iter().map(|one| one.as_str()).collect();
    let expected = [
        "malformed",
        "head_too_large",
        "proxy_header",
        "tls_on_plain_port",
        "plain_on_tls_port",
        "http2",
        "tls_handshake",
    ];
    assert_eq!(codes, expected);
    assert!(Unserved::ALL.iter().all(|one| one.hint().contains(": ")));
}

#[test]
fn each_is_counted_by_its_reason() {
    let watch = Watch::default();
    watch.request();
    for _ in 0..3 {
        watch.unserved("s", PEER.into(), Unserved::Http2, b"PRI * HTTP/2.0");
    }
    watch.clone().unserved("s", PEER.into(), Unserved::Malformed, b"");
    assert_eq!(watch.totals(), UnservedTotals { requests: 1, unserved: [1, 0, 0, 0, 0, 3, 0] });
}
