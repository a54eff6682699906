//! Why a connection ended, where a certificate was the reason.

use std::error::Error;

/// What the other side, or this one, said of a certificate; none where that is not why.
///
/// With TLS 1.3 a client is refused when it has connected already. HTTP/2 then keeps the text of the error and not the
/// error itself, so the text is all that can be asked.
pub fn refused_certificate(error: &(dyn Error + 'static)) -> Option<String> {
    let cause = std::iter::successors(Some(error), |&error| error.source()).last()?.to_string();
    cause.contains("ertificate").then_some(cause)
}
