//! Where to read more: the page of a check in the documentation, and the command that shows more.

use common::health::v1::Action;

use super::escape;
use crate::problems::Problem;
use crate::stage::PROBES;

const DOCS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/");

/// The runbook of a check that wakes somebody, by its name or by the end of it: as the alerts have them.
const RUNBOOKS: &[(&str, &str)] = &[
    ("_log", "WeirLogUnavailable"),
    ("_kafka", "WeirLogUnavailable"),
    ("_topics", "WeirTopicsWrong"),
    ("_claims", "WeirClaimsUnavailable"),
    ("_progress", "WeirStageStalled"),
    ("_partitions", "WeirPartitionStopped"),
    ("_retention", "WeirRetentionNearlyUsed"),
    ("_dead_letter_storm", "WeirDeadLetterStorm"),
    ("_endpoint_dead_letters", "WeirEndpointDeadLetters"),
    ("registrations_database", "WeirRegistrationsDatabase"),
    ("registrations_published", "WeirRegistrationsDiffer"),
    ("_registrations", "WeirRegistrationsUnread"),
    ("_endpoints", "WeirEndpointsUnusable"),
    ("_lake", "WeirLakeUnavailable"),
    ("_load_requests", "WeirLoadRequestsRefused"),
    ("_held", "WeirLoadHeld"),
    ("certificates", "WeirCertificateExpired"),
    ("alerts_delivery", "WeirAlertsNotDelivered"),
    ("instances", "WeirInstancesMissing"),
    ("consumer", "WeirStageLagUnknown"),
    ("lag", "WeirStageBehind"),
    ("age", "WeirStageBehind"),
    ("volume", "WeirStageBehind"),
    ("in_work", "WeirStageStalled"),
    ("ready", "WeirNotReady"),
    ("round", "WeirHealthCheckStands"),
];

/// Within the documentation: the page about a problem.
fn page_of(problem: &Problem) -> String {
    let check = problem.check.as_str();
    let runbook = |name: &str| format!("runbooks/{name}.md");
    if problem.hops.iter().any(|hop| hop == PROBES) {
        return runbook("WeirProbeFailing");
    }
    let is_it = |(name, _): &&(&str, &str)| if name.starts_with('_') { check.ends_with(name) } else { check == *name };
    if let Some((_, page)) = RUNBOOKS.iter().find(is_it) {
        return runbook(page);
    }
    match problem.action {
        Action::Page if check.contains("_step_") => runbook("WeirRequiredStepUnavailable"),
        Action::Page => runbook("WeirCheckFailing"),
        _ => "operations.md#what-to-do-when".to_owned(),
    }
}

/// Its check, which leads to the page about it.
pub(super) fn of_check(problem: &Problem) -> String {
    let check = escape(&problem.check);
    format!("<a href=\"{DOCS}{}\"><code>{check}</code></a>", page_of(problem))
}

/// A reason for which something was dropped, which leads to what it means.
pub(super) fn of_reason(reason: &str) -> String {
    format!("<a href=\"{DOCS}health.md#why-something-is-dropped\">{}</a>", escape(reason))
}

/// A text that leads to a page of the documentation.
pub(super) fn of_page(page: &str, text: &str) -> String {
    format!("<a href=\"{DOCS}{page}\">{text}</a>")
}

/// A command to copy: one click selects all of it.
pub(super) fn command(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("<code class=command>{}</code>", escape(&quoted.join(" ")))
}

/// As a shell takes it for one word.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use common::health::v1::State;

    #[test]
    fn each_runbook_is_there() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks");
        let more = ["WeirProbeFailing", "WeirRequiredStepUnavailable", "WeirCheckFailing"];
        for page in RUNBOOKS.iter().map(|(_, page)| *page).chain(more) {
            assert!(docs.join(format!("{page}.md")).exists(), "{page}");
        }
    }

    #[test]
    fn a_check_leads_to_its_page() {
        let table = [
            ("processing", "processing_log", Action::Page, "runbooks/WeirLogUnavailable.md"),
            ("processing", "registrations_published", Action::Page, "runbooks/WeirRegistrationsDiffer.md"),
            ("streaming", "streaming_registrations", Action::Page, "runbooks/WeirRegistrationsUnread.md"),
            ("enricher", "enricher_step_shop", Action::Page, "runbooks/WeirRequiredStepUnavailable.md"),
            ("enricher", "enricher_step_shop", Action::Ticket, "operations.md#what-to-do-when"),
            ("loader", "something_new", Action::Page, "runbooks/WeirCheckFailing.md"),
            ("probes", "shop_log", Action::Ticket, "runbooks/WeirProbeFailing.md"),
        ];
        for (hop, check, action, page) in table {
            let problem = Problem {
                state: State::Failing,
                action,
                hops: vec![hop.to_owned()],
                check: check.to_owned(),
                instances: Vec::new(),
                found: String::new(),
                advice: "",
                since: None,
            };
            assert_eq!(page_of(&problem), page, "{check}");
        }
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let text = command(&["weir", "dead-letters", "list", "--endpoint", "o'neill; rm <x>"]);
        assert_eq!(
            text,
            "<code class=command>weir dead-letters list --endpoint &#39;o&#39;\\&#39;&#39;neill; rm &lt;x&gt;&#39;</code>"
        );
        assert_eq!(quote("acme-pages"), "acme-pages");
    }
}
