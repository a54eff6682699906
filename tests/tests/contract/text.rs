//! The words of a text in Rust: without comments, and without what is for tests alone. What a text in quotes says is one word.

/// A module that is for tests alone, and has a file of its own.
pub(crate) struct ForTests {
    pub(crate) name: String,
    /// The file, where it is named.
    pub(crate) file: Option<String>,
}

/// Words that begin an item, which no comma ends.
const ITEMS: &[&str] =
    &["async", "const", "enum", "extern", "fn", "impl", "macro_rules", "mod", "struct", "trait", "union", "unsafe"];
/// And those that begin what a closing brace does not end either.
const UNTIL_SEMICOLON: &[&str] = &["let", "static", "type", "use"];

/// All words of a text; `::` is one.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let (word, after) = rest.split_at(length(rest, first));
        if !(first.is_whitespace() || word.starts_with("//") || word.starts_with("/*")) {
            words.push(word.strip_prefix("r#").filter(|word| is_name(word)).unwrap_or(word));
        }
        rest = after;
    }
    words
}

/// The words of a file that are not for tests alone.
pub(crate) fn code(text: &str) -> Vec<&str> {
    without_tests(&words(text)).0
}

/// The line of a text that a word of it stands on.
pub(crate) fn line(text: &str, word: &str) -> usize {
    let before = word.as_ptr() as usize - text.as_ptr() as usize;
    text[..before].matches('\n').count() + 1
}

/// What remains without what is for tests alone, and which modules are.
pub(crate) fn without_tests<'a>(words: &[&'a str]) -> (Vec<&'a str>, Vec<ForTests>) {
    let (mut kept, mut modules, mut rest) = (Vec::new(), Vec::new(), words);
    while let Some(first) = rest.first() {
        let (attributes, after) = rest.split_at(attributes(rest));
        if attributes.is_empty() {
            kept.push(*first);
            rest = &rest[1..];
        } else if are_for_tests(attributes) {
            modules.extend(declared(attributes, after));
            rest = &after[item(after)..];
        } else {
            kept.extend(attributes);
            rest = after;
        }
    }
    (kept, modules)
}

pub(crate) fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && word.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// What a text in quotes says.
pub(crate) fn said(word: &str) -> Option<&str> {
    word.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"')).map(|(said, _)| said)
}

/// How many words there are up to the end of the bracket that the first one opens.
pub(crate) fn bracket(words: &[&str]) -> usize {
    let mut depth = 0;
    let ends = words.iter().position(|word| {
        match *word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    ends.map_or(words.len(), |end| end + 1)
}

/// How long the word is that a text begins with.
fn length(text: &str, first: char) -> usize {
    let end = |found: Option<usize>, more: usize| found.map_or(text.len(), |at| at + more);
    if text.starts_with("//") {
        return end(text.find('\n'), 0);
    }
    if text.starts_with("/*") {
        return comment(text);
    }
    // Of bytes, or for C.
    let plain = text.strip_prefix(['b', 'c']).unwrap_or(text);
    let before = text.len() - plain.len();
    if let Some(raw) = plain.strip_prefix('r') {
        let marks = raw.len() - raw.trim_start_matches('#').len();
        if raw[marks..].starts_with('"') {
            let begin = before + 1 + marks + 1;
            let close = format!("\"{}", "#".repeat(marks));
            return end(text[begin..].find(&close), begin + close.len());
        }
    }
    if plain.starts_with('"') {
        return quoted(text, before + 1, '"');
    }
    if plain.starts_with('\'') {
        let mut letters = plain.chars().skip(1);
        let (letter, next) = (letters.next(), letters.next());
        if letter == Some('\\') || next == Some('\'') {
            return quoted(text, before + 1, '\'');
        }
    }
    let of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let run = |from: usize| end(text[from..].find(|letter| !of_name(letter)), from);
    if let Some(name) = text.strip_prefix("r#")
        && name.starts_with(of_name)
    {
        return run(2);
    }
    match first {
        // A lifetime.
        '\'' => run(1),
        _ if of_name(first) => run(0),
        _ if text.starts_with("::") => 2,
        _ => first.len_utf8(),
    }
}

/// How long a comment between strokes and stars is, with those within it.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = match rest {
            _ if rest.starts_with("/*") => 1,
            _ if rest.starts_with("*/") => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// How long something in quotes is that begins before `from`.
fn quoted(text: &str, from: usize, quote: char) -> usize {
    let mut letters = text[from..].char_indices();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            return from + at + quote.len_utf8();
        }
        if letter == '\\' {
            letters.next();
        }
    }
    text.len()
}

/// How many words the attributes take that these begin with.
fn attributes(words: &[&str]) -> usize {
    let mut at = 0;
    while words[at..].starts_with(&["#", "["]) {
        at += 1 + bracket(&words[at + 1..]);
    }
    at
}

fn are_for_tests(attributes: &[&str]) -> bool {
    let mut rest = attributes;
    while let Some(one) = rest.get(1..) {
        let (one, after) = one.split_at(bracket(one));
        let text = one.concat();
        if ["[cfg(test)]", "[test]", "[tokio::test]"].contains(&text.as_str()) || text.starts_with("[cfg(all(test,") {
            return true;
        }
        rest = after;
    }
    false
}

/// The module that is declared, where its file is elsewhere.
fn declared(attributes: &[&str], item: &[&str]) -> Option<ForTests> {
    let ["mod", name, ";", ..] = &item[visibility(item)..] else { return None };
    let file = attributes.windows(3).find(|words| words.starts_with(&["path", "="])).and_then(|words| said(words[2]));
    Some(ForTests { name: (*name).to_owned(), file: file.map(str::to_owned) })
}

fn visibility(words: &[&str]) -> usize {
    match words {
        ["pub", "(", ..] => 1 + bracket(&words[1..]),
        ["pub", ..] => 1,
        _ => 0,
    }
}

/// How many words an item takes, or a field, or a statement.
fn item(words: &[&str]) -> usize {
    let visibility = visibility(words);
    let (first, second) = (words.get(visibility).unwrap_or(&""), words.get(visibility + 1).unwrap_or(&""));
    let of_value = *first == "const" && !ITEMS.contains(second);
    let until_semicolon = of_value || UNTIL_SEMICOLON.contains(first);
    let is_item = until_semicolon || ITEMS.contains(first);
    let (mut depth, mut types) = (0, 0);
    for (at, word) in words.iter().enumerate() {
        match *word {
            "(" | "[" | "{" => depth += 1,
            // The end of what it stands in.
            ")" | "]" | "}" if depth == 0 => return at,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 && *word == "}" && !until_semicolon {
                    return at + 1;
                }
            }
            "<" => types += 1,
            // Not an arrow's.
            ">" if !["-", "="].contains(&words[at.saturating_sub(1)]) => types -= 1,
            ";" if depth == 0 => return at + 1,
            "," if depth == 0 && types <= 0 && !is_item => return at + 1,
            _ => {}
        }
    }
    words.len()
}
