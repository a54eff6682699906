//! Periodic work: each CronJob calls a command that there is, with settings that it takes.

use serde_yaml_ng::Value;

use crate::check::{list, template, text, variables};

pub(crate) fn check(job: &str, cron: &Value, documents: &[Value], problems: &mut Vec<String>) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("CronJob {job}: {what}"));
        }
    };
    let (spec, work) = (&cron["spec"], &cron["spec"]["jobTemplate"]["spec"]);
    let pod = &template(cron)["spec"];
    must(spec["concurrencyPolicy"] == "Forbid", "concurrencyPolicy must be Forbid");
    must(spec["timeZone"] == "Etc/UTC", "timeZone must be Etc/UTC, as days are in the lake");
    must(text(&spec["schedule"]).split(' ').count() == 5, "schedule must have five fields");
    must(pod["restartPolicy"] == "Never", "restartPolicy must be Never: what failed is left to be looked at");
    // The waits between tries double from 10 s on: four of them are longer than a roll-out takes a service to be there.
    must(work["backoffLimit"].as_u64().is_some_and(|tries| tries >= 4), "backoffLimit must be 4 or more");
    let rules: Vec<_> = list(&work["podFailurePolicy"]["rules"]).collect();
    let evicted = rules.iter().any(|rule| {
        rule["action"] == "Ignore" && list(&rule["onPodConditions"]).any(|one| one["type"] == "DisruptionTarget")
    });
    must(evicted, "a pod that is evicted must not count as a try");
    let invalid = rules.iter().any(|rule| {
        let codes = list(&rule["onExitCodes"]["values"]).filter_map(Value::as_u64);
        rule["action"] == "FailJob" && codes.eq([u64::from(service::EXIT_BAD_SETTINGS)])
    });
    must(invalid, "settings that are refused are refused the next time too: they must end the job");
    must(!work["activeDeadlineSeconds"].is_null(), "activeDeadlineSeconds is missing: it may hang for ever");
    for container in list(&pod["containers"]) {
        let arguments: Vec<_> = list(&container["args"]).map(text).collect();
        if let Err(error) = weir::cmd::check_arguments(arguments.iter().map(String::as_str)) {
            problems.push(format!("CronJob {job}: its arguments are refused: {error}"));
        }
    }
    if let Err(error) = crate::fixtures::load("weir", variables(pod, documents), None) {
        problems.push(format!("CronJob {job}: its settings are refused: {error}"));
    }
}
