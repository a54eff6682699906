use crate::flow::INSTANCE_ENDED;
use crate::samples::{at, digest, tell, told};

#[test]
fn five_minutes_have_what_an_instance_did_that_ended_in_them() {
    let of = |instance: &str, taken_in, sent_on| digest("loader", instance, &[("pages", taken_in, sent_on)]);
    let mut model = told(&[("loader", 1)], vec![("loader", "a", Ok(of("load:1", 1000, 1000)))]);
    tell(&mut model, vec![("loader", "a", Ok(of("load:1", 1600, 1590)))], 100);
    // Another one has taken its place.
    tell(&mut model, vec![("loader", "a", Ok(of("load:2", 0, 0)))], 110);
    tell(&mut model, vec![("loader", "a", Ok(of("load:2", 40, 40)))], 120);
    let view = model.view(at(120));
    let lately = view.lately[0].clone().unwrap();
    assert_eq!((lately.taken_in, lately.sent_on, lately.dropped[INSTANCE_ENDED]), (640, 630, 10));
    let [taken_in, ..] = view.five_minutes[0].unwrap();
    assert!((taken_in - 4.0 - 2.0).abs() < 0.01, "40 in ten seconds, and 600 in five minutes: {taken_in}");
    // Long ago.
    tell(&mut model, vec![("loader", "a", Ok(of("load:2", 40, 40)))], 500);
    assert_eq!(model.view(at(500)).lately[0].clone().unwrap().taken_in, 0);
}
