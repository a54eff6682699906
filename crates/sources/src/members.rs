//! Members of a JSON object, as platforms send them: ids as strings or numbers, anything may be null.

use common::json::Object;

use crate::body::text_of;

/// Looks for members of an object.
pub(crate) trait Members {
    /// A member as text.
    fn text(&self, name: &str) -> Option<String>;
    /// The first of several members that is there, as text.
    fn first(&self, names: &[&str]) -> Option<String>;
    /// A member of a member that is an object, as text.
    fn text_in(&self, object: &str, name: &str) -> Option<String>;
    /// A member that is an object.
    fn object(&self, name: &str) -> Option<&Object>;
    /// A member that is a string.
    fn str(&self, name: &str) -> Option<&str>;
}

impl Members for Object {
    fn text(&self, name: &str) -> Option<String> {
        text_of(self.get(name)?)
    }

    fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.text(name))
    }

    fn text_in(&self, object: &str, name: &str) -> Option<String> {
        self.object(object)?.text(name)
    }

    fn object(&self, name: &str) -> Option<&Object> {
        self.get(name)?.as_object()
    }

    fn str(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }
}
