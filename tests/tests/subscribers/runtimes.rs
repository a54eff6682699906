//! Programs in other languages that decode records with the descriptor set: `tests/subscribers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use weir_tests::environment::{find_java, find_program, workspace};
use weir_tests::scratch::Scratch;
use weir_tests::{child, python};

use crate::records::Encoded;

/// A language with its usual library.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runtime {
    /// `protobuf` of PyPI: upb, which Ruby and PHP have too.
    Python,
    /// `google.golang.org/protobuf`.
    Go,
    /// `com.google.protobuf:protobuf-java`.
    Java,
    /// `@bufbuild/protobuf`, of TypeScript and JavaScript.
    JavaScript,
}

/// The descriptor set that subscribers have.
pub(crate) fn released() -> PathBuf {
    workspace().join("proto/released.binpb")
}

impl Runtime {
    pub(crate) const ALL: [Self; 4] = [Self::Python, Self::Go, Self::Java, Self::JavaScript];

    /// What it reads of the records with this descriptor set: its own JSON of each.
    pub(crate) fn decode(self, schemas: &Path, encoded: &[Encoded]) -> anyhow::Result<Vec<Value>> {
        let folder = Scratch::new("decode")?;
        let records = folder.path().join("records");
        std::fs::write(&records, encoded.iter().map(Encoded::line).collect::<String>())?;
        let mut command = self.command()?;
        let output = command.arg(schemas).arg(&records).stdin(Stdio::null()).output().context("start it")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        let lines = String::from_utf8(output.stdout)?;
        lines.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    fn command(self) -> anyhow::Result<Command> {
        let sources = workspace().join("tests/subscribers");
        let installed = |language: &str| {
            let folder = workspace().join("target/subscribers").join(language);
            ensure!(folder.exists(), "{} is not there: make it with scripts/install.sh test", folder.display());
            anyhow::Ok(folder)
        };
        let found = |name: &str| find_program(name, &[]).with_context(|| format!("{name} is not on PATH"));
        let mut command = match self {
            Self::Python => child::command(python::interpreter()?),
            Self::Go => {
                let folder = installed("go")?;
                build(&found("go")?, &sources.join("go"), &folder)?;
                return Ok(child::command(folder.join("decode")));
            }
            Self::Java => {
                let mut command = child::command(find_java()?);
                command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx256m", "-cp"]);
                command.arg(installed("java")?.join("*"));
                command
            }
            Self::JavaScript => {
                let mut command = child::command(found("node")?);
                command.env("NODE_PATH", installed("javascript")?.join("node_modules"));
                command
            }
        };
        command.arg(sources.join(match self {
            Self::Python => "python/decode.py",
            Self::Java => "java/Decode.java",
            Self::Go | Self::JavaScript => "javascript/decode.cjs",
        }));
        Ok(command)
    }
}

/// Builds what has changed since it was installed, of what was downloaded then.
fn build(go: &Path, sources: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut command = child::command(go);
    command
        .args(["build", "-mod=readonly", "-modcacherw", "-buildvcs=false", "-o"])
        .arg(folder.join("decode"))
        .arg(".");
    command.env("GOMODCACHE", folder.join("mod")).env("GOCACHE", folder.join("cache"));
    command.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("GOFLAGS", "");
    let output = command.current_dir(sources).stdin(Stdio::null()).output().context("start go")?;
    ensure!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
