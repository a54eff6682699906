//! What somebody has to do, which is more than how bad a state is: what may wait for working hours is no reason to call the
//! pipeline broken, and what is not known is no reason to call it well. Pure.

use common::health::v1::{Action, State};

/// What a problem asks for, and the pipeline as a whole. Later ones are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Nothing.
    Fine,
    /// Nothing: for the record.
    Note,
    /// A look, when there is time.
    Look,
    /// Something, in working hours.
    Ticket,
    /// It may be well or not.
    NotKnown,
    /// Something, now.
    Page,
}

impl Urgency {
    /// Of a check in this state whose failure asks for this.
    #[must_use]
    pub fn of(state: State, action: Action) -> Self {
        let is_for_the_record = matches!(action, Action::Log | Action::Unspecified);
        match (state, action) {
            (State::Ok, _) => Self::Fine,
            _ if is_for_the_record => Self::Note,
            (State::Failing, Action::Page) => Self::Page,
            (State::Failing, _) => Self::Ticket,
            (State::Warning, _) => Self::Look,
            (State::Unknown | State::Unspecified, _) => Self::NotKnown,
        }
    }

    /// What a stage or the pipeline is called whose worst problem this is: the exit code and the colour follow it.
    #[must_use]
    pub fn state(self) -> State {
        match self {
            Self::Fine | Self::Note => State::Ok,
            Self::Look | Self::Ticket => State::Warning,
            Self::NotKnown => State::Unknown,
            Self::Page => State::Failing,
        }
    }

    /// What it asks for; none: nothing is known to be wrong.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Self::Fine | Self::NotKnown => Action::Unspecified,
            Self::Note | Self::Look => Action::Log,
            Self::Ticket => Action::Ticket,
            Self::Page => Action::Page,
        }
    }

    /// When to do it, for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Page => "now",
            Self::Ticket => "in working hours",
            Self::Look => "have a look",
            Self::NotKnown => "not known",
            Self::Note | Self::Fine => "for the record",
        }
    }
}

/// What is not known may be worse than a warning.
pub(crate) fn rank(state: State) -> u8 {
    match state {
        State::Ok => 0,
        State::Warning => 1,
        State::Unknown | State::Unspecified => 2,
        State::Failing => 3,
    }
}

/// What it comes to, in a few words. `count`: so many problems are as urgent as that.
pub(crate) fn headline(worst: Urgency, count: usize) -> String {
    let things = if count == 1 { "one thing".to_owned() } else { format!("{count} things") };
    let text = match worst {
        Urgency::Page => format!("Something is broken: {things} to do now"),
        Urgency::NotKnown if count == 1 => "One thing is not known".to_owned(),
        Urgency::NotKnown => format!("{count} things are not known"),
        Urgency::Ticket => format!("{things} for working hours"),
        Urgency::Look => format!("It works, with {things} to look at"),
        Urgency::Note | Urgency::Fine => "All is well".to_owned(),
    };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What a value is that has these limits: warning, failing. 0: none.
pub(crate) fn beyond(value: f64, [warning, failing]: [f64; 2]) -> Option<State> {
    let over = |limit: f64| limit > 0.0 && value >= limit;
    if over(failing) { Some(State::Failing) } else { over(warning).then_some(State::Warning) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::exit_code;

    #[test]
    fn states_and_actions_and_what_they_ask_for() {
        let table = [
            (State::Ok, Action::Page, Urgency::Fine, 0, "All is well"),
            (State::Ok, Action::Ticket, Urgency::Fine, 0, "All is well"),
            (State::Ok, Action::Log, Urgency::Fine, 0, "All is well"),
            (State::Warning, Action::Page, Urgency::Look, 1, "It works, with one thing to look at"),
            (State::Warning, Action::Ticket, Urgency::Look, 1, "It works, with one thing to look at"),
            (State::Warning, Action::Log, Urgency::Note, 0, "All is well"),
            (State::Unknown, Action::Page, Urgency::NotKnown, 3, "One thing is not known"),
            (State::Unknown, Action::Ticket, Urgency::NotKnown, 3, "One thing is not known"),
            (State::Unknown, Action::Log, Urgency::Note, 0, "All is well"),
            (State::Failing, Action::Page, Urgency::Page, 2, "Something is broken: one thing to do now"),
            (State::Failing, Action::Ticket, Urgency::Ticket, 1, "One thing for working hours"),
            (State::Failing, Action::Log, Urgency::Note, 0, "All is well"),
        ];
        for (state, action, urgency, code, says) in table {
            assert_eq!(Urgency::of(state, action), urgency, "{state:?} {action:?}");
            assert_eq!(exit_code(urgency.state()), code, "{state:?} {action:?}");
            assert_eq!(headline(urgency, 1), says, "{state:?} {action:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_hidden_by_what_may_wait() {
        let mut sorted =
            [Urgency::Page, Urgency::NotKnown, Urgency::Ticket, Urgency::Look, Urgency::Note, Urgency::Fine];
        sorted.reverse();
        assert!(sorted.is_sorted());
    }
}
