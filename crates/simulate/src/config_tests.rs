use super::*;

fn config() -> Config {
    Config::new(Arc::new(Endpoints::for_tests()), 1, 1_780_000_000_000)
}

#[test]
fn the_usual_configuration_is_valid() {
    assert_eq!(config().validate(), Ok(()));
}

#[test]
fn every_field_out_of_range_is_named() {
    type Change = fn(&mut Config);
    let cases: [(&str, Change); 8] = [
        ("pages", |c| c.pages = 1),
        ("repositories", |c| c.repositories = 0),
        ("skew", |c| c.skew = f64::NAN),
        ("mixed", |c| c.mixed = 1.5),
        ("redeliver", |c| c.redeliver = -0.1),
        ("broken", |c| c.broken = f64::NAN),
        ("redeliver", |c| (c.redeliver, c.broken) = (0.6, 0.6)),
        ("mix", |c| c.mix = Mix([0; COUNT])),
    ];
    for (field, change) in cases {
        let mut config = config();
        change(&mut config);
        assert_eq!(config.validate().unwrap_err().what, field);
    }
}

#[test]
fn a_mix_is_read_from_text() {
    assert_eq!("facebook=60, github = 40".parse(), Ok(Mix([60, 0, 40, 0])));
    for wrong in ["", "facebook", "myspace=1", "facebook=-1", "facebook=0", "facebook=1;github=2"] {
        assert!(wrong.parse::<Mix>().is_err(), "{wrong:?}");
    }
}
