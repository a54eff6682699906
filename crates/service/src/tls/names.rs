//! Who the other side of a connection is.

use tokio_rustls::rustls::pki_types::CertificateDer;

/// The DNS names of a certificate (`subjectAltName`). Its common name does not count: for names nobody has used it for
/// years, and it may hold anything.
#[must_use]
pub fn of(certificate: &CertificateDer<'_>) -> Vec<String> {
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(certificate) => certificate.valid_dns_names().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}
