//! By what dead letters are told apart and counted together. Pure.

use common::deadletter::v1::DeadLetter;

/// Stage, reason, source, endpoint.
pub(crate) type Kind = (String, String, String, String);

/// The kind of a letter.
pub(crate) fn kind_of(letter: &DeadLetter) -> Kind {
    (letter.stage.clone(), letter.reason.clone(), letter.source.clone(), letter.endpoint.clone())
}
