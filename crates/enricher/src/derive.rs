//! What can be told from the words of an activity: language, links, hashtags, mentions. Pure, and linear in the text.

use std::collections::HashSet;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// A text with fewer letters has no language that could be told.
const MIN_LETTERS: usize = 20;
/// So much of a text tells its language as well as all of it.
const LANGUAGE_BYTES: usize = 4096;
/// More of one kind than anybody writes by hand.
const MOST: usize = 100;
/// In bytes; longer ones are left out.
const LONGEST_LINK: usize = 2048;
const LONGEST_NAME: usize = 256;

/// What was found in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// ISO 639-3, or empty. Only where it was asked for.
    pub language: String,
    /// Without #, in lowercase.
    pub hashtags: Vec<String>,
    /// Without @.
    pub mentions: Vec<String>,
    /// As written.
    pub links: Vec<String>,
}

/// Looks at a text; `known` are links that came beside it, which come first. To tell the language takes several times as long
/// as all else.
pub fn derive(text: &str, known: &[String], with_language: bool) -> Derived {
    let mut links = Unique::default();
    for link in known.iter().filter(|link| !link.is_empty()) {
        links.add(link, link.clone());
    }
    let (mut hashtags, mut mentions) = (Unique::default(), Unique::default());
    // What stands between links, names and tags, and says which language it is.
    let mut words = String::new();
    let mut before = None;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let begins = !before.is_some_and(is_word);
        let token = match c {
            'h' | 'H' if begins => link(rest).map(|end| (Kind::Link, end)),
            '#' | '＃' if begins && before != Some('&') => tag(rest, c).map(|end| (Kind::Hashtag, end)),
            '@' | '＠' if begins && before != Some('/') => handle(rest, c).map(|end| (Kind::Mention, end)),
            _ => None,
        };
        let Some((kind, end)) = token else {
            if with_language && words.len() < LANGUAGE_BYTES {
                words.push(c);
            }
            before = Some(c);
            at += c.len_utf8();
            continue;
        };
        let found = &rest[..end];
        let name = &found[c.len_utf8()..];
        match kind {
            Kind::Link if end <= LONGEST_LINK => links.add(found, found.to_owned()),
            Kind::Hashtag if end <= LONGEST_NAME => {
                let tag = name.to_lowercase();
                hashtags.add(&tag, tag.clone());
            }
            Kind::Mention if end <= LONGEST_NAME => mentions.add(&name.to_lowercase(), name.to_owned()),
            _ => {}
        }
        before = found.chars().next_back();
        at += end;
    }
    Derived { language: language(&words), hashtags: hashtags.list, mentions: mentions.list, links: links.list }
}

enum Kind {
    Link,
    Hashtag,
    Mention,
}

/// Each once, in the order of the first.
#[derive(Default)]
struct Unique {
    seen: HashSet<String>,
    list: Vec<String>,
}

impl Unique {
    fn add(&mut self, key: &str, value: String) {
        if self.list.len() < MOST && !self.seen.contains(key) {
            self.seen.insert(key.to_owned());
            self.list.push(value);
        }
    }
}

/// Letters and digits of every script, the marks that belong to them, the joiners between them, and the underscore.
fn is_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '\u{200c}' | '\u{200d}')
        || (!c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Mark)
}

/// The end of the link that the text begins with.
fn link(text: &str) -> Option<usize> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| {
        text.as_bytes().get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme.as_bytes()))
    })?;
    // Looked at first: what has no host must not be looked through to its end.
    if !text[scheme.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '[') {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '{' | '}' | '|');
    let mut end = text.find(ends).unwrap_or(text.len());
    // How many brackets are open: one that closes none does not belong to the link.
    let mut open = 0i64;
    for c in text[..end].chars() {
        open += i64::from(c == '(') - i64::from(c == ')');
    }
    while let Some(last) = text[scheme.len()..end].chars().next_back() {
        let trails = matches!(
            last,
            '.' | ',' | ';' | ':' | '!' | '?' | '\'' | ']' | '…' | '。' | '，' | '、' | '！' | '？' | '」'
        ) || (last == ')' && open < 0);
        if !trails {
            break;
        }
        open += i64::from(last == ')');
        end -= last.len_utf8();
    }
    Some(end)
}

/// The end of the hashtag that the text begins with: it has a letter in it.
fn tag(text: &str, mark: char) -> Option<usize> {
    let name = &text[mark.len_utf8()..];
    let length = name.find(|c| !is_word(c)).unwrap_or(name.len());
    let name = &name[..length];
    name.chars().any(char::is_alphabetic).then_some(mark.len_utf8() + length)
}

/// The end of the handle that the text begins with. A dot or a dash may stand within it.
fn handle(text: &str, mark: char) -> Option<usize> {
    let name = &text[mark.len_utf8()..];
    let length = name.find(|c| !is_word(c) && !matches!(c, '.' | '-')).unwrap_or(name.len());
    let name = name[..length].trim_end_matches(['.', '-']);
    name.starts_with(is_word).then_some(mark.len_utf8() + name.len())
}

/// ISO 639-3, where the text is long enough and the answer can be relied on.
fn language(words: &str) -> String {
    if words.chars().filter(|c| c.is_alphabetic()).take(MIN_LETTERS).count() < MIN_LETTERS {
        return String::new();
    }
    match whatlang::detect(words) {
        Some(found) if found.is_reliable() => found.lang().code().to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "derive_tests.rs"]
mod tests;
