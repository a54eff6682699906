//! What the manifests must agree with, and for every check a change that it must catch.

use std::collections::BTreeSet;

use prost::Message as _;
use serde_yaml_ng::Value;

use crate::{check, render};

/// Loads the settings of a service as the service does, from its defaults, an environment, and a file's text.
pub(crate) fn load(name: &str, environment: Vec<(String, String)>, file: Option<String>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join("settings.toml");
    if let Some(text) = &file {
        std::fs::write(&path, text).map_err(|error| error.to_string())?;
    }
    let file = file.is_some().then_some(path.as_path());
    let result = match weir::catalogue::SERVICES.iter().find(|entry| (entry.description)().name == name) {
        Some(entry) => (entry.load)(file, environment),
        None if name == "weir" => {
            service::load::<weir::settings::Settings>(weir::settings::DEFAULTS, file, environment).map(drop)
        }
        None => return Err(format!("no service is called {name}")),
    };
    result.map_err(|error| error.to_string())
}

/// How long a service drains by default.
pub(crate) fn shutdown_deadline_seconds() -> u64 {
    use service::Settings as _;
    let settings = service::load::<streaming::Settings>(streaming::DEFAULTS, None, []).unwrap();
    settings.host().shutdown.deadline_ms.div_ceil(1000)
}

/// How long the door lets a connection be idle by default.
pub(crate) fn idle_timeout_ms() -> u64 {
    service::load::<streaming::Settings>(streaming::DEFAULTS, None, []).unwrap().streaming.idle_timeout_ms
}

/// The full names of the gRPC services of `proto/`.
pub(crate) fn grpc_services() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(common::DESCRIPTORS).unwrap();
    set.file
        .iter()
        .flat_map(|file| file.service.iter().map(move |one| format!("{}.{}", file.package(), one.name())))
        .collect()
}

/// Sets what stands at a path like `spec.template.spec.containers.0.image`; `null` removes it.
fn set(document: &mut Value, path: &str, value: Value) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut at = document;
    for segment in parents.split('.').filter(|segment| !segment.is_empty()) {
        at = match segment.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[segment],
        };
    }
    match (last.parse::<usize>(), value) {
        (Ok(index), value) => at[index] = value,
        (Err(_), Value::Null) => drop(at.as_mapping_mut().unwrap().remove(last)),
        (Err(_), value) => at[last] = value,
    }
}

/// (kind, name or its beginning, path, new value, what the check must say)
const BROKEN: &[(&str, &str, &str, &str, &str)] = &[
    ("Deployment", "streaming", "spec.minReadySecond", "5", "minReadySecond"),
    ("Deployment", "processing", "spec.replicas", "two", "invalid type"),
    ("Deployment", "streaming", "spec.replicas", "3", "says itself how many replicas"),
    ("HorizontalPodAutoscaler", "streaming", "spec.scaleTargetRef.name", "door", "scales door, which is not there"),
    ("ScaledObject", "processing", "spec.maxReplicaCount", "12", "more replicas than the 6 partitions"),
    ("ScaledObject", "processing", "spec.triggers.0.metadata.topic", "raw.mta", "and its input is"),
    ("ScaledObject", "enricher", "spec.triggers.0.metadata.consumerGroup", "enricher", "its group is weir-enricher"),
    ("ScaledObject", "enricher", "spec.triggers.0.authenticationRef.name", "kafk", "which is not there"),
    (
        "ScaledObject",
        "enricher",
        "spec.triggers.0.metadata.bootstrapServers",
        "kafka-kafka-bootstrap:9093",
        "has no namespace",
    ),
    ("ScaledObject", "enricher", "spec.minReplicaCount", "1", "expects 2 of enricher"),
    ("HorizontalPodAutoscaler", "streaming", "spec.minReplicas", "1", "expects 2 of streaming"),
    ("Deployment", "loader", "spec.replicas", "1", "expects 2 of loader"),
    (
        "OpenTelemetryCollector",
        "weir",
        "spec.securityContext.allowPrivilegeEscalation",
        "true",
        "its pods are refused here",
    ),
    ("Ingress", "public", "metadata.annotations", "{}", "does not say in weir.example.com/idle-seconds"),
    (
        "Ingress",
        "public",
        "metadata.annotations",
        "{weir.example.com/idle-seconds: \"3700\"}",
        "and the door before that",
    ),
    (
        "ConfigMap",
        "weir-streaming-",
        "data.WEIR__STREAMING__IDLE_TIMEOUT_MS",
        "\"60000\"",
        "closes what is idle after 60 s, and the door before that",
    ),
    ("Ingress", "operators", "spec.ingressClassName", "haproxy", "that the world reaches"),
    ("Issuer", "weir", "spec.acme.solvers.0.http01.ingress.ingressClassName", "public", "nobody serves class public"),
    ("KafkaTopic", "raw.meta", "spec.partitions", "3", "is not what topic raw.meta has"),
    ("KafkaUser", "weir-loader", "metadata.name", "loader", "there is no KafkaUser weir-loader"),
    ("PodMonitor", "weir", "spec.podMetricsEndpoints.0.port", "metrics", "no pod has port metrics"),
    ("ServiceMonitor", "health-check", "spec.endpoints.0.port", "metrics", "no service has port metrics"),
    (
        "NetworkPolicy",
        "public-to-services",
        "spec.ingress.0.ports.0.port",
        "admin",
        "public to streaming on port 8081 is let through",
    ),
    (
        "NetworkPolicy",
        "services-to-processing-out",
        "spec.egress.0.ports.0.port",
        "8080",
        "enricher to processing on port 9090 is an arrow",
    ),
    (
        "Deployment",
        "loader",
        "spec.template.metadata.labels",
        "{app.kubernetes.io/name: loader, app.kubernetes.io/part-of: weir}",
        "loader to kafka on port 9093 is an arrow",
    ),
    ("NetworkPolicy", "dns", "spec.egress.0.ports.0.port", "54", "cannot resolve names"),
    (
        "NetworkPolicy",
        "services-to-store",
        "spec.egress.0.to.0.ipBlock.except",
        "[]",
        "loader to the metadata of the node",
    ),
    ("Deployment", "streaming", "spec.selector.matchLabels.role", "x", "does not select the pods of its own template"),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.securityContext.runAsNonRoot",
        "false",
        "runAsNonRoot must be true",
    ),
    ("Deployment", "streaming", "spec.template.spec.securityContext.runAsUser", "0", "runAsUser must not be 0"),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.securityContext.seccompProfile.type",
        "Unconfined",
        "must be RuntimeDefault",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.automountServiceAccountToken",
        "null",
        "automountServiceAccountToken must be false",
    ),
    ("Deployment", "streaming", "spec.template.spec.enableServiceLinks", "true", "enableServiceLinks must be false"),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.securityContext.allowPrivilegeEscalation",
        "true",
        "allowPrivilegeEscalation",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem",
        "null",
        "readOnlyRootFilesystem",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.securityContext.capabilities.drop.0",
        "NET_RAW",
        "must drop ALL",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.resources.limits.memory",
        "null",
        "a memory limit is missing",
    ),
    ("Deployment", "streaming", "spec.template.spec.containers.0.image", "weir:latest", "does not move"),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.volumes.0.secret.secretName",
        "weir-secret",
        "which nobody is told to make",
    ),
    ("Deployment", "streaming", "spec.template.spec.containers.0.volumeMounts.0.name", "secretz", "which is no volume"),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.envFrom.0.configMapRef.name",
        "weird",
        "which is not there",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.livenessProbe.httpGet.path",
        "/readyz",
        "livenessProbe must ask /livez",
    ),
    (
        "Deployment",
        "streaming",
        "spec.template.spec.containers.0.readinessProbe.httpGet.port",
        "adm",
        "does not declare",
    ),
    ("Deployment", "streaming", "spec.template.spec.terminationGracePeriodSeconds", "20", "does not cover"),
    ("ConfigMap", "weir-streaming-", "data.WEIR__STREAMING__LISTN", "x", "its settings are refused"),
    ("ConfigMap", "weir-processing-", "data.WEIR__BUS__CLAIMS__STORE", "memcached", "its settings are refused"),
    ("Service", "streaming", "spec.ports.0.targetPort", "web", "targetPort web is no port of streaming"),
    ("Service", "processing", "spec.selector.app", "x", "selects no pods"),
    ("Service", "processing", "spec.ports.0.appProtocol", "null", "must say appProtocol"),
    ("Ingress", "public", "spec.rules.0.host", "null", "answers for every name"),
    ("Ingress", "public", "spec.rules.0.http.paths.0.backend.service.port.name", "admin", "only the door is public"),
    ("Ingress", "operators", "spec.rules.0.http.paths.0.backend.service.name", "proces", "which is not there"),
    (
        "Ingress",
        "operators",
        "spec.rules.0.http.paths.0.path",
        "/weir.registration.v1.Registrations/",
        "is no gRPC service",
    ),
    ("CronJob", "compact", "spec.concurrencyPolicy", "Allow", "concurrencyPolicy must be Forbid"),
    ("CronJob", "compact", "spec.schedule", "\"@daily\"", "must have five fields"),
    ("CronJob", "compact", "spec.timeZone", "null", "timeZone must be Etc/UTC"),
    ("CronJob", "compact", "spec.jobTemplate.spec.backoffLimit", "2", "backoffLimit must be 4 or more"),
    (
        "CronJob",
        "compact",
        "spec.jobTemplate.spec.podFailurePolicy.rules.0.action",
        "Count",
        "a pod that is evicted must not count",
    ),
    (
        "CronJob",
        "compact",
        "spec.jobTemplate.spec.podFailurePolicy.rules.1.onExitCodes.values.0",
        "1",
        "are refused the next time too",
    ),
    ("CronJob", "vacuum", "spec.jobTemplate.spec.activeDeadlineSeconds", "null", "it may hang for ever"),
    ("CronJob", "vacuum", "spec.jobTemplate.spec.template.spec.restartPolicy", "OnFailure", "must be Never"),
    (
        "CronJob",
        "vacuum",
        "spec.jobTemplate.spec.template.spec.containers.0.args.1",
        "vacum",
        "its arguments are refused",
    ),
    (
        "CronJob",
        "compact",
        "spec.jobTemplate.spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem",
        "null",
        "readOnlyRootFilesystem",
    ),
    ("ConfigMap", "weir-jobs-", "data.WEIR__BUS__DATA_DR", "x", "conservation: its settings are refused"),
    ("KafkaUser", "weir-jobs", "metadata.name", "jobs", "there is no KafkaUser weir-jobs"),
    ("ConfigMap", "weir-lake-", "immutable", "null", "immutable must be true"),
    ("ConfigMap", "weir-dashboard", "immutable", "true", "could not be applied"),
    ("StatefulSet", "valkey", "spec.template.spec.containers.0.args.10", "\"yes\"", "without --protected-mode no"),
    (
        "Namespace",
        "weir",
        "metadata.labels",
        "{pod-security.kubernetes.io/enforce: restricted}",
        "enforce, warn and audit must be restricted",
    ),
    (
        "Namespace",
        "weir",
        "metadata.labels",
        "{pod-security.kubernetes.io/enforce: restricted}",
        "enforce-version must be one version",
    ),
    (
        "Kafka",
        "kafka",
        "spec.entityOperator.userOperator",
        "{}",
        "spec.entityOperator.userOperator.resources.limits.memory is missing",
    ),
    ("Cluster", "postgres", "spec.resources.requests.cpu", "null", "spec.resources.requests.cpu is missing"),
    ("Deployment", "tools", "metadata.name", "tool", "nobody can run weir in the cluster"),
    ("Deployment", "tools", "spec.template.spec.containers.0.args.0", "sleep", "must run `weir wait`"),
    ("Deployment", "tools", "spec.template.spec.containers.0.env.0.value", "processes:9090", "no Service is at"),
    ("ConfigMap", "weir-tools-", "data.WEIR__BUS__DATA_DR", "x", "Deployment tools: its settings are refused"),
    ("KafkaUser", "weir-tools", "spec.authorization.acls.0.operations", "[Read, Write]", "may [\"Write\"] too"),
    ("KafkaUser", "weir-tools", "metadata.name", "tool", "there is no KafkaUser weir-tools"),
    (
        "NetworkPolicy",
        "tools-to-health-check-out",
        "spec.egress.0.ports.0.port",
        "admin",
        "tools to health-check on port 9090 is an arrow",
    ),
    ("PodDisruptionBudget", "streaming", "spec.selector.matchLabels.app", "x", "selects nothing"),
];

#[test]
fn every_check_catches_its_broken_fixture() {
    for (kind, name, path, value, expected) in BROKEN {
        let mut documents = render::overlay("production");
        let document = documents
            .iter_mut()
            .find(|document| document["kind"] == *kind && check::name(document).starts_with(name))
            .unwrap_or_else(|| panic!("no {kind} {name}"));
        set(document, path, serde_yaml_ng::from_str(value).unwrap());
        let problems = check::all(&documents);
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{kind} {name} {path}={value}: found {problems:?}"
        );
    }
}
