//! The part of the manifests, of compose and of the pages that follows from what the services, the sources and the
//! settings are.
//!
//! A piece is a whole file, or the lines between two markers of a file that is written by hand. Nothing that a person
//! decides is here: hosts, sizes and images are in the overlays, and `k8s/base/kustomization.yaml` says how many partitions
//! there are.

mod model;
mod place;
mod tables;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use self::model::Model;
use crate::settings::{DEFAULTS, Settings, reference, schema};
use crate::strimzi;

/// The Kafka cluster of `k8s/components/strimzi`.
const CLUSTER: &str = "kafka";
const BASE: &str = "k8s/base/kustomization.yaml";
const OVERLAYS: &str = "k8s/overlays";
const VERSION: &str = env!("CARGO_PKG_VERSION");

macro_rules! template {
    ($name:literal) => {
        include_str!(concat!("templates/", $name, ".jinja"))
    };
    ($set:literal, $name:literal) => {
        concat!($set, include_str!(concat!("templates/", $name, ".jinja")))
    };
}

/// File, block, template. Without a block it is the whole file.
const TEMPLATES: &[(&str, &str, &str)] = &[
    ("k8s/base/services/services.yaml", "", template!("services.yaml")),
    ("k8s/base/services/kustomization.yaml", "", template!("settings.yaml")),
    (
        "k8s/base/services/health-check.toml",
        "",
        template!("{% set host = '-headless' %}{% set many = true %}", "targets.toml"),
    ),
    (
        "k8s/overlays/local/health-check.toml",
        "",
        template!("{% set host = '-headless' %}{% set many = false %}", "targets.toml"),
    ),
    ("deploy/compose/health-check.toml", "", template!("{% set host = '' %}{% set many = false %}", "targets.toml")),
    ("k8s/base/ingress-public.yaml", "paths", template!("ingress-public.yaml")),
    ("k8s/base/ingress-operators.yaml", "grpc", template!("ingress-grpc.yaml")),
    ("k8s/base/ingress-operators.yaml", "pages", template!("ingress-pages.yaml")),
    ("k8s/components/gateway-api/routes.yaml", "public", template!("route-public.yaml")),
    ("k8s/components/gateway-api/routes.yaml", "pages", template!("route-pages.yaml")),
    ("k8s/components/gateway-api/routes.yaml", "grpc", template!("route-grpc.yaml")),
    ("k8s/components/controllers/f5-nginx/kustomization.yaml", "grpc", template!("f5-nginx.yaml")),
    ("k8s/components/strimzi/kustomization.yaml", "settings", template!("kafka-settings.yaml")),
    ("k8s/components/strimzi/kustomization.yaml", "secrets", template!("kafka-secrets.yaml")),
    ("k8s/components/strimzi/keda-user.yaml", "", template!("keda-user.yaml")),
    ("k8s/components/postgres/kustomization.yaml", "settings", template!("databases.yaml")),
    ("k8s/components/keda/scaled.yaml", "", template!("scaled.yaml")),
    ("k8s/components/network-policies/dials.yaml", "", template!("dials.yaml")),
    ("docker-compose.yml", "services", template!("compose.yaml")),
    ("deploy/compose/prometheus.yaml", "targets", template!("prometheus.yaml")),
    ("docs/kubernetes.md", "services", template!("docs-services.md")),
    ("docs/topics.md", "topics", template!("docs-topics.md")),
    ("docs/topics.md", "sources", template!("docs-sources.md")),
    ("docs/security.md", "principals", template!("docs-principals.md")),
    ("crates/sources/README.md", "sources", template!("sources-sources.md")),
    ("crates/sources/README.md", "kinds", template!("sources-kinds.md")),
];

/// Something that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where, below the root of the project.
    pub path: String,
    /// The name at the markers; empty: it is the whole file.
    pub block: &'static str,
    /// What.
    pub text: String,
}

impl Piece {
    /// What it is called where it stands alone.
    pub fn name(&self) -> String {
        if self.block.is_empty() { self.path.clone() } else { format!("{}.{}", self.path, self.block) }
    }
}

/// A file of the project, as it is and as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Below the root of the project.
    pub path: String,
    /// What is in it; `None`: it is not there.
    pub now: Option<String>,
    /// What belongs into it.
    pub wanted: String,
}

impl File {
    fn read(root: &Path, path: String) -> anyhow::Result<Self> {
        let now = read(&root.join(&path))?;
        Ok(Self { path, wanted: now.clone().unwrap_or_default(), now })
    }

    /// Whether there is nothing to do.
    pub fn is_current(&self) -> bool {
        self.now.as_ref() == Some(&self.wanted)
    }

    /// How it differs from what belongs into it.
    pub fn diff(&self) -> String {
        place::diff(&self.path, self.now.as_deref().unwrap_or_default(), &self.wanted)
    }
}

/// Whether the sources of Weir are in this folder.
pub fn is_checkout(root: &Path) -> bool {
    root.join(BASE).is_file()
}

/// Everything that is written, for the checkout in this folder; where there is none, with three copies of each partition.
///
/// # Errors
/// A number of partitions or copies that the settings refuse; settings of a form that settings do not have.
pub fn pieces(root: &Path) -> anyhow::Result<Vec<Piece>> {
    let settings = settings(root)?;
    let model = Model::of(&settings);
    let mut jinja = Environment::new();
    jinja.set_trim_blocks(true);
    jinja.set_lstrip_blocks(true);
    jinja.set_keep_trailing_newline(true);
    jinja.set_auto_escape_callback(|_| AutoEscape::None);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut pieces = Vec::new();
    for &(path, block, template) in TEMPLATES {
        let text = jinja.render_named_str(path, template, &model)?;
        pieces.push(Piece { path: path.to_owned(), block, text });
    }
    for (name, text) in [("topics", strimzi::topics(&settings, CLUSTER)), ("users", strimzi::users(&settings, CLUSTER))]
    {
        let path = format!("k8s/components/strimzi/{name}.yaml");
        pieces.push(Piece { path, block: "", text: format!("# Written by `weir manifests --write`.\n{text}") });
    }
    for (path, block, text) in
        [("docs/settings.md", "settings", reference()?), ("docs/settings.schema.json", "", schema()?)]
    {
        pieces.push(Piece { path: path.to_owned(), block, text });
    }
    Ok(pieces)
}

/// The files of the checkout in this folder that have something written in them.
///
/// # Errors
/// A file that cannot be read, or has no markers for its block; what [`pieces`] gives.
pub fn files(root: &Path) -> anyhow::Result<Vec<File>> {
    let mut files: Vec<File> = Vec::new();
    for Piece { path, block, text } in pieces(root)? {
        let at = match files.iter().position(|file| file.path == path) {
            Some(at) => at,
            None => {
                files.push(File::read(root, path)?);
                files.len() - 1
            }
        };
        let file = &mut files[at];
        file.wanted = if block.is_empty() {
            text
        } else {
            place::with_block(&file.wanted, block, &text).with_context(|| {
                let path = &file.path;
                format!(
                    "{path}: the line \"{}{block}\", or the line \"{}\" after it, is missing",
                    place::BEGIN,
                    place::END
                )
            })?
        };
    }
    let programs = model::programs();
    for path in kustomizations(root)? {
        let mut file = File::read(root, path)?;
        if let Some(wanted) = place::with_images(&file.wanted, &programs, VERSION) {
            file.wanted = wanted;
            files.push(file);
        }
    }
    Ok(files)
}

/// Where the overlays may say which images they run.
fn kustomizations(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(OVERLAYS);
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let overlay = entry?.file_name().to_string_lossy().into_owned();
        for file in ["kustomization.yaml", "images/kustomization.yaml"] {
            let path = format!("{OVERLAYS}/{overlay}/{file}");
            if root.join(&path).is_file() {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

/// The defaults, with what the base decides: nothing of the environment of whoever writes.
fn settings(root: &Path) -> anyhow::Result<Settings> {
    let copies = "WEIR__BUS__REPLICATION_FACTOR";
    let mut decided = BTreeMap::from([(copies.to_owned(), "3".to_owned())]);
    let base = read(&root.join(BASE))?.unwrap_or_default();
    let said = base.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once('='));
    for (key, value) in said.filter(|(key, _)| ["WEIR__BUS__PARTITIONS", copies].contains(key)) {
        decided.insert(key.to_owned(), value.to_owned());
    }
    Ok(service::load(DEFAULTS, None, decided)?)
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
#[path = "manifests_tests.rs"]
mod tests;
