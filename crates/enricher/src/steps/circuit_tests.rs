use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn circuit() -> Circuit {
    Circuit::new(CircuitLimits { failures: 3, open: at(10) })
}

#[test]
fn failures_in_a_row_open_it_and_one_call_tries_later() {
    let mut circuit = circuit();
    for now in 0..2 {
        assert!(circuit.may_call(at(now)));
        circuit.failure(at(now));
    }
    // An answer begins the count anew.
    circuit.success();
    for now in 2..5 {
        assert!(circuit.may_call(at(now)));
        circuit.failure(at(now));
    }
    assert_eq!(circuit.state(), State::Open);
    assert!(!circuit.may_call(at(13)));
    assert!(circuit.may_call(at(14)));
    assert_eq!(circuit.state(), State::Trying);
    assert!(!circuit.may_call(at(14)), "only one tries");
    circuit.failure(at(15));
    assert!(!circuit.may_call(at(24)));
    assert!(circuit.may_call(at(25)));
    circuit.success();
    assert_eq!(circuit.state(), State::Closed);
    assert!(circuit.may_call(at(25)) && circuit.may_call(at(25)));
}

#[test]
fn calls_that_began_before_it_opened_do_not_keep_it_open() {
    let mut circuit = circuit();
    for _ in 0..3 {
        circuit.failure(at(0));
    }
    circuit.failure(at(9));
    assert!(circuit.may_call(at(10)));
}

#[test]
fn a_call_that_never_ends_does_not_hold_it_for_ever() {
    let mut circuit = circuit();
    for _ in 0..3 {
        circuit.failure(at(0));
    }
    assert!(circuit.may_call(at(10)));
    assert!(!circuit.may_call(at(19)));
    assert!(circuit.may_call(at(20)));
}
