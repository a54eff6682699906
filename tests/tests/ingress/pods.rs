//! The pods of a Deployment, as kubelet and endpoint controller treat them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_yaml_ng::Value;
use tokio::time::sleep;
use weir_tests::process::{Launch, Process};

use crate::proxy::{Backend, Proxy};

const READY: Duration = Duration::from_secs(60);
/// What it takes until a change of endpoints has reached the controller: it is not at once.
const PROPAGATION: Duration = Duration::from_secs(1);

/// When a pod was killed. A process of some size is not gone at once.
#[derive(Debug)]
pub(crate) struct Killed {
    pub(crate) asked: Instant,
    /// Its connections are closed.
    pub(crate) gone: Instant,
}

/// The processes of one service, each in a slot of its Services.
pub(crate) struct Pods {
    launch: Launch,
    proxy: Arc<Proxy>,
    /// The Services, and which listener of the process answers each.
    backends: Vec<(Backend, &'static str)>,
    pods: Vec<Option<Process>>,
    /// `preStop.sleep.seconds` of the manifest.
    pre_stop: Duration,
    grace: Duration,
}

impl Pods {
    /// So many, all ready and routed to.
    pub(crate) async fn start(
        count: usize,
        launch: Launch,
        proxy: &Arc<Proxy>,
        backends: Vec<(Backend, &'static str)>,
        deployment: &Value,
    ) -> Self {
        let pod = &deployment["spec"]["template"]["spec"];
        let seconds = |value: &Value| Duration::from_secs(value.as_u64().unwrap_or_default());
        let mut pods = Self {
            launch,
            proxy: Arc::clone(proxy),
            backends,
            pods: (0..count + 1).map(|_| None).collect(),
            pre_stop: seconds(&pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]),
            grace: seconds(&pod["terminationGracePeriodSeconds"]),
        };
        for slot in 0..count {
            pods.add(slot).await;
        }
        pods
    }

    /// One more: it is routed to when it is ready.
    pub(crate) async fn add(&mut self, slot: usize) {
        let launch = self.launch.clone();
        let start = move || {
            let process = launch.start()?;
            process.ready(READY)?;
            anyhow::Ok(process)
        };
        let process = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
        for (backend, listener) in &self.backends {
            self.proxy.route(backend, slot, process.address(listener)).unwrap();
        }
        self.pods[slot] = Some(process);
    }

    /// A roll-out, one pod after the other: the new one first (`maxSurge: 1`, `maxUnavailable: 0`).
    pub(crate) async fn roll(&mut self) {
        let running: Vec<_> = (0..self.pods.len()).filter(|slot| self.pods[*slot].is_some()).collect();
        for old in running {
            let free = self.pods.iter().position(Option::is_none).expect("a slot is free");
            self.add(free).await;
            let process = self.pods[old].take().unwrap();
            // The pod is told to end and its endpoint is taken away at the same time: who is faster is not known.
            sleep(PROPAGATION).await;
            self.unroute(old);
            sleep(self.pre_stop.saturating_sub(PROPAGATION)).await;
            let grace = self.grace.saturating_sub(self.pre_stop);
            let ended = tokio::task::spawn_blocking(move || process.stop(grace)).await.unwrap().unwrap();
            assert!(ended.success(), "a pod ended with {ended}");
        }
    }

    /// `kill -9` of one; its endpoint goes a moment later.
    pub(crate) async fn kill_one(&mut self) -> Killed {
        let slot = self.pods.iter().position(Option::is_some).expect("one runs");
        let process = self.pods[slot].take().unwrap();
        let asked = Instant::now();
        process.kill().unwrap();
        let killed = Killed { asked, gone: Instant::now() };
        sleep(PROPAGATION).await;
        self.unroute(slot);
        killed
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Process> {
        self.pods.iter().flatten()
    }

    fn unroute(&self, slot: usize) {
        for (backend, _) in &self.backends {
            self.proxy.unroute(backend, slot).unwrap();
        }
    }
}
