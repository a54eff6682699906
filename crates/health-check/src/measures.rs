//! What Prometheus reads of the stages, as of the moment in which it asks. What is not known is not there: no rule compares
//! with it, and no sum has it for nothing.

use common::health::v1::State;
use service::{Family, MetricKind};

use crate::canary::CHECK;
use crate::pipeline::View;
use crate::volume::Summary;

fn number(state: State) -> f64 {
    match state {
        State::Ok => 0.0,
        State::Warning => 1.0,
        State::Failing => 2.0,
        State::Unknown | State::Unspecified => 3.0,
    }
}

/// Writes it onto the page.
pub(crate) fn write(page: &mut String, view: &View) {
    Family::new(
        page,
        "weir_pipeline_state",
        MetricKind::Gauge,
        "State of the worst stage: 0 ok, 1 warning, 2 failing, 3 unknown.",
    )
    .sample(&[], number(view.pipeline.state()));
    let hops = &view.pipeline.hops;
    let mut state = Family::new(
        page,
        "weir_pipeline_hop_state",
        MetricKind::Gauge,
        "State of a stage: 0 ok, 1 warning, 2 failing, 3 unknown.",
    );
    for hop in hops {
        state.sample(&[("hop", &hop.service)], number(hop.state()));
    }
    let mut instances =
        Family::new(page, "weir_pipeline_hop_instances", MetricKind::Gauge, "Instances of a stage that answer.");
    for hop in hops {
        instances.sample(&[("hop", &hop.service)], f64::from(hop.instances));
    }
    let mut expected =
        Family::new(page, "weir_pipeline_hop_expected", MetricKind::Gauge, "Instances of a stage that should answer.");
    for hop in hops {
        expected.sample(&[("hop", &hop.service)], f64::from(hop.expected));
    }
    let mut errors = Family::new(
        page,
        "weir_pipeline_errors",
        MetricKind::Gauge,
        "Errors of a stage within `health_check.errors.window_ms`, without dead letters. Not there where nobody has answered.",
    );
    for hop in hops {
        let count = view.errors.get(&hop.service).copied().unwrap_or_default();
        errors.known(&[("hop", &hop.service)], (hop.instances > 0 || count > 0).then_some(count as f64));
    }
    let mut lag = Family::new(
        page,
        "weir_pipeline_hop_lag_records",
        MetricKind::Gauge,
        "Records that wait for a stage. Not there where that is not known.",
    );
    for hop in hops {
        lag.known(&[("hop", &hop.service)], (!hop.lag_unknown).then_some(hop.lag as f64));
    }
    let mut taken_in = Family::new(
        page,
        "weir_pipeline_hop_in_per_second",
        MetricKind::Gauge,
        "Units per second that a stage took in, over the last minute. Not there where that is not known.",
    );
    for hop in hops {
        taken_in.known(&[("hop", &hop.service)], (!hop.rates_unknown).then_some(hop.in_per_second));
    }
    let mut sent_on = Family::new(
        page,
        "weir_pipeline_hop_out_per_second",
        MetricKind::Gauge,
        "Units per second that a stage sent on, over the last minute. Not there where that is not known.",
    );
    for hop in hops {
        sent_on.known(&[("hop", &hop.service)], (!hop.rates_unknown).then_some(hop.out_per_second));
    }
    let mut age = Family::new(
        page,
        "weir_pipeline_hop_age_seconds",
        MetricKind::Gauge,
        "Time from the door to the end of a stage, 99th percentile. Not there where nothing ended lately.",
    );
    for hop in hops {
        age.known(&[("hop", &hop.service)], hop.age_seconds);
    }
    of_canaries(page, view);
    let mut volumes = Family::new(
        page,
        "weir_volume_endpoints",
        MetricKind::Gauge,
        "Endpoints by the volume of their last hour: ok, quiet, irregular, not_known or unusual.",
    );
    if let Some(Summary { ok, quiet, not_known, irregular, unusual }) = view.volume {
        let counts =
            [("ok", ok), ("quiet", quiet), ("irregular", irregular), ("not_known", not_known), ("unusual", unusual)];
        for (volume, count) in counts {
            volumes.sample(&[("volume", volume)], count as f64);
        }
    }
}

fn of_canaries(page: &mut String, view: &View) {
    let hops = &view.pipeline.hops;
    let mut canary = Family::new(
        page,
        "weir_pipeline_hop_canary_seconds",
        MetricKind::Gauge,
        "Time that the oldest canary has waited for a stage. Of the door: since the last was sent. Not there where none is sent.",
    );
    for hop in hops {
        canary.known(&[("hop", &hop.service)], hop.canary_seconds);
    }
    let mut canary = Family::new(
        page,
        "weir_pipeline_hop_canary_state",
        MetricKind::Gauge,
        "Whether canaries pass a stage: 0 ok, 1 warning, 2 failing. Of several only the first is not ok. Not there where none is sent.",
    );
    for hop in hops.iter().filter(|hop| hop.canary_seconds.is_some()) {
        let late = view.problems.iter().find(|problem| problem.check == CHECK && problem.hops.contains(&hop.service));
        canary.sample(&[("hop", &hop.service)], number(late.map_or(State::Ok, |problem| problem.state)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Model;
    use crate::samples::{LIMITS, at, watched, whole};

    #[test]
    fn what_is_not_known_is_not_there() {
        let page = |view: &View| {
            let mut page = String::new();
            write(&mut page, view);
            page
        };
        let known = page(&whole(|_| ()));
        for sample in [
            "weir_pipeline_state 0",
            "weir_pipeline_errors{hop=\"loader\"} 0",
            "weir_pipeline_hop_lag_records{hop=\"processing\"} 34",
            "weir_pipeline_hop_age_seconds{hop=\"loader\"} 48",
            "weir_pipeline_hop_in_per_second{hop=\"streaming\"} 236",
        ] {
            assert!(known.lines().any(|line| line == sample), "{sample}: {known}");
        }
        let unknown = page(&Model::new(watched(&[("loader", 2)]), LIMITS).view(at(0)));
        let samples: Vec<_> = unknown.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "weir_pipeline_state 3",
            "weir_pipeline_hop_state{hop=\"loader\"} 3",
            "weir_pipeline_hop_instances{hop=\"loader\"} 0",
            "weir_pipeline_hop_expected{hop=\"loader\"} 2",
        ];
        assert_eq!(samples, expected);
    }
}
