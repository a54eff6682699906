//! Health-check beside the services of a system, as one more of its processes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::certificates::{self, Shown};
use crate::system::System;

const NAME: &str = "health-check-0";
const STAGES: [&str; 4] = ["streaming", "processing", "enricher", "loader"];

impl System {
    /// Starts it and waits until nothing is broken. `settings`: further ones. `shown`: what a service shows that is asked by TLS.
    pub(crate) async fn add_health_check(
        &mut self,
        settings: &str,
        shown: Option<&Shown>,
        within: Duration,
    ) -> anyhow::Result<()> {
        let mut file = String::new();
        for stage in STAGES {
            let mut addresses = Vec::new();
            for name in self.names().into_iter().filter(|name| name.starts_with(stage)) {
                let scheme = if shown.is_some() && name == certificates::OF { "https" } else { "http" };
                addresses
                    .push(format!("{scheme}://{}", self.on(&name, |process| Ok(process.grpc().to_owned())).await?));
            }
            let expected = addresses.len();
            let _ = writeln!(
                file,
                "[[health_check.services]]\nname = \"{stage}\"\naddresses = {addresses:?}\nexpected = {expected}"
            );
        }
        if let Some(shown) = shown {
            let _ = writeln!(file, "[grpc.client]\nca_file = \"{}\"", shown.root().display());
        }
        file.push_str(settings);
        let path = self.folder().join("health-check.toml");
        std::fs::write(&path, file)?;
        self.add(NAME, |launch| launch.arg("--config").arg(path.display().to_string()))?;
        self.is_well(within).await
    }

    /// Waits until health-check says that nothing is broken, and nothing is not known.
    pub(crate) async fn is_well(&self, within: Duration) -> anyhow::Result<()> {
        let (began, mut last) = (Instant::now(), String::new());
        while began.elapsed() < within {
            // It may be starting.
            if let Ok((_, text)) = self.on(NAME, |process| process.get("/status.json")).await {
                let status: serde_json::Value = serde_json::from_str(&text)?;
                if ["ok", "warning"].contains(&status["state"].as_str().unwrap_or_default()) {
                    return Ok(());
                }
                last = status["problems"].to_string();
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("it is not well after {within:?}: {last}")
    }
}
