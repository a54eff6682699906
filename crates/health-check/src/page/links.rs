//! Where to read more: the page of a check in the documentation, and the command that shows more.

use common::health::v1::Action;

use super::escape;
use crate::problems::Problem;
use crate::runbooks;
use crate::stage::PROBES;

const DOCS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/");

/// Within the documentation: the page about a problem.
fn page_of(problem: &Problem) -> String {
    let stage = problem.hops.iter().find(|hop| *hop == PROBES).map_or("", String::as_str);
    runbooks::of(stage, &problem.check, problem.action == Action::Page)
        .map_or_else(|| "operations.md#what-to-do-when".to_owned(), |name| format!("runbooks/{name}.md"))
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
    use common::health::v1::{FailureKind, State};

    use super::*;

    #[test]
    fn a_check_leads_to_its_page() {
        let table = [
            ("processing", "processing_log", Action::Page, "runbooks/WeirLogUnavailable.md"),
            ("processing", "registrations_published", Action::Page, "runbooks/WeirRegistrationsDiffer.md"),
            ("streaming", "streaming_registrations", Action::Page, "runbooks/WeirRegistrationsUnread.md"),
            ("enricher", "enricher_step_shop", Action::Page, "runbooks/WeirRequiredStepUnavailable.md"),
            ("enricher", "enricher_step_shop", Action::Ticket, "operations.md#what-to-do-when"),
            ("enricher", "enricher_step_log", Action::Page, "runbooks/WeirRequiredStepUnavailable.md"),
            ("loader", "something_new", Action::Page, "runbooks/WeirCheckFailing.md"),
            ("loader", "loader_topic_settings", Action::Page, "runbooks/WeirTopicsWrong.md"),
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
                failure: FailureKind::Unspecified,
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
