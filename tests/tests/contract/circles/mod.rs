//! No two files of a crate need each other, directly or around others: each can then be read, and changed, with what is below
//! it in mind and nothing else. A module and those within it are one matter, and may.
//!
//! The files are read as text. A file is seen to need another by
//! * a path or an import in it, and what an import for others or of everything (`*`) brings, where the name of that occurs;
//!   whoever passes a name on is passed over: the file is needed that declares it
//! * a method that it calls, where the `impl` is in another file than the type: of a type that is named, of its own type by
//!   `self`, and of any other value where nothing else in the crate is named so, nor in a library as far as [`KNOWN`] tells
//!
//! Not seen are methods of a value whose type a file does not name, where type and `impl` are in one file, or the `impl` is of
//! a trait; the fields of such a value; traits by their methods alone; macros that are passed on by their order; and what a
//! macro makes. A module that is written out within a file is read as part of the file. Nothing is needed for tests alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use code::Code;

use crate::text::{without_tests, words};

mod cases;
mod code;

/// Methods that values of libraries have too. No name of up to four letters is looked for anyway.
const KNOWN: &str = "assign clear clone close collect commit connect connect_lazy contains count create delivery entry \
    execute extend fetch filter first flush insert position prepare record records remove replace retain spawn split \
    start status store topic value values write";

/// The code of each module of a crate that has a file, by its path: `kafka::client`, and nothing for `lib.rs`.
struct Modules(BTreeMap<String, Code>);

/// The modules that each of them uses something of, and by which name.
type Steps<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>;

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
        let steps = modules.steps();
        found.extend(circles(&steps).iter().map(|circle| format!("{name}: {}", shown(&steps, circle))));
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
            .map(|file| (file.strip_prefix(source).unwrap().to_owned(), std::fs::read_to_string(file).unwrap()));
        Self::of_texts(texts)
    }

    fn of_texts(texts: impl IntoIterator<Item = (PathBuf, String)>) -> Self {
        let (mut modules, mut for_tests) = (BTreeMap::new(), Vec::new());
        for (file, text) in texts {
            let (module, (words, tests)) = (module_of(&file), without_tests(&words(&text)));
            for test in tests {
                let beside = |name: &String| module_of(&file.with_file_name(name));
                for_tests.push(test.file.as_ref().map_or_else(|| within(&module, &test.name), beside));
            }
            modules.insert(module, Code::of(&words));
        }
        modules.retain(|module, _| !for_tests.iter().any(|test| is_within(module, test)));
        Self(modules)
    }

    fn steps(&self) -> Steps<'_> {
        let methods = Methods::of(self);
        let mut steps = Steps::new();
        for (module, code) in &self.0 {
            let by_path = code.paths.iter().filter_map(|path| Some((self.find(module, path)?.0, path)));
            let of_type = code.paths.iter().filter_map(|path| Some((methods.of_type(module, path)?, path)));
            let of_value = code.calls.iter().filter_map(|name| Some((methods.of_value(name)?, name)));
            let used = by_path.chain(of_type).chain(of_value);
            let used = used.filter(|(used, _)| !(is_within(module, used) || is_within(used, module)));
            steps.insert(module.as_str(), used.map(|(used, name)| (used, name.as_str())).collect());
        }
        steps
    }

    /// The module whose file has what a path means in a module, and its path there; none where it is of another crate.
    fn find(&self, module: &str, path: &str) -> Option<(&str, String)> {
        self.follow(module, path, &mut BTreeSet::new())
    }

    /// `passed` are those that passed it on, and the names by which they did.
    fn follow(&self, module: &str, path: &str, passed: &mut BTreeSet<(String, String)>) -> Option<(&str, String)> {
        let parts: Vec<_> = path.split("::").collect();
        let anchors = parts.iter().take_while(|part| ["crate", "self", "super"].contains(*part)).count();
        let mut at = self.0.get_key_value(module)?.0.as_str();
        for anchor in &parts[..anchors] {
            at = match *anchor {
                "crate" => "",
                "super" => at.rsplit_once("::").map_or("", |(parent, _)| parent),
                _ => at,
            };
        }
        for (n, part) in parts.iter().enumerate().skip(anchors) {
            if let Some(child) = self.child(at, part) {
                at = child;
                continue;
            }
            let rest = parts[n..].join("::");
            let Some((at, code)) = self.0.get_key_value(at) else { break };
            if code.items.contains(*part) {
                return Some((at, rest));
            }
            let is_new = passed.insert((at.clone(), (*part).to_owned()));
            let mut found = None;
            if let Some(import) = code.imports.get(*part).filter(|_| is_new) {
                found = self.follow(at, &[&[import.as_str()], &parts[n + 1..]].concat().join("::"), passed);
            } else if is_new {
                found = code.globs.iter().find_map(|glob| {
                    let (from, inner) = self.follow(at, glob, &mut passed.clone())?;
                    // Not what an enum stands for.
                    inner.is_empty().then(|| self.follow(from, &rest, passed)).flatten()
                });
            }
            // With nothing before it, the name may be of another crate, or of the language.
            return found.or_else(|| (n > 0).then_some((at.as_str(), rest)));
        }
        let (at, _) = self.0.get_key_value(at)?;
        Some((at, String::new()))
    }

    fn child(&self, module: &str, name: &str) -> Option<&str> {
        self.0.get_key_value(&within(module, name)).map(|(child, _)| child.as_str())
    }
}

/// The methods of a crate whose `impl` is in another file than their type.
struct Methods<'a> {
    modules: &'a Modules,
    /// The modules of their files, by the module and the name of the type and their own.
    of_types: BTreeMap<(&'a str, String, &'a str), &'a str>,
    /// Those whose name no other method of the crate has.
    only: BTreeMap<&'a str, &'a str>,
}

impl<'a> Methods<'a> {
    fn of(modules: &'a Modules) -> Self {
        let (mut of_types, mut only, mut count) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (module, code) in &modules.0 {
            for method in &code.methods {
                let name = method.name.as_str();
                *count.entry(name).or_insert(0) += 1;
                let of = method.of.as_ref().and_then(|path| modules.find(module, path));
                if let Some((with_type, of)) = of.filter(|(with_type, _)| with_type != module) {
                    of_types.insert((with_type, of, name), module.as_str());
                    only.insert(name, module.as_str());
                }
            }
        }
        only.retain(|name, _| count[name] == 1 && name.len() > 4 && !KNOWN.split(' ').any(|known| known == *name));
        Self { modules, of_types, only }
    }

    /// Of a method by the path of its type.
    fn of_type(&self, module: &str, path: &str) -> Option<&'a str> {
        let (of, name) = path.rsplit_once("::")?;
        let (with_type, of) = self.modules.find(module, of)?;
        self.of_types.get(&(with_type, of, name)).copied()
    }

    fn of_value(&self, name: &str) -> Option<&'a str> {
        self.only.get(name).copied()
    }
}

/// For each step from a file to another the shortest way back, so that every step that has one is seen.
fn circles<'a>(steps: &Steps<'a>) -> BTreeSet<Vec<&'a str>> {
    let mut circles = BTreeSet::new();
    for (from, all) in steps {
        for to in all.keys() {
            let Some(mut circle) = shortest(steps, to, from) else { continue };
            // The same circle, wherever it was entered.
            let first = circle.iter().min().and_then(|least| circle.iter().position(|one| one == least));
            circle.rotate_left(first.unwrap_or_default());
            circle.push(circle[0]);
            circles.insert(circle);
        }
    }
    circles
}

/// A circle, with a name for each step.
fn shown(steps: &Steps, circle: &[&str]) -> String {
    let steps = circle.windows(2).map(|step| format!(" -> {} ({})", step[1], steps[step[0]][step[1]]));
    format!("{}{}", circle[0], steps.collect::<String>())
}

/// The shortest way from one module to another.
fn shortest<'a>(steps: &Steps<'a>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in steps.get(last)?.keys().filter(|next| seen.insert(**next)) {
            ways.push_back(way.iter().copied().chain([*next]).collect());
        }
    }
    None
}

fn within(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn is_within(inner: &str, outer: &str) -> bool {
    outer.is_empty() || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The module that a file of `src` is.
fn module_of(file: &Path) -> String {
    let path = file.with_extension("");
    let mut parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.pop_if(|last| last == "mod" || last == "lib");
    parts.join("::")
}

/// The files of a folder; the `main` of a program is a crate of its own.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("main.rs") {
            files.push(path);
        }
    }
}
