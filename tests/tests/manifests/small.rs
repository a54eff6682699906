//! Whether the local overlay fits on a small node, also while everything is rolled out and every job runs.

use serde_yaml_ng::Value;

use crate::check::{list, name, template, text, workloads};
use crate::render;

/// What is left for Weir of a node of two processors and 4 GiB: half of the processors are for what a cluster needs itself.
const MOST: Asked = Asked { cpu: 1000, memory: 2560 };

/// Requests: thousandths of a processor, and MiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Asked {
    cpu: u64,
    memory: u64,
}

/// The number before the unit, and by how much it counts.
fn quantity(text: &str, units: &[(&str, u64)]) -> u64 {
    let found = units.iter().find_map(|(unit, times)| Some(text.strip_suffix(unit)?.parse::<u64>().ok()? * times));
    found.unwrap_or_else(|| panic!("{text:?} is no request that this test understands"))
}

/// Everything at its most: of a Deployment one pod more than there are, unless the old one goes first; of a job one.
fn most(documents: &[Value]) -> Asked {
    let mut all = Asked::default();
    for workload in workloads(documents) {
        let spec = &workload["spec"];
        let surge = workload["kind"] == "Deployment" && spec["strategy"]["type"] != "Recreate";
        let pods = spec["replicas"].as_u64().unwrap_or(1) + u64::from(surge);
        for container in list(&template(workload)["spec"]["containers"]) {
            let asked = |what: &str| text(&container["resources"]["requests"][what]);
            all.cpu += pods * quantity(&asked("cpu"), &[("m", 1), ("", 1000)]);
            all.memory += pods * quantity(&asked("memory"), &[("Mi", 1), ("Gi", 1024)]);
        }
    }
    all
}

fn fits(documents: &[Value]) -> bool {
    let Asked { cpu, memory } = most(documents);
    cpu <= MOST.cpu && memory <= MOST.memory
}

#[test]
fn the_local_overlay_can_be_rolled_out_on_a_node_of_two_processors() {
    let documents = render::overlay("local");
    assert!(fits(&documents), "{:?}, and a small node has {MOST:?} left", most(&documents));
    // What it asked for once: a roll-out of processing never ended.
    let mut broken = documents.clone();
    let processing = broken.iter_mut().find(|one| one["kind"] == "Deployment" && name(one) == "processing").unwrap();
    processing["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "500m".into();
    assert!(!fits(&broken), "{:?}", most(&broken));
}

#[test]
fn the_page_says_what_it_asks_for() {
    let Asked { cpu, memory } = most(&render::overlay("local"));
    let said = format!("{cpu}m of processor and {memory}Mi of memory");
    let page = std::fs::read_to_string(render::root().join("docs/kubernetes.md")).unwrap();
    assert!(page.split_whitespace().collect::<Vec<_>>().join(" ").contains(&said), "docs/kubernetes.md: {said}");
}
