//! Manifests as the API server would get them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_yaml_ng::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) const OVERLAYS: [&str; 4] = ["local", "review", "staging", "production"];

/// The documents of an overlay.
pub(crate) fn overlay(name: &'static str) -> Vec<Value> {
    static RENDERED: Mutex<BTreeMap<&str, Vec<Value>>> = Mutex::new(BTreeMap::new());
    let mut rendered = RENDERED.lock().unwrap_or_else(PoisonError::into_inner);
    rendered.entry(name).or_insert_with(|| kustomize(&root().join("k8s/overlays").join(name))).clone()
}

/// The documents of the base with these components.
pub(crate) fn with(components: &[&str]) -> Vec<Value> {
    let k8s = root().join("k8s").canonicalize().unwrap();
    // Kustomize takes no absolute paths, and looks only below the root of a repository for other folders.
    let folder =
        tempfile::Builder::new().prefix("kustomize-").tempdir_in(k8s.parent().unwrap().join("target")).unwrap();
    let mut text = String::from("namespace: weir\nresources: [../../k8s/base]\nimages:\n");
    for service in services() {
        text.push_str(&format!("  - {{name: weir-{service}, newTag: 0.0.0}}\n"));
    }
    text.push_str("  - {name: weir, newTag: 0.0.0}\ncomponents:\n");
    components.iter().for_each(|component| text.push_str(&format!("  - ../../k8s/components/{component}\n")));
    std::fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    kustomize(folder.path())
}

/// Every service, by name.
pub(crate) fn services() -> Vec<&'static str> {
    weir::catalogue::descriptions().map(|description| description.name).collect()
}

fn kustomize(folder: &Path) -> Vec<Value> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        .output()
        .expect("the manifests are rendered by kubectl: `make deps` says how to get it");
    assert!(output.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    documents(&String::from_utf8(output.stdout).unwrap())
}

pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    serde_yaml_ng::Deserializer::from_str(yaml).map(|document| Value::deserialize(document).unwrap()).collect()
}
