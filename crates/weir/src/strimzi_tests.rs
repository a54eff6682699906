use std::collections::BTreeSet;

use super::*;
use crate::access::{Operation, Rule};
use crate::settings::Settings;
use crate::topics;

#[test]
fn a_topic_is_one_resource() {
    let shape = Topic {
        name: "events.facebook.message_edit".into(),
        partitions: 6,
        replication_factor: 3,
        config: vec![("retention.ms", "604800000".into())],
    };
    let wanted = "---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: events.facebook.message-edit
  labels:
    strimzi.io/cluster: kafka
spec:
  topicName: events.facebook.message_edit
  partitions: 6
  replicas: 3
  config:
    retention.ms: 604800000
";
    assert_eq!(topic(&shape, "kafka"), wanted);
}

#[test]
fn names_of_resources_stay_apart() {
    let all = topics::all(&Settings::load(None).unwrap());
    let names: BTreeSet<_> = all.iter().map(|topic| topic.name.replace('_', "-")).collect();
    assert_eq!(names.len(), all.len());
    assert!(names.iter().all(|name| name.len() <= 253
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c))));
}

#[test]
fn a_user_may_what_the_table_says() {
    let rule =
        |resource, operations: &[Operation]| Rule { resource, operations: operations.to_vec(), why: "its input" };
    let access = Access {
        service: "weir-loader".into(),
        rules: vec![
            rule(Resource::Topic("loads".into()), &[Operation::Read, Operation::DescribeConfigs]),
            rule(Resource::Topic("loads".into()), &[]),
            rule(Resource::Group("weir-loader".into()), &[Operation::Read]),
        ],
    };
    let wanted = "---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata:
  name: weir-loader
  labels:
    strimzi.io/cluster: kafka
spec:
  authentication:
    type: scram-sha-512
  authorization:
    type: simple
    acls:
      # its input
      - operations: [Read, DescribeConfigs]
        resource:
          type: topic
          name: loads
          patternType: literal
      # its input
      - operations: [Read]
        resource:
          type: group
          name: weir-loader
          patternType: literal
";
    assert_eq!(user(&access, "kafka"), wanted);
}
