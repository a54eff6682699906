use super::*;

fn told(code: RDKafkaErrorCode, reason: &str) -> Option<String> {
    ConnectionRefusal::of(Some(code), reason).map(|refusal| refusal.to_string())
}

#[test]
fn what_the_client_tells_becomes_a_setting() {
    use RDKafkaErrorCode as Code;
    for (code, reason, setting) in [
        (
            Code::Authentication,
            "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed (after 5ms in state AUTH_REQ)",
            "bus.kafka.sasl_password_file",
        ),
        (
            Code::SSL,
            "ssl://b:1/bootstrap: SSL handshake failed: certificate verify failed: broker certificate could not be \
             verified",
            "bus.kafka.ca_file",
        ),
        (
            Code::SSL,
            "ssl://b:1/1: SSL handshake failed: ssl/tls alert bad certificate: SSL alert number 42",
            "bus.kafka.certificate_file",
        ),
        (
            Code::BrokerTransportFailure,
            "ssl://b:1/bootstrap: Receive failed: SSL routines::sslv3 alert bad certificate: SSL alert number 42",
            "bus.kafka.certificate_file",
        ),
        (
            Code::BrokerTransportFailure,
            "sasl_ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer (after 0ms in state SSL_HANDSHAKE)",
            "bus.kafka.security_protocol",
        ),
        (Code::SSL, "ssl://b:1/1: SSL handshake failed: wrong version number", "bus.kafka.security_protocol"),
        (
            Code::BrokerTransportFailure,
            "b:1/bootstrap: Disconnected: might be caused by incorrect security.protocol configuration",
            "bus.kafka.security_protocol",
        ),
        (
            Code::BrokerTransportFailure,
            "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 31ms in state \
             APIVERSION_QUERY)",
            "bus.kafka.security_protocol",
        ),
    ] {
        let told = told(code, reason).unwrap();
        assert!(told.contains(setting) && told.contains(reason), "{told}");
    }
    assert_eq!(told(Code::BrokerTransportFailure, "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed"), None);
    assert_eq!(told(Code::AllBrokersDown, "1/1 brokers are down"), None);
}

#[test]
fn what_is_refused_is_told_to_programs() {
    use RDKafkaErrorCode as Code;
    for (code, reason, failure) in [
        (Code::Authentication, "SASL authentication error", FailureKind::Credentials),
        (Code::SSL, "certificate verify failed", FailureKind::Certificate),
        (Code::SSL, "ssl/tls alert bad certificate", FailureKind::Certificate),
        (Code::SSL, "wrong version number", FailureKind::Protocol),
        (Code::BrokerTransportFailure, "incorrect security.protocol configuration", FailureKind::Protocol),
    ] {
        assert_eq!(ConnectionRefusal::of(Some(code), reason).unwrap().failure(), failure, "{reason}");
    }
}
