//! The layers: TOML texts and the environment, merged by the `config` crate. Every value keeps where it was set.

use std::collections::{BTreeMap, HashMap};

use config::{Config, ConfigError, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::fault::Fault;

/// What every variable begins with.
pub(super) const PREFIX: &str = "WEIR__";
/// The origin of what the program itself sets.
pub(super) const DEFAULTS: &str = "defaults";
/// How the origin of a value that came from a variable begins: such a value is a text, whatever is asked for.
pub(super) const VARIABLE: &str = "environment variable ";

/// One layer, as the `config` crate takes it.
#[derive(Clone, Debug)]
struct Layer(HashMap<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The layers so far, and what was wrong with them.
#[derive(Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    pub(super) faults: Vec<Fault>,
}

impl Layers {
    /// Adds a TOML text. Lines are named where they are of use: not for texts that are part of the program.
    pub(super) fn add_toml(&mut self, origin: &str, name_lines: bool, text: &str) {
        let place = |at: usize| {
            let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
            if name_lines { format!("{origin} line {line}") } else { origin.to_owned() }
        };
        match DeTable::parse(text) {
            Ok(table) => {
                let mut layer = read_table(table.into_inner(), &place, "", &mut self.faults);
                // The merge reads the names of sections as paths, which a quoted name does not mean. What stands in a
                // section it takes as it is.
                layer.retain(|key, value| {
                    let bare = dotted("", key) == *key;
                    if !bare {
                        self.faults.push(Fault {
                            key: dotted("", key),
                            origin: value.origin().map(str::to_owned),
                            problem: "not the name of a section".to_owned(),
                            fix: "use letters, digits, _ and -, without quotes".to_owned(),
                        });
                    }
                    bare
                });
                self.layers.push(Layer(layer));
            }
            // Without the line itself, which may hold a secret.
            Err(error) => self.faults.push(Fault {
                key: String::new(),
                origin: Some(place(error.span().map_or(0, |span| span.start))),
                problem: error.message().to_owned(),
                fix: "write TOML: [section], then key = value with texts in double quotes".to_owned(),
            }),
        }
    }

    /// Adds the variables that begin with `WEIR__`.
    pub(super) fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else { continue };
            let key = name.to_lowercase().replace("__", ".");
            let origin = format!("{VARIABLE}{variable}");
            if let Some((before, _)) = variable.split_once('.') {
                let section = before.rsplit_once("__").map_or(before, |(section, _)| section);
                self.faults.push(Fault {
                    key,
                    origin: Some(origin),
                    problem: "the name of a variable must not have dots".to_owned(),
                    fix: format!("set the section as a whole: {section}='{{ \"name.with.dots\" = \"value\" }}'"),
                });
                continue;
            }
            let well_formed = key
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            if !well_formed {
                self.faults.push(Fault {
                    key,
                    origin: Some(origin),
                    problem: "not the name of a setting".to_owned(),
                    fix: format!("write {PREFIX}SECTION__KEY with two underscores between section and key"),
                });
                continue;
            }
            if let Some(other) = seen.insert(key.clone(), variable.clone()) {
                self.faults.push(Fault {
                    key,
                    origin: Some(origin),
                    problem: format!("{other} sets the same key"),
                    fix: "unset one of them".to_owned(),
                });
                continue;
            }
            let value = Value::new(Some(&origin), ValueKind::String(value));
            self.layers.push(Layer(HashMap::from([(key, value)])));
        }
        for (key, variable) in &seen {
            let inside = format!("{key}.");
            // Between the key and what is inside it only keys that begin with it can stand.
            let below = seen.range(inside.clone()..).next().filter(|(other, _)| other.starts_with(&inside));
            if let Some((_, below)) = below {
                self.faults.push(Fault {
                    key: key.clone(),
                    origin: Some(format!("{VARIABLE}{variable}")),
                    problem: format!("{below} sets a part of the same setting"),
                    fix: "unset one of them".to_owned(),
                });
            }
        }
    }

    /// All layers, later ones over earlier ones; tables are merged, anything else is replaced.
    pub(super) fn merge(&self) -> Result<HashMap<String, Value>, ConfigError> {
        let mut builder = Config::builder();
        for layer in &self.layers {
            builder = builder.add_source(layer.clone());
        }
        builder.build()?.cache.into_table()
    }
}

/// The text of a variable that stands for a table with names of its own: an inline table of TOML, or nothing.
///
/// # Errors
/// What is wrong and what to do, as one text without the value, which may hold a secret.
pub(super) fn read_inline_table(text: &str, origin: &str) -> Result<HashMap<String, Value>, String> {
    let fix = "write a TOML table: { \"name.with.dots\" = \"value\", name = 1 }";
    if text.trim().is_empty() {
        return Ok(HashMap::new());
    }
    let value = DeValue::parse(text.trim()).map_err(|error| format!("not TOML: {}; {fix}", error.message()))?;
    let DeValue::Table(table) = value.into_inner() else { return Err(format!("not a table; {fix}")) };
    let mut faults = Vec::new();
    let table = read_table(table, &|_| origin.to_owned(), "", &mut faults);
    match faults.into_iter().next() {
        Some(fault) => Err(format!("{}: {}; {}", fault.key, fault.problem, fault.fix)),
        None => Ok(table),
    }
}

/// A key after what it stands in, as TOML writes it.
pub(super) fn dotted(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn read_table(
    table: DeTable<'_>,
    place: &dyn Fn(usize) -> String,
    path: &str,
    faults: &mut Vec<Fault>,
) -> HashMap<String, Value> {
    let mut out = HashMap::new();
    for (key, value) in table {
        let origin = place(key.span().start);
        let key = key.into_inner().into_owned();
        let path = dotted(path, &key);
        let kind = read_value(value.into_inner(), &origin, place, &path, faults);
        out.insert(key, Value::new(Some(&origin), kind));
    }
    out
}

fn read_value(
    value: DeValue<'_>,
    origin: &str,
    place: &dyn Fn(usize) -> String,
    path: &str,
    faults: &mut Vec<Fault>,
) -> ValueKind {
    match value {
        DeValue::String(text) => ValueKind::String(text.into_owned()),
        DeValue::Boolean(value) => ValueKind::Boolean(value),
        DeValue::Datetime(time) => ValueKind::String(time.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => ValueKind::I64(number),
            Err(_) => {
                faults.push(out_of_range(path, origin));
                ValueKind::Nil
            }
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => ValueKind::Float(number),
            Err(_) => {
                faults.push(out_of_range(path, origin));
                ValueKind::Nil
            }
        },
        DeValue::Array(values) => ValueKind::Array(
            values
                .into_iter()
                .map(|value| {
                    let origin = place(value.span().start);
                    Value::new(Some(&origin), read_value(value.into_inner(), &origin, place, path, faults))
                })
                .collect(),
        ),
        DeValue::Table(table) => ValueKind::Table(read_table(table, place, path, faults)),
    }
}

fn out_of_range(path: &str, origin: &str) -> Fault {
    Fault {
        key: path.to_owned(),
        origin: Some(origin.to_owned()),
        problem: "the number is out of range".to_owned(),
        fix: "give a smaller one".to_owned(),
    }
}
