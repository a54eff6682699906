//! Compares two descriptor sets: what in the new one would break somebody who knows the old one.

use std::collections::BTreeMap;

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
};

/// Everything that has a name in a descriptor set, by its full name.
#[derive(Default)]
struct Names<'a> {
    messages: BTreeMap<String, &'a DescriptorProto>,
    enums: BTreeMap<String, &'a EnumDescriptorProto>,
    methods: BTreeMap<String, &'a MethodDescriptorProto>,
}

impl<'a> Names<'a> {
    fn of(set: &'a FileDescriptorSet) -> Self {
        let mut names = Self::default();
        for file in &set.file {
            let package = file.package();
            for message in &file.message_type {
                names.message(package, message);
            }
            for one in &file.enum_type {
                names.enums.insert(format!("{package}.{}", one.name()), one);
            }
            for service in &file.service {
                for method in &service.method {
                    names.methods.insert(format!("{package}.{}/{}", service.name(), method.name()), method);
                }
            }
        }
        names
    }

    fn message(&mut self, parent: &str, message: &'a DescriptorProto) {
        let name = format!("{parent}.{}", message.name());
        for nested in &message.nested_type {
            self.message(&name, nested);
        }
        for one in &message.enum_type {
            self.enums.insert(format!("{name}.{}", one.name()), one);
        }
        self.messages.insert(name, message);
    }
}

/// What of `new` breaks a reader or writer of `old`, one line each; empty: nothing.
pub(crate) fn breaking(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<String> {
    let (old, new) = (Names::of(old), Names::of(new));
    let mut found = Vec::new();
    for (name, message) in &old.messages {
        match new.messages.get(name) {
            Some(now) => fields(name, message, now, &mut found),
            None => found.push(format!("{name}: message removed")),
        }
    }
    for (name, one) in &old.enums {
        let Some(now) = new.enums.get(name) else {
            found.push(format!("{name}: enum removed"));
            continue;
        };
        for value in &one.value {
            match now.value.iter().find(|candidate| candidate.number() == value.number()) {
                None => found.push(format!("{name}.{}: enum value removed", value.name())),
                Some(other) if other.name() != value.name() => {
                    found.push(format!("{name}.{}: enum value is now called {}", value.name(), other.name()));
                }
                Some(_) => {}
            }
        }
    }
    for (name, method) in &old.methods {
        let shape = |m: &MethodDescriptorProto| {
            (m.input_type().to_owned(), m.output_type().to_owned(), m.client_streaming(), m.server_streaming())
        };
        match new.methods.get(name) {
            None => found.push(format!("{name}: method removed")),
            Some(now) if shape(now) != shape(method) => found.push(format!("{name}: method has another shape")),
            Some(_) => {}
        }
    }
    found
}

fn fields(name: &str, old: &DescriptorProto, new: &DescriptorProto, found: &mut Vec<String>) {
    for field in &old.field {
        let label = format!("{name}.{} = {}", field.name(), field.number());
        let Some(now) = new.field.iter().find(|candidate| candidate.number() == field.number()) else {
            // Even a tag that is reserved takes the value from those who read it.
            found.push(format!("{label}: field removed"));
            continue;
        };
        if now.name() != field.name() || now.json_name() != field.json_name() {
            found.push(format!("{label}: tag is reused or renamed, now {}", now.name()));
        }
        if (now.r#type(), now.type_name()) != (field.r#type(), field.type_name()) {
            found.push(format!("{label}: type changed"));
        }
        if cardinality(now) != cardinality(field) {
            found.push(format!("{label}: cardinality changed"));
        }
        if oneof(new, now) != oneof(old, field) {
            found.push(format!("{label}: moved into or out of a oneof"));
        }
    }
}

fn cardinality(field: &FieldDescriptorProto) -> (i32, bool) {
    (field.label() as i32, field.proto3_optional())
}

fn oneof<'a>(message: &'a DescriptorProto, field: &FieldDescriptorProto) -> Option<&'a str> {
    let index = usize::try_from(field.oneof_index?).ok()?;
    (!field.proto3_optional()).then(|| message.oneof_decl.get(index).map(|one| one.name()))?
}

/// What stands in `new` and not in `old`: it is not broken by anything, and not guarded either.
pub(crate) fn unreleased(old: &FileDescriptorSet, new: &FileDescriptorSet) -> Vec<String> {
    // What would be lost on the way back is what was added on the way there.
    breaking(new, old).iter().map(|line| line.replace(" removed", " is new")).collect()
}
