//! The layers: TOML texts and the environment, merged by the `config` crate. Every value keeps where it was set.

use std::collections::{BTreeMap, HashMap};

use config::{Config, ConfigError, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::Fault;

/// What every variable begins with.
pub(super) const PREFIX: &str = "WEIR__";
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
                let layer = read_table(table.into_inner(), &place, "", &mut self.faults);
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
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // The merge reads a dot as a path, which a quoted key does not mean.
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            faults.push(Fault {
                key: path,
                origin: Some(origin),
                problem: "not a name of a setting".to_owned(),
                fix: "use letters, digits, _ and -, without quotes".to_owned(),
            });
            continue;
        }
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
