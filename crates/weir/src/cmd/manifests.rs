//! `weir manifests`: what follows from the code in manifests and pages.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::{manifests, out};

/// Write the manifests and pages that follow from the code
///
/// Writes Deployments, Services, settings, topics, users, autoscalers, the services of docker-compose.yml, the
/// reference and the schema of the settings, and tables in docs/ and crates/sources. Some are whole files. Others are
/// the lines between two markers in a file that is otherwise written by hand. Hosts, sizes and images stay as they
/// are. Partitions and replicas of topics are those of k8s/base/kustomization.yaml.
///
/// Without an option, weir manifests prints everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir manifests --check                 # in a checkout: exit code 1 if a file is not up to date
  weir manifests --write                 # in a checkout, after something was added
  weir manifests --write build/manifests # elsewhere: each file, and each part of a file, on its own")]
pub struct Manifests {
    /// Write them into the checkout of Weir in this folder, or into a folder that is not a checkout
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".", conflicts_with = "check")]
    write: Option<PathBuf>,
    /// Show how the checkout of Weir in this folder differs, and write nothing
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".")]
    check: Option<PathBuf>,
}

impl Manifests {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match (self.write, self.check) {
            (Some(root), _) if manifests::is_checkout(&root) => {
                let changed = manifests::files(&root)?.into_iter().filter(|file| !file.is_current());
                for file in changed {
                    put(&root, &file.path, &file.wanted)?;
                }
            }
            (Some(folder), _) => {
                for piece in manifests::pieces(&folder)? {
                    put(&folder, &piece.name(), &piece.text)?;
                }
            }
            (None, Some(root)) => {
                anyhow::ensure!(manifests::is_checkout(&root), "{} is not a checkout of Weir", root.display());
                let differing: Vec<_> =
                    manifests::files(&root)?.into_iter().filter(|file| !file.is_current()).collect();
                differing.iter().for_each(|file| out::say(file.diff().trim_end()));
                if !differing.is_empty() {
                    out::complain("weir: these files are not up to date; to update them: weir manifests --write");
                    return Ok(ExitCode::from(service::EXIT_FAILED));
                }
            }
            (None, None) => {
                for piece in manifests::pieces(Path::new("."))? {
                    out::say(&format!("# ---- {}\n{}", piece.name(), piece.text.trim_end()));
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn put(root: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let at = root.join(path);
    if let Some(folder) = at.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    std::fs::write(&at, text).with_context(|| format!("cannot write {}", at.display()))?;
    out::say(path);
    Ok(())
}
