//! Compiles `proto/` to Rust, and writes for every event of a platform how it is read from JSON.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

use addresses::Tables;

#[path = "build/addresses.rs"]
mod addresses;

/// What every typed event has as its first field, and nothing else.
const CONTEXT: &str = ".weir.event.v1.Context";

/// In a message with a context, fields up to this number are Weir's own and not the platform's.
const LAST_OWN_FIELD: i32 = 9;

/// Fields that hold any JSON value as its text: users choose what is in it, or its type, or each field has a form of its own. Full name of the message, field.
const JSON_TEXTS: &[(&str, &str)] = &[
    ("weir.facebook.v1.PageChange", "value"),
    ("weir.facebook.v1.PermissionChange", "value"),
    ("weir.facebook.v1.UserChange", "value"),
    ("weir.github.v1.BranchProtectionRule", "changes"),
    ("weir.github.v1.ChangedFieldValue", "from"),
    ("weir.github.v1.ChangedFieldValue", "to"),
    ("weir.github.v1.CustomPropertyInfo", "default_value"),
    ("weir.github.v1.CustomPropertyValue", "value"),
    ("weir.github.v1.DeploymentInfo", "payload"),
    ("weir.github.v1.RepositoryDispatch", "client_payload"),
    ("weir.github.v1.RepositoryInfo", "custom_properties"),
    ("weir.github.v1.WorkflowDispatch", "inputs"),
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders in the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo:rerun-if-changed={}", root.display());

    let mut files = Vec::new();
    find_protos(&root, &mut files)?;
    files.sort();
    let set = protox::compile(&files, [&root])?;

    // Comments are documentation for the Rust types; the set that is embedded does without them.
    let mut bare = set.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    fs::write(out.join("descriptors.binpb"), bare.encode_to_vec())?;
    let tables = tables(&root, &set)?;
    fs::write(out.join("addresses.rs"), tables.finish())?;
    fs::write(out.join("addresses.json"), tables.json()?)?;
    fs::write(out.join("from_json.rs"), from_json(&set, &tables)?)?;
    fs::write(out.join("reencode.rs"), reencode(&set)?)?;

    let mut prost = prost_build::Config::new();
    prost
        .enable_type_names()
        // Written by hand, without the secret.
        .skip_debug(["weir.registration.v1.PlainSecret"])
        .btree_map(["."])
        // A list of comments may be long, and these are most of what an empty comment takes.
        .boxed(".weir.github.v1.ReviewCommentInfo.user")
        .boxed(".weir.github.v1.ReviewCommentInfo.reactions")
        .bytes([".weir.raw.v1.Delivery.body", ".weir.deadletter.v1.DeadLetter.payload"]);
    prost.include_file("protos.rs");
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds_with_config(set, prost)?;
    Ok(())
}

fn find_protos(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

/// For the golden test: every message by its name, through its Rust type and back.
fn reencode(set: &FileDescriptorSet) -> Result<String, Box<dyn Error>> {
    let mut code = String::from(
        "pub(super) fn reencode(name: &str, bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {\nmatch name {\n",
    );
    for file in set.file.iter().filter(|file| file.package().starts_with("weir.")) {
        let package = file.package();
        for message in &file.message_type {
            let rust = format!("crate::{}::{}", package.trim_start_matches("weir.").replace('.', "::"), message.name());
            writeln!(
                code,
                "\"{package}.{}\" => <{rust} as prost::Message>::decode(bytes).map(|m| prost::Message::encode_to_vec(&m)),",
                message.name()
            )?;
        }
    }
    code.push_str("other => panic!(\"no message {other}\"),\n}\n}\n");
    Ok(code)
}

/// Whether a message is a typed event of a platform.
fn is_event(message: &DescriptorProto) -> bool {
    message.field.iter().any(|field| field.number() == 1 && field.type_name() == CONTEXT)
}

/// The packages that are read from a platform's JSON: those with typed events, and what these import.
fn of_platforms(set: &FileDescriptorSet) -> BTreeSet<&str> {
    let with_events = |file: &&FileDescriptorProto| file.message_type.iter().any(is_event);
    let packages: BTreeSet<&str> = set.file.iter().filter(with_events).map(|file| file.package()).collect();
    let files = set.file.iter().filter(|file| packages.contains(file.package()));
    let imported: BTreeSet<&str> = files.flat_map(|file| &file.dependency).map(String::as_str).collect();
    let imported = set.file.iter().filter(|file| imported.contains(file.name())).map(FileDescriptorProto::package);
    imported.chain(packages.iter().copied()).filter(|package| *package != "weir.event.v1").collect()
}

/// The addresses of each platform that need not be carried.
fn tables(root: &Path, set: &FileDescriptorSet) -> Result<Tables, Box<dyn Error>> {
    let mut tables = Tables::default();
    for package in of_platforms(set) {
        let file = root.join(package.replace('.', "/")).join("addresses.json");
        let messages = || set.file.iter().filter(|file| file.package() == package).flat_map(|file| &file.message_type);
        tables.add(&file, package, |name| {
            let message = messages().find(|message| message.name() == name)?;
            Some(message.field.iter().map(|field| json_key(message, field)).collect())
        })?;
    }
    Ok(tables)
}

fn from_json(set: &FileDescriptorSet, tables: &Tables) -> Result<String, Box<dyn Error>> {
    let platforms = of_platforms(set);
    let mut code = String::new();
    let mut events = String::new();
    for file in &set.file {
        let package = file.package();
        let Some(platform) = package.strip_prefix("weir.").and_then(|rest| rest.strip_suffix(".v1")) else {
            continue;
        };
        if !platforms.contains(package) {
            continue;
        }
        for message in &file.message_type {
            let rust = format!("crate::{platform}::v1::{}", message.name());
            let is_event = is_event(message);
            let full_name = format!("{package}.{}", message.name());
            read_impl(&mut code, &rust, message, &full_name, tables.of(&full_name))?;
            if is_event {
                let topic = format!("events.{platform}.{}", snake_case(message.name()));
                writeln!(
                    code,
                    "impl crate::event::Event for {rust} {{\n\
                     const TOPIC: &'static str = {topic:?};\n\
                     fn context(&self) -> Option<&crate::event::v1::Context> {{ self.context.as_ref() }}\n\
                     fn set_context(&mut self, context: crate::event::v1::Context) {{ self.context = Some(context); }}\n\
                     fn unknown_mut(&mut self) -> &mut std::collections::BTreeMap<String, String> {{ &mut self.unknown }}\n\
                     }}"
                )?;
                writeln!(
                    events,
                    "    crate::event::EventType {{ topic: {topic:?}, proto: \"{package}.{}\" }},",
                    message.name()
                )?;
            }
        }
    }
    writeln!(
        code,
        "/// Fields that hold any JSON value as its text: full name of the message, field.\n\
         pub const JSON_TEXTS: &[(&str, &str)] = &{JSON_TEXTS:?};"
    )?;
    writeln!(
        code,
        "/// Every typed event there is, by platform and name.\npub const EVENT_TYPES: &[crate::event::EventType] = &[\n{events}];"
    )?;
    Ok(code)
}

/// How a message is read. `addresses` names the table of those of its members that need not be carried.
fn read_impl(
    code: &mut String,
    rust: &str,
    message: &DescriptorProto,
    full_name: &str,
    addresses: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    writeln!(
        code,
        "impl crate::json::FromJson for {rust} {{\n\
         #[allow(clippy::too_many_lines, reason = \"generated: one line for each field\")]\n\
         fn read(&mut self, object: crate::json::Object, reader: &mut crate::json::Reader<'_>) {{"
    )?;
    match addresses {
        None => writeln!(code, "for (key, value) in object {{")?,
        Some(table) => writeln!(
            code,
            "let left_out = crate::addresses::{table}.left_out(&object);\n\
             for (position, (key, value)) in object.into_iter().enumerate() {{\n\
             if left_out.has(position) {{ continue; }}"
        )?,
    }
    writeln!(code, "match key.as_str() {{")?;
    let is_event = is_event(message);
    for field in &message.field {
        if is_event && field.number() <= LAST_OWN_FIELD {
            continue;
        }
        let is_text = JSON_TEXTS.contains(&(full_name, field.name()));
        let method = if is_text { Ok("json") } else { reader_method(message, field) };
        let method = method.map_err(|problem| format!("{rust}.{}: {problem}", field.name()))?;
        writeln!(
            code,
            "{:?} => reader.{method}(&key, value, &mut self.{}),",
            json_key(message, field),
            rust_field(field.name())
        )?;
    }
    writeln!(code, "_ => reader.unknown(&key, value),\n}} }} }} }}")?;
    Ok(())
}

fn reader_method(message: &DescriptorProto, field: &FieldDescriptorProto) -> Result<&'static str, String> {
    let repeated = field.label() == Label::Repeated;
    let is_entry = |nested: &DescriptorProto| {
        let is_map = nested.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
        is_map && field.type_name().ends_with(&format!(".{}.{}", message.name(), nested.name()))
    };
    if let Some(entry) = message.nested_type.iter().find(|nested| is_entry(nested)) {
        let of_texts = entry.field.iter().all(|field| field.r#type() == Type::String);
        return if of_texts { Ok("texts") } else { Err("only maps of texts have a reader".into()) };
    }
    if !repeated && field.r#type() != Type::Message && !field.proto3_optional() {
        return Err("a platform's scalar must be `optional`: absent and empty differ".into());
    }
    Ok(match (field.r#type(), repeated) {
        (Type::String, false) => "string",
        (Type::String, true) => "strings",
        (Type::Int64, false) => "int64",
        (Type::Int64, true) => "int64s",
        (Type::Double, false) => "double",
        (Type::Bool, false) => "boolean",
        (Type::Message, false) if field.type_name() == ".google.protobuf.Timestamp" => "timestamp",
        (Type::Message, false) => "message",
        (Type::Message, true) => "messages",
        (other, _) => return Err(format!("no reader for {other:?}, repeated: {repeated}")),
    })
}

/// The JSON key is the field's name, unless the schema names another with `json_name`. It cannot name one that another
/// field of the message has: several runtimes refuse that. So a member of an event that is called as one of Weir's own
/// fields has the event's name before it: `context` of a `Status` is `status_context`.
fn json_key<'a>(message: &DescriptorProto, field: &'a FieldDescriptorProto) -> &'a str {
    let own = |name: &&str| message.field.iter().any(|own| own.number() <= LAST_OWN_FIELD && own.name() == *name);
    let event = format!("{}_", snake_case(message.name()));
    if let Some(taken) = field.name().strip_prefix(&event).filter(own).filter(|_| is_event(message)) {
        return taken;
    }
    if field.json_name() == lower_camel_case(field.name()) { field.name() } else { field.json_name() }
}

fn lower_camel_case(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.extend(c.to_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn rust_field(name: &str) -> String {
    const KEYWORDS: &[&str] =
        &["type", "ref", "use", "move", "match", "where", "final", "override", "virtual", "in", "for", "static"];
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}
