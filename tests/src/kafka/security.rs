//! A broker that asks who its clients are.

use super::{Kafka, Ports};
use crate::certificates::{Authority, Certificate};

/// Beside the plain listener, whose clients may do everything (the harness makes topics and ACLs there), the broker has
/// one with SASL_SSL (SCRAM-SHA-512) and one with SSL that wants a client certificate, whose common name is the
/// principal. What no ACL allows is refused there.
#[derive(Clone, Debug)]
pub struct Security {
    /// Users and their passwords. They are made with the data folder.
    pub users: Vec<(String, String)>,
    /// Who the broker and its clients trust.
    pub authority: Authority,
    /// What the broker shows.
    pub certificate: Certificate,
}

impl Security {
    /// With a certificate for 127.0.0.1.
    ///
    /// # Errors
    /// `openssl` is missing or fails.
    pub fn new(authority: &Authority, users: &[(&str, &str)]) -> anyhow::Result<Self> {
        let users = users.iter().map(|(name, password)| ((*name).to_owned(), (*password).to_owned())).collect();
        let certificate = authority.issue("broker", &["IP:127.0.0.1"])?;
        Ok(Self { users, authority: authority.clone(), certificate })
    }

    pub(super) fn format_arguments(&self) -> Vec<String> {
        let user = |(name, password): &(String, String)| {
            ["--add-scram".to_owned(), format!("SCRAM-SHA-512=[name={name},password={password}]")]
        };
        self.users.iter().flat_map(user).collect()
    }

    pub(super) fn properties(&self, ports: Ports) -> Vec<(String, String)> {
        let Ports { broker, controller, secure: [sasl, tls] } = ports;
        let here = "127.0.0.1";
        let clients = format!("PLAINTEXT://{here}:{broker},SASL_SSL://{here}:{sasl},SSL://{here}:{tls}");
        let protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL";
        let login = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        [
            ("listeners", format!("{clients},CONTROLLER://{here}:{controller}")),
            ("advertised.listeners", clients),
            ("listener.security.protocol.map", protocols.to_owned()),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512".to_owned()),
            ("listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config", login.to_owned()),
            ("ssl.keystore.type", "PEM".to_owned()),
            ("ssl.keystore.location", self.certificate.both.display().to_string()),
            ("ssl.truststore.type", "PEM".to_owned()),
            ("ssl.truststore.location", self.authority.root.display().to_string()),
            ("listener.name.ssl.ssl.client.auth", "required".to_owned()),
            ("ssl.principal.mapping.rules", "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT".to_owned()),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned()),
            // The plain listener, the broker itself and its controller.
            ("super.users", "User:ANONYMOUS".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

impl Kafka {
    /// What clients with a user name and a password connect to, over TLS; only with [`Security`].
    pub fn sasl_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.secure[0])
    }

    /// What clients with a certificate connect to; only with [`Security`].
    pub fn tls_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.secure[1])
    }
}
