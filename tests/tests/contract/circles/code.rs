//! What a file says of its needs: its imports, the paths and names in it, what it declares, and which methods it calls.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::{bracket, is_name, said};

/// What is known of a file.
#[derive(Default)]
pub(super) struct Code {
    /// What it imports for itself alone, and all else in it that may be the path of something, or its name. The methods that
    /// it calls of its own type stand here by the type's name.
    pub(super) paths: BTreeSet<String>,
    /// The paths of what it imports, for others too, by the names that these have here.
    pub(super) imports: BTreeMap<String, String>,
    /// The paths of which it imports everything.
    pub(super) globs: BTreeSet<String>,
    /// The names of what it declares.
    pub(super) items: BTreeSet<String>,
    pub(super) methods: Vec<Method>,
    /// The methods that it calls of a value.
    pub(super) calls: BTreeSet<String>,
}

/// A function within an `impl` or a trait.
pub(super) struct Method {
    pub(super) name: String,
    /// The path of its type, where the `impl` is of no trait.
    pub(super) of: Option<String>,
}

/// Words that stand before the name of an item.
const DECLARE: &[&str] = &["const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union"];

impl Code {
    pub(super) fn of(words: &[&str]) -> Self {
        let mut code = Self::default();
        // How many braces are open, the block of methods that is, and where an attribute ends.
        let (mut depth, mut block, mut attribute) = (0_i32, None::<Block>, 0);
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let before = at.checked_sub(1).map_or("", |before| words[before]);
            let rest = &words[at..];
            let mut step = 1;
            match *word {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    block.take_if(|_| depth == 0);
                }
                "[" if before == "#" => attribute = at + bracket(rest),
                "use" if rest.get(1) != Some(&"<") => {
                    step = code.import(rest, ["pub", ")"].contains(&before), depth == 0)
                }
                "impl" | "trait" if depth == 0 && begins_item(before) => block = Some(Block::of(rest)),
                "fn" if depth == 1 => code.methods.extend(block.as_ref().and_then(|block| block.method(rest))),
                _ if is_name(word) => {
                    step = code.name(before, at.checked_sub(2).map(|at| words[at]), rest, block.as_ref())
                }
                _ if at < attribute => {
                    code.paths.extend(said(word).filter(|said| said.contains("::")).map(str::to_owned))
                }
                _ => {}
            }
            if depth == 0 && DECLARE.contains(word) {
                let name = rest[1..].iter().find(|word| **word != "mut");
                code.items.extend(name.filter(|name| !DECLARE.contains(name)).map(|name| (*name).to_owned()));
            }
            if depth == 0 && rest.starts_with(&["macro_rules", "!"]) {
                code.items.extend(rest.get(2).map(|name| (*name).to_owned()));
            }
            at += step;
        }
        code
    }

    /// One that is within a function has its names there alone.
    fn import(&mut self, words: &[&str], visible: bool, of_module: bool) -> usize {
        let length = words.iter().position(|word| *word == ";").unwrap_or(words.len() - 1);
        let mut imported = Vec::new();
        expand(&[], &words[1..length], &mut imported);
        for (name, path) in imported {
            if !visible {
                self.paths.insert(path.clone());
            }
            match name {
                _ if !of_module => {}
                Some(name) => {
                    self.imports.insert(name, path);
                }
                None => {
                    self.globs.insert(path);
                }
            }
        }
        length + 1
    }

    /// A name, and the path that begins with it. Answers how many words that has.
    fn name(&mut self, before: &str, earlier: Option<&str>, words: &[&str], block: Option<&Block>) -> usize {
        let own = block.and_then(|block| block.of.as_deref());
        if before == "." {
            let is_call = words.get(1) == Some(&"(") || words[1..].starts_with(&["::", "<"]);
            let own = own.filter(|_| earlier == Some("self"));
            self.paths.extend(own.filter(|_| is_call).map(|own| format!("{own}::{}", words[0])));
            self.calls.extend(Some(words[0].to_owned()).filter(|_| is_call && own.is_none()));
            return 1;
        }
        let more =
            words[1..].chunks(2).take_while(|two| two[0] == "::" && two.get(1).is_some_and(|word| is_name(word)));
        let length = 1 + 2 * more.count();
        // Of another crate, or of what stands in brackets.
        if before != "::" {
            let path = words[..length].concat();
            let of_own = own.zip(path.strip_prefix("Self::")).map(|(own, rest)| format!("{own}::{rest}"));
            self.paths.insert(of_own.unwrap_or(path));
        }
        length
    }
}

/// An `impl` or a trait.
struct Block {
    /// The path of the type.
    of: Option<String>,
    is_of_trait: bool,
}

impl Block {
    fn of(words: &[&str]) -> Self {
        let head = &words[..words.iter().position(|word| *word == "{").unwrap_or(words.len())];
        if words[0] == "trait" {
            return Self { of: None, is_of_trait: true };
        }
        let after_for = (1..head.len()).find(|at| head[*at] == "for" && head.get(at + 1) != Some(&"<"));
        let begin = after_for.map_or_else(|| 1 + generics(&head[1..]), |at| at + 1);
        let path =
            head[begin..].iter().skip_while(|word| !is_name(word)).take_while(|word| is_name(word) || **word == "::");
        let path: String = path.copied().collect();
        Self { of: Some(path).filter(|path| !path.is_empty()), is_of_trait: after_for.is_some() }
    }

    fn method(&self, words: &[&str]) -> Option<Method> {
        let of = self.of.clone().filter(|_| !self.is_of_trait);
        words.get(1).map(|name| Method { name: (*name).to_owned(), of })
    }
}

/// How many words the parameters take that these begin with.
fn generics(words: &[&str]) -> usize {
    let mut depth = 0;
    let end = words.iter().enumerate().position(|(at, word)| {
        match *word {
            "<" => depth += 1,
            ">" if words[at.saturating_sub(1)] != "-" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    if words.first() == Some(&"<") { end.map_or(0, |end| end + 1) } else { 0 }
}

fn begins_item(before: &str) -> bool {
    ["", ";", "}", "]", "unsafe", "pub", ")"].contains(&before)
}

/// The paths in a `use` tree, each with the name that it gets; none: everything there is.
fn expand(before: &[&str], tree: &[&str], found: &mut Vec<(Option<String>, String)>) {
    for part in split(tree) {
        if let Some(at) = part.iter().position(|word| *word == "{") {
            let inner = &part[at + 1..at + bracket(&part[at..]) - 1];
            expand(&[before, &part[..at]].concat(), inner, found);
            continue;
        }
        let (path, name) = match part {
            [path @ .., "as", name] => (path, Some(*name)),
            path => (path, None),
        };
        let path = [before, path].concat();
        let path = path.strip_suffix(&["::", "self"]).unwrap_or(&path);
        match path {
            // Of another crate.
            ["::", ..] => {}
            [path @ .., "::", "*"] => found.push((None, path.concat())),
            _ => found.push((name.or(path.last().copied()).map(str::to_owned), path.concat())),
        }
    }
}

/// The parts between commas that stand in no braces.
fn split<'a, 'b>(tree: &'a [&'b str]) -> impl Iterator<Item = &'a [&'b str]> {
    let mut depth = 0;
    let parts = tree.split(move |word| {
        match *word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        *word == "," && depth == 0
    });
    parts.filter(|part| !part.is_empty())
}
