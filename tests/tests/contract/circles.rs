//! No two files of a crate need each other, directly or around others: each can then be read, and changed, with what is below
//! it in mind and nothing else. A module and its parent are one matter, and may.
//!
//! The files are read as text. What that takes for granted is how `cargo fmt` writes them: one `use` a line, and the end of a
//! module at the indent of its beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// The code of each module of a crate that has a file, by its path: `kafka::client`, and nothing for `lib.rs`.
struct Modules(BTreeMap<String, Code>);

/// What a file needs, and what it passes on.
struct Code {
    /// What it imports, and all else in it that may be the path of something.
    paths: Vec<String>,
    /// The paths of what it imports for others, by the names that these have here.
    passed_on: BTreeMap<String, String>,
}

#[test]
fn no_files_need_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut crates: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    crates.sort();
    let (mut found, mut files) = (Vec::new(), 0);
    for folder in crates {
        let modules = Modules::of_crate(&folder.join("src"));
        files += modules.0.len();
        let name = folder.file_name().unwrap().to_string_lossy();
        found.extend(modules.circles().into_iter().map(|circle| format!("{name}: {circle}")));
    }
    assert!(files > 100, "{files}");
    assert!(
        found.is_empty(),
        "files that need each other: move what both need into the one that is used, or into a file of its own\n{}",
        found.join("\n")
    );
}

impl Modules {
    fn of_crate(source: &Path) -> Self {
        let mut files = Vec::new();
        collect(source, &mut files);
        let texts = files
            .iter()
            .map(|file| (module_of(file.strip_prefix(source).unwrap()), std::fs::read_to_string(file).unwrap()));
        Self::of_texts(texts)
    }

    fn of_texts(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(texts.into_iter().map(|(module, text)| (module, Code::of(&text))).collect())
    }

    /// For each step from a file to another the shortest way back, so that every step that has one is seen.
    fn circles(&self) -> BTreeSet<String> {
        let steps = self.steps();
        let mut circles = BTreeSet::new();
        for (from, all) in &steps {
            for to in all {
                let Some(mut circle) = shortest(&steps, to, from) else { continue };
                // The same circle, wherever it was entered.
                let first = circle.iter().min().and_then(|least| circle.iter().position(|one| one == least));
                circle.rotate_left(first.unwrap_or_default());
                circle.push(circle[0]);
                circles.insert(circle.join(" -> "));
            }
        }
        circles
    }

    /// Which modules each of them uses something of.
    fn steps(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut steps: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (module, code) in &self.0 {
            let used = code.paths.iter().filter_map(|path| self.owner(module, path, &mut BTreeSet::new()));
            steps.insert(module.as_str(), used.filter(|used| !are_kin(module, used)).collect());
        }
        steps
    }

    /// The module whose file has what a path means in a module; none where it is of another crate. `passed` are those that
    /// passed it on, and the names by which they did.
    fn owner<'a>(
        &'a self,
        module: &'a str,
        path: &'a str,
        passed: &mut BTreeSet<(&'a str, &'a str)>,
    ) -> Option<&'a str> {
        let mut parts = path.split("::").peekable();
        let mut at = match *parts.peek()? {
            "crate" => "",
            "self" | "super" => module,
            first => self.child(module, first).map(|_| module)?,
        };
        while let Some(step) = parts.next_if(|part| ["crate", "self", "super"].contains(part)) {
            if step == "super" {
                at = at.rsplit_once("::").map_or("", |(parent, _)| parent);
            }
        }
        for part in parts {
            if let Some(child) = self.child(at, part) {
                at = child;
                continue;
            }
            let Some((name, path)) = self.0.get(at).and_then(|code| code.passed_on.get_key_value(part)) else { break };
            let from_elsewhere = passed.insert((at, name)).then(|| self.owner(at, path, passed)).flatten();
            return Some(from_elsewhere.unwrap_or(at));
        }
        self.0.contains_key(at).then_some(at)
    }

    fn child(&self, module: &str, name: &str) -> Option<&str> {
        let path = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        self.0.get_key_value(&path).map(|(child, _)| child.as_str())
    }
}

impl Code {
    fn of(text: &str) -> Self {
        let (mut paths, mut passed_on) = (Vec::new(), BTreeMap::new());
        let code = code_of(text);
        let mut lines = code.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if !is_import(line) {
                // Written out where it is used. Other words turn out to be no module's.
                let words = line.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
                let words = words.map(|word| word.trim_matches(':')).filter(|word| word.contains("::"));
                paths.extend(words.map(str::to_owned));
                continue;
            }
            let mut import = line.to_owned();
            while !import.ends_with(';') {
                let Some(more) = lines.next() else { break };
                import.push_str(more);
            }
            let (visible, tree) = import.split_once("use ").unwrap_or_default();
            let mut imported = Vec::new();
            expand("", tree.trim_end_matches(';'), &mut imported);
            if visible.is_empty() {
                paths.extend(imported.into_iter().map(|(_, path)| path));
            } else {
                passed_on.extend(imported);
            }
        }
        Self { paths, passed_on }
    }
}

fn is_import(line: &str) -> bool {
    let after_visible = line.strip_prefix("pub").map_or(line, |rest| match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
        None => rest,
    });
    after_visible.trim_start().starts_with("use ")
}

/// The paths in a `use` tree, each with the name that it gets.
fn expand(before: &str, tree: &str, found: &mut Vec<(String, String)>) {
    for part in split(tree) {
        if let Some((path, inner)) = part.split_once('{') {
            let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
            expand(&format!("{before}{path}"), inner, found);
            continue;
        }
        let (path, name) = part.split_once(" as ").map_or((part, None), |(path, name)| (path, Some(name)));
        let path = format!("{before}{path}");
        let path = path.strip_suffix("::self").unwrap_or(&path);
        let name = name.or(path.rsplit("::").next()).unwrap_or_default();
        found.push((name.to_owned(), path.to_owned()));
    }
}

/// The parts between commas that stand in no braces.
fn split(tree: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let parts = tree.split(move |letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// A text without comments, and without the modules that are for tests alone.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().map(without_comment).peekable();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let begins = lines.peek().is_some_and(|next| next.trim().starts_with("mod ") && next.trim().ends_with('{'));
        if line.trim() == "#[cfg(test)]" && begins {
            let end = format!("{indent}}}");
            lines.by_ref().find(|line| *line == end);
            continue;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

/// Two strokes begin a comment, but not those of an address in a text.
fn without_comment(line: &str) -> &str {
    let begins = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
    line[..begins.unwrap_or(line.len())].trim_end()
}

/// The shortest way from one module to another.
fn shortest<'a>(steps: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in steps.get(last)?.iter().filter(|next| seen.insert(**next)) {
            ways.push_back(way.iter().copied().chain([*next]).collect());
        }
    }
    None
}

/// Whether one is the other, or is within it.
fn are_kin(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    within(one, other) || within(other, one)
}

/// The module that a file of `src` is.
fn module_of(file: &Path) -> String {
    let path = file.with_extension("");
    let mut parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.pop_if(|last| last == "mod" || last == "lib");
    parts.join("::")
}

/// The files of a folder that are neither tests nor the `main` of a program.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") && name != "tests.rs" && name != "main.rs" {
            files.push(path);
        }
    }
}

/// The circles of invented files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let texts = files.iter().map(|(file, text)| (module_of(Path::new(file)), (*text).to_owned()));
    Modules::of_texts(texts).circles().into_iter().collect()
}

#[test]
fn two_and_three_that_need_each_other_are_found() {
    let two = [
        ("lib.rs", "mod ant;\nmod bee;\nuse ant::Ant;\n"),
        ("ant.rs", "use crate::bee::{self, Bee as Other};\n"),
        ("bee.rs", "fn bee() -> Option<super::ant::Ant> {\n"),
    ];
    assert_eq!(circles_of(&two), ["ant -> bee -> ant"]);
    let three = [
        ("zoo/mod.rs", "mod ant;\nmod bee;\nmod cat;\n"),
        (
            "zoo/ant.rs",
            "use std::fmt;\n\npub(crate) use super::dog;\nuse super::{\n    bee::{Bee, HIVE},\n    Zoo,\n};\n",
        ),
        ("zoo/bee.rs", "fn bee(cat: &'static crate::zoo::cat::Cat) {}\n"),
        ("zoo/cat.rs", "use self::super::ant;\nuse super::bee::{Bee};\n"),
    ];
    assert_eq!(
        circles_of(&three),
        ["zoo::ant -> zoo::bee -> zoo::cat -> zoo::ant", "zoo::bee -> zoo::cat -> zoo::bee"]
    );
}

#[test]
fn parents_and_children_may_need_each_other() {
    let files = [
        ("lib.rs", "mod ant;\npub use ant::Ant;\nuse bee::Bee;\n"),
        ("ant.rs", "mod leg;\nuse crate::Bee;\nfn leg() -> leg::Leg {}\n"),
        ("ant/leg.rs", "use super::Ant;\nuse crate::ant::Ant;\nuse super::super::Ant;\n"),
        ("antler.rs", "use crate::ant::Ant;\n"),
    ];
    assert_eq!(circles_of(&files), [""; 0]);
}

#[test]
fn what_is_passed_on_is_of_whoever_has_it() {
    let files = [
        ("lib.rs", "mod ant;\nmod bee;\npub use bee::{Bee, hive::Hive as Home};\n"),
        ("ant.rs", "pub(super) use cell::Cell;\n\nuse crate::Home;\n"),
        ("ant/cell.rs", "pub struct Cell;\n"),
        ("bee.rs", "pub(crate) mod hive;\n"),
        ("bee/hive.rs", "fn hive(of: crate::ant::Cell) -> crate::ant::Ant {}\n"),
    ];
    // By its other name, and not with what is only passed on beside it.
    assert_eq!(circles_of(&files), ["ant -> bee::hive -> ant"]);
    // Nobody has what two pass on to each other.
    let endless = [("ant.rs", "pub use crate::bee::X;\nuse crate::bee::X;\n"), ("bee.rs", "pub use crate::ant::X;\n")];
    assert_eq!(circles_of(&endless), [""; 0]);
}

#[test]
fn comments_and_tests_need_nothing() {
    let files = [
        ("ant.rs", "use crate::bee::Bee;\n"),
        (
            "bee.rs",
            "//! See crate::ant::Ant.\nconst AT: &str = \"http://ant\"; // not crate::ant::Ant\n\n\
             #[cfg(test)]\nmod tests {\n    use crate::ant::Ant;\n\n    fn ant() {\n    }\n}\n",
        ),
    ];
    assert_eq!(circles_of(&files), [""; 0]);
    let after_a_text = [files[0], ("bee.rs", "fn bee() { go(\"http://ant\", crate::ant::go) }\n")];
    assert_eq!(circles_of(&after_a_text), ["ant -> bee -> ant"]);
}
