//! What `kubectl apply` would find out too late: every manifest is rendered, typed strictly, and
//! checked against the others, the settings and the constants of the code. Each check has a broken
//! fixture that it must catch, made from the rendered manifests by one change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod check;
mod compose;
mod fixtures;
mod images;
mod render;

#[test]
fn the_base_is_sound() {
    let problems = check::all(&render::base());
    assert_eq!(problems, [""; 0]);
}
