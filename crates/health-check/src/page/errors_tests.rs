use common::health::v1::{RecentErrors, State};

use crate::errors::rate::Limits;
use crate::page::Page;
use crate::pipeline::Model;
use crate::samples::{LIMITS, at, digest, stamp, tell, watched};

/// Two loaders and a door with errors.
fn page() -> String {
    let limits = Limits { worker: [10, 100], stage: [10, 100], endpoint: [5, 50] };
    let model = Model::new(watched(&[("streaming", 1), ("loader", 2)]), LIMITS);
    let mut model = model.with_errors(std::time::Duration::from_secs(1800), limits);
    let error = |number, hop: &str, endpoint: &str, text: &str, count| RecentErrors {
        number,
        hop: hop.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: "logged".to_owned(),
        text: text.to_owned(),
        count,
        at: Some(stamp(-60)),
        last_at: Some(stamp(-30)),
    };
    let mut door = digest("streaming", "door-0:7", &[("hub", 10, 10)]);
    door.errors = vec![error(1, "streaming", "<hub>", "no <room> for 7 bytes", 3)];
    let loaders = ["load-0:7", "load-1:7"].map(|instance| {
        let mut digest = digest("loader", instance, &[]);
        digest.errors = vec![error(1, "loader", "", "no route to port 80", 60)];
        digest
    });
    let [one, other] = loaders;
    let answers = vec![
        ("streaming", "http://a:1", Ok(door)),
        ("loader", "http://b:1", Ok(one)),
        ("loader", "http://c:1", Ok(other)),
    ];
    // Asked twice: it is the same errors.
    tell(&mut model, answers.clone(), 0);
    tell(&mut model, answers, 5);
    let view = model.view(at(5));
    assert_eq!(view.problems.iter().filter(|problem| problem.check == "error_rate").count(), 1);
    assert_eq!(view.pipeline.hops.iter().map(|hop| hop.state()).collect::<Vec<_>>(), [State::Ok, State::Warning]);
    // They are told by group, and not once more with each instance.
    assert!(view.pipeline.instances.iter().flat_map(|one| &one.digest).all(|digest| digest.errors.is_empty()));
    Page::new(5000).html(&view, &crate::history::History::default())
}

#[test]
fn which_errors_is_one_click_from_how_many() {
    let html = page();
    assert!(html.contains("loader: 120 errors within 30 min"), "{html}");
    assert!(html.contains("<a href=#errors-loader>which errors</a>"), "{html}");
    assert!(html.contains("<h2>Errors of the last 30 minutes</h2>"), "{html}");
    assert!(html.contains("<h3 id=errors-loader>loader <small>120</small></h3>"), "{html}");
    let row = "<tr><th scope=row>120</th><td>–</td><td>logged</td><td>no route to port 80</td><td>65 s ago</td><td>35 s ago</td>\
               <td>load-0:7, load-1:7</td></tr>";
    assert!(html.contains(row), "{html}");
}

#[test]
fn what_errors_say_is_escaped() {
    let html = page();
    assert!(html.contains("<td>&lt;hub&gt;</td><td>logged</td><td>no &lt;room&gt; for 7 bytes</td>"), "{html}");
    assert!(!html.contains("no <room>"));
}
