//! Where a database is, as a setting says it.

use std::path::PathBuf;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A URL without a password.
    Postgres(String),
}

impl Location {
    /// From the text of a setting.
    ///
    /// # Errors
    /// What is wrong with it, without the text itself: a password may stand in it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            return match path {
                "" => Err("names no file"),
                path if path.contains(":memory:") || path.contains('?') => Err("must be a plain file"),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        let Some(rest) = text.strip_prefix("postgres://").or(text.strip_prefix("postgresql://")) else {
            return Err("begins with neither sqlite:// nor postgres://");
        };
        let user = rest.split(['/', '?']).next().unwrap_or("").rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || rest.contains("password=") {
            return Err("contains a password, which lists of processes and settings would show");
        }
        Ok(Self::Postgres(text.to_owned()))
    }

    /// What to write instead of what [`parse`](Self::parse) refuses, in a section of the settings that has `password_file`
    /// too.
    pub fn hint(section: &str) -> String {
        format!("use sqlite://path, or postgres://user@host:port/name with the password in {section}.password_file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_it_is_or_what_is_wrong() {
        let sqlite = |path: &str| Ok(Location::Sqlite(path.into()));
        let postgres = |url: &str| Ok(Location::Postgres(url.to_owned()));
        for (text, expected) in [
            ("sqlite://./weir-data/registrations.db", sqlite("./weir-data/registrations.db")),
            ("sqlite:///var/lib/weir.db", sqlite("/var/lib/weir.db")),
            ("sqlite://", Err("names no file")),
            ("sqlite://:memory:", Err("must be a plain file")),
            ("sqlite://a.db?mode=ro", Err("must be a plain file")),
            ("postgres://weir@db:5432/weir", postgres("postgres://weir@db:5432/weir")),
            ("postgresql://weir@db/weir?sslmode=require", postgres("postgresql://weir@db/weir?sslmode=require")),
            ("postgres://weir:x@db/weir", Err("contains a password, which lists of processes and settings would show")),
            (
                "postgres://weir@db/weir?password=x",
                Err("contains a password, which lists of processes and settings would show"),
            ),
            ("mysql://db", Err("begins with neither sqlite:// nor postgres://")),
            ("", Err("begins with neither sqlite:// nor postgres://")),
        ] {
            assert_eq!(Location::parse(text), expected, "{text}");
        }
    }
}
