//! Topics, users and autoscaling, against the constants of the code.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml_ng::Value;
use weir::catalogue::SERVICES;

use crate::check::{list, name, of_kind, template, text, variables, workloads};

pub(crate) fn check(documents: &[Value], problems: &mut Vec<String>) {
    let topics: BTreeMap<_, _> =
        of_kind(documents, "KafkaTopic").map(|topic| (text(&topic["spec"]["topicName"]), topic)).collect();
    if topics.is_empty() {
        return;
    }
    // The services are told how many partitions there are: they have to be there.
    for deployment in workloads(documents) {
        let variables: BTreeMap<_, _> = variables(&template(deployment)["spec"], documents).into_iter().collect();
        let Some(partitions) = variables.get("WEIR__BUS__PARTITIONS").and_then(|text| text.parse::<u64>().ok()) else {
            continue;
        };
        for (topic, document) in &topics {
            // A table is in one partition.
            let is_table = document["spec"]["config"]["cleanup.policy"] == "compact";
            if document["spec"]["partitions"].as_u64() != Some(if is_table { 1 } else { partitions }) {
                problems.push(format!("{}: WEIR__BUS__PARTITIONS is not what topic {topic} has", name(deployment)));
            }
        }
        if let Some(user) = variables.get("WEIR__BUS__KAFKA__SASL_USERNAME")
            && of_kind(documents, "KafkaUser").all(|one| name(one) != *user)
        {
            problems.push(format!("{}: there is no KafkaUser {user}", name(deployment)));
        }
    }
    let settings = weir::settings::Settings::load(None).unwrap();
    for scaler in of_kind(documents, "ScaledObject") {
        let Some(entry) = SERVICES.iter().find(|entry| (entry.description)().name == name(scaler)) else {
            problems.push(format!("ScaledObject {}: no service is called so", name(scaler)));
            continue;
        };
        let groups = (entry.groups)(&settings);
        let mut watched = BTreeSet::new();
        let mut fewest = u64::MAX;
        for metadata in list(&scaler["spec"]["triggers"]).map(|trigger| &trigger["metadata"]) {
            let topic = text(&metadata["topic"]);
            let group = groups.get(&topic).map_or("", String::as_str);
            if metadata["consumerGroup"] != group {
                problems.push(format!("ScaledObject {}: its group is {group}", name(scaler)));
            }
            fewest = fewest.min(topics.get(&topic).and_then(|one| one["spec"]["partitions"].as_u64()).unwrap_or(0));
            watched.insert(topic);
        }
        let input: BTreeSet<String> = groups.keys().cloned().collect();
        if watched != input {
            problems.push(format!("ScaledObject {}: watches {watched:?}, and its input is {input:?}", name(scaler)));
        }
        if scaler["spec"]["maxReplicaCount"].as_u64().is_none_or(|most| most > fewest) {
            problems
                .push(format!("ScaledObject {}: more replicas than the {fewest} partitions of a topic", name(scaler)));
        }
    }
}
