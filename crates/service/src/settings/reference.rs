//! The settings as a page and as a JSON Schema. What a setting means is the comment above it in the default texts, its
//! default is the value there, and its range is that of its field: nothing of it is said a second time.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::mem;

use common::kinds::{NotWalked, ranges_of};
use common::units::{Bounds, MAX, Unit};
use serde::Serialize;
use serde_json::json;
use toml::Value;

/// `[name]` of the default texts.
struct Section {
    name: String,
    about: Vec<String>,
    settings: Vec<Setting>,
}

struct Setting {
    name: String,
    about: Vec<String>,
    /// As it stands in the text; of a setting that nothing sets an example.
    value: String,
    is_set: bool,
    /// In a later text.
    later: Option<String>,
    range: Option<Bounds>,
}

impl Setting {
    fn parsed(&self) -> Option<Value> {
        toml::from_str::<toml::Table>(&format!("value = {}", self.value)).ok()?.remove("value")
    }

    /// Whether it is a list of sections, which the comment shows.
    fn has_sections(&self) -> bool {
        self.about.iter().any(|line| line.starts_with("[["))
    }

    /// What it may be, for people.
    fn takes(&self) -> String {
        let of = match (self.range.map(|range| range.unit), self.parsed()) {
            (Some(Unit::Count), _) => "whole number",
            (Some(Unit::Milliseconds | Unit::Seconds | Unit::Days), _) => "time",
            (Some(Unit::Bytes), _) => "size",
            (Some(Unit::Thousandths), _) | (None, Some(Value::Integer(_) | Value::Float(_))) => "number",
            (None, Some(Value::Boolean(_))) => "true or false",
            (None, Some(Value::Array(_))) if self.has_sections() => "list of sections",
            (None, Some(Value::Array(_))) => "list",
            (None, _) => "text",
        };
        self.range.map_or_else(|| of.to_owned(), |range| format!("{of}, {range}"))
    }

    fn schema(&self) -> serde_json::Value {
        let value = self.parsed();
        let mut schema = match (self.range.map(|range| range.unit), &value) {
            (Some(Unit::Count), _) | (None, Some(Value::Integer(_))) => json!({"type": "integer"}),
            (Some(Unit::Thousandths), _) | (None, Some(Value::Float(_))) => json!({"type": "number"}),
            (Some(Unit::Bytes), _) => {
                json!({"type": ["integer", "string"], "pattern": "^ *[0-9.]+ *([kKmMgGtTpP]?[iI]?[bB]?) *$"})
            }
            (Some(_), _) => json!({"type": ["integer", "string"], "pattern": "^( *[0-9.]+ *[a-zA-Z]*)+ *$"}),
            (None, Some(Value::Boolean(_))) => json!({"type": "boolean"}),
            (None, Some(Value::Array(_))) if self.has_sections() => {
                json!({"type": "array", "items": {"type": "object"}})
            }
            // Names and addresses may be one text with commas.
            (None, Some(Value::Array(_))) => json!({"type": ["array", "string"]}),
            (None, _) => json!({"type": "string"}),
        };
        if let Some(Bounds { unit, least, most }) = self.range {
            let end = |end: u64| if unit == Unit::Thousandths { json!(end as f64 / 1000.0) } else { json!(end) };
            schema["minimum"] = end(least);
            if most < MAX {
                schema["maximum"] = end(most);
            }
        }
        let name = if self.is_set { "default" } else { "example" };
        schema[name] = json!(value);
        let later = self.later.as_ref().map(|later| format!(" In `weir up` the default is {later}."));
        schema["description"] = json!(described(&self.about, &later.unwrap_or_default()));
        schema
    }
}

/// The JSON Schema of `settings`, whose defaults are `texts`.
///
/// # Errors
/// The settings have a form that settings do not have.
pub fn schema<S: Serialize>(texts: &[&str], settings: &S) -> Result<serde_json::Value, NotWalked> {
    let sections = sections(texts, settings)?;
    let mut root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The settings of Weir",
        "type": "object",
        "additionalProperties": false,
        "properties": {},
    });
    for Section { name, about, settings } in &sections {
        let mut node = &mut root;
        for part in name.split('.') {
            node = &mut node["properties"][part];
            if node.is_null() {
                *node = json!({"type": "object", "additionalProperties": false});
            }
        }
        if !about.is_empty() {
            node["description"] = json!(described(about, ""));
        }
        if settings.is_empty() {
            // A section without settings takes names of others.
            node["additionalProperties"] = json!({"type": "string"});
        }
        for setting in settings {
            node["properties"][&setting.name] = setting.schema();
        }
    }
    Ok(root)
}

/// The reference of `settings` as Markdown: a section and a table for each section.
///
/// # Errors
/// The settings have a form that settings do not have.
pub fn page<S: Serialize>(texts: &[&str], settings: &S) -> Result<String, NotWalked> {
    let mut page = String::new();
    for Section { name, about, settings } in sections(texts, settings)? {
        let (prose, example) = split(&about);
        let mut examples = vec![(String::new(), example)];
        // Writing to a text never fails.
        let _ = write!(page, "\n## `[{name}]`\n");
        if !prose.is_empty() {
            let _ = write!(page, "\n{}\n", escaped(&prose));
        }
        if !settings.is_empty() {
            page.push_str("\n| Setting | Takes | Default | Meaning |\n|---|---|---|---|\n");
        }
        for setting in settings {
            let (prose, example) = split(&setting.about);
            let default = if setting.is_set { format!("`{}`", setting.value) } else { "not set".to_owned() };
            let later = setting.later.as_ref().map_or_else(String::new, |later| format!("; `weir up`: `{later}`"));
            let takes = setting.takes();
            let _ = writeln!(page, "| `{}` | {takes} | {default}{later} | {} |", setting.name, escaped(&prose));
            examples.push((format!("`{}`:\n\n", setting.name), example));
        }
        for (of, example) in examples.into_iter().filter(|(_, example)| !example.is_empty()) {
            let _ = write!(page, "\n{of}```text\n{example}\n```\n");
        }
    }
    Ok(page)
}

/// A comment as one text, with a sentence behind its prose.
fn described(about: &[String], more: &str) -> String {
    let (prose, example) = split(about);
    format!("{prose}{more}\n\n{example}").trim().to_owned()
}

fn escaped(prose: &str) -> String {
    prose.replace('|', "\\|").replace('<', "\\<")
}

/// A comment as prose, which may be wrapped anywhere, and the example or the list after it, which keeps its lines.
fn split(about: &[String]) -> (String, String) {
    let is_shown = |line: &String| line.is_empty() || line.starts_with("[[") || line.starts_with("  ");
    let at = about.iter().position(is_shown).unwrap_or(about.len());
    let (prose, shown) = about.split_at(at);
    (prose.join(" "), shown.join("\n").trim_matches('\n').to_owned())
}

fn sections<S: Serialize>(texts: &[&str], settings: &S) -> Result<Vec<Section>, NotWalked> {
    let ranges: HashMap<String, Bounds> =
        ranges_of(settings)?.into_iter().filter_map(|(key, range)| Some((key, range?))).collect();
    let mut sections = Vec::new();
    for text in texts {
        read(text, &mut sections);
    }
    for section in &mut sections {
        for setting in &mut section.settings {
            setting.range = ranges.get(&format!("{}.{}", section.name, setting.name)).copied();
        }
    }
    Ok(sections)
}

/// Reads a default text line by line: a parser of TOML has no comments.
fn read(text: &str, sections: &mut Vec<Section>) {
    let (mut about, mut is_used, mut at) = (Vec::<String>::new(), false, None);
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            if mem::take(&mut is_used) {
                about.clear();
            }
            let comment = comment.strip_prefix(' ').unwrap_or(comment);
            match (at, optional(comment, &about)) {
                (Some(at), Some((name, value))) => {
                    add(&mut sections[at], name, mem::take(&mut about), value, false);
                }
                _ => about.push(comment.to_owned()),
            }
        } else if line.is_empty() || line.starts_with("[[") {
            about.clear();
            // The keys of an entry of a list of sections are not settings.
            at = if line.is_empty() { at } else { None };
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let about = mem::take(&mut about);
            let found = sections.iter().position(|section| section.name == name);
            at = Some(found.unwrap_or(sections.len()));
            if found.is_none() {
                sections.push(Section { name: name.to_owned(), about, settings: Vec::new() });
            }
        } else if let (Some(at), Some((name, value))) = (at, line.split_once(" = ")) {
            // Several settings may stand below one comment.
            add(&mut sections[at], name, about.clone(), value, true);
            is_used = true;
        }
    }
}

/// `# name = value` below a comment is a setting that nothing sets, if it is not in an example of a section.
fn optional<'a>(comment: &'a str, about: &[String]) -> Option<(&'a str, &'a str)> {
    let (name, value) = comment.split_once(" = ")?;
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_shown = about.is_empty() || about.iter().any(|line| line.starts_with("[["));
    (is_name && !is_shown).then_some((name, value))
}

fn add(section: &mut Section, name: &str, about: Vec<String>, value: &str, is_set: bool) {
    match section.settings.iter_mut().find(|setting| setting.name == name) {
        Some(setting) => setting.later = Some(value.to_owned()),
        None => section.settings.push(Setting {
            name: name.to_owned(),
            about,
            value: value.to_owned(),
            is_set,
            later: None,
            range: None,
        }),
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
