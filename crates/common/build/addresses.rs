//! Turns `addresses.json` of a platform into the tables of `common::addresses`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// As `common::addresses` has it.
const MOST: usize = 16;

/// The tables of all messages, as code, and the name of each message's, by the message's full name.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    code: String,
    names: BTreeMap<String, String>,
    /// Package, message, member, template.
    all: Map<String, Value>,
}

impl Tables {
    /// The name of a message's table.
    pub(crate) fn of(&self, message: &str) -> Option<&str> {
        self.names.get(message).map(String::as_str)
    }

    /// Adds those of a package. `fields` gives the members that a message has fields for; `None`: there is no such message.
    pub(crate) fn add<'a>(
        &mut self,
        file: &Path,
        package: &str,
        fields: impl Fn(&str) -> Option<Vec<&'a str>>,
    ) -> Result<(), Box<dyn Error>> {
        if !file.exists() {
            return Ok(());
        }
        let text = fs::read_to_string(file)?;
        let tables: BTreeMap<String, Map<String, Value>> =
            serde_json::from_str(&text).map_err(|problem| format!("{}: {problem}", file.display()))?;
        self.all.insert(package.to_owned(), serde_json::from_str(&text)?);
        for (message, templates) in &tables {
            let problem = |problem: String| format!("{}: {message}: {problem}", file.display());
            let fields = fields(message).ok_or_else(|| problem("there is no such message".to_owned()))?;
            let name = format!("{package}.{message}").replace('.', "_").to_uppercase();
            let table = table(&name, templates, &fields).map_err(problem)?;
            self.code.push_str(&table);
            self.names.insert(format!("{package}.{message}"), name);
        }
        Ok(())
    }

    /// All templates, for people and programs.
    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(&self.all).map(|text| text + "\n")
    }

    /// The code with the list of all.
    pub(crate) fn finish(&self) -> String {
        let mut code = self.code.clone();
        code.push_str("static TABLES: &[(&str, &Addresses)] = &[\n");
        for (message, name) in &self.names {
            code.push_str(&format!("    ({message:?}, &{name}),\n"));
        }
        code.push_str("];\n");
        code
    }
}

fn table(name: &str, templates: &Map<String, Value>, fields: &[&str]) -> Result<String, String> {
    let mut members = Vec::new();
    let mut code = String::new();
    for (name, template) in templates {
        let template = of_value(template, &mut members)?;
        let carried = fields.contains(&name.as_str());
        code.push_str(&format!("        Named {{ name: {name:?}, template: {template}, carried: {carried} }},\n"));
        ends(name, templates, &mut Vec::new())?;
    }
    if members.len() > MOST {
        return Err(format!("its templates name {} members; there is room for {MOST}", members.len()));
    }
    let members = members.iter().try_fold(String::new(), |mut code, member| {
        writeln!(code, "        {},", of_member(member)?).map_err(|error| error.to_string())?;
        Ok::<_, String>(code)
    })?;
    Ok(format!(
        "pub(crate) static {name}: Addresses = Addresses {{\n    members: &[\n{members}    ],\n    templates: &[\n{code}    ],\n}};\n"
    ))
}

fn of_value<'a>(template: &'a Value, members: &mut Vec<&'a str>) -> Result<String, String> {
    match template {
        Value::String(text) => {
            let mut code = String::from("Template::Text(&[");
            for part in parts(text)? {
                match part {
                    Part::Text(text) => code.push_str(&format!("Part::Text({text:?}), ")),
                    Part::Member(member) => {
                        let at = members.iter().position(|known| *known == member).unwrap_or_else(|| {
                            members.push(member);
                            members.len() - 1
                        });
                        code.push_str(&format!("Part::Member({at}), "));
                    }
                }
            }
            Ok(code + "])")
        }
        Value::Object(object) => {
            let mut code = String::from("Template::Object(&[");
            for (name, template) in object {
                code.push_str(&format!("({name:?}, {}), ", of_value(template, members)?));
            }
            Ok(code + "])")
        }
        other => Err(format!("{other} is no template: write a text, or an object of texts")),
    }
}

enum Part<'a> {
    Text(&'a str),
    Member(&'a str),
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('<') {
        let (member, after) = after.split_once('>').ok_or_else(|| format!("{template:?}: a < without its >"))?;
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts.push(Part::Member(member));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// The path of what stands between < and >, and what is taken away from it.
fn path_and_cut(member: &str) -> (&str, &str) {
    member.split_at(member.find(['%', '#']).unwrap_or(member.len()))
}

fn of_member(member: &str) -> Result<String, String> {
    let (path, cut) = path_and_cut(member);
    let cut = match (cut.strip_prefix('#'), cut.strip_prefix('%')) {
        (Some(start), _) => format!("Cut::Start({start:?})"),
        (None, Some(end)) => match end.strip_suffix('*') {
            Some(word) => format!("Cut::From({word:?})"),
            None => format!("Cut::End({end:?})"),
        },
        (None, None) => "Cut::Nothing".to_owned(),
    };
    if path.is_empty() {
        return Err(format!("<{member}> names no member"));
    }
    Ok(format!("Member {{ path: {path:?}, cut: {cut} }}"))
}

/// Refuses templates that need themselves.
fn ends<'a>(name: &'a str, templates: &'a Map<String, Value>, way: &mut Vec<&'a str>) -> Result<(), String> {
    if way.contains(&name) {
        return Err(format!("{} needs itself", way.join(", which needs ")));
    }
    way.push(name);
    let mut texts = Vec::new();
    texts_of(templates.get(name), &mut texts);
    for text in texts {
        for part in parts(text)? {
            if let Part::Member(member) = part {
                ends(path_and_cut(member).0, templates, way)?;
            }
        }
    }
    way.pop();
    Ok(())
}

fn texts_of<'a>(template: Option<&'a Value>, texts: &mut Vec<&'a str>) {
    match template {
        Some(Value::String(text)) => texts.push(text),
        Some(Value::Object(object)) => object.values().for_each(|value| texts_of(Some(value), texts)),
        _ => {}
    }
}
