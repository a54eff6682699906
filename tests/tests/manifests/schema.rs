//! Custom resources against the schemas of their operators, where the folder with them is there.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use boon::{Compiler, SchemaIndex, Schemas};
use serde_yaml_ng::Value;

struct Known {
    folder: PathBuf,
    schemas: Schemas,
    compiled: HashMap<PathBuf, SchemaIndex>,
}

/// What is wrong with a document of a kind that Kubernetes itself does not know.
pub(crate) fn problems(version: &str, kind: &str, document: &Value) -> Vec<String> {
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    const KINDS: &[(&str, &str)] = &[
        ("cert-manager.io/v1", "Certificate"),
        ("cert-manager.io/v1", "Issuer"),
        ("gateway.networking.k8s.io/v1", "GRPCRoute"),
        ("gateway.networking.k8s.io/v1", "Gateway"),
        ("gateway.networking.k8s.io/v1", "HTTPRoute"),
        ("kafka.strimzi.io/v1", "Kafka"),
        ("kafka.strimzi.io/v1", "KafkaNodePool"),
        ("kafka.strimzi.io/v1", "KafkaTopic"),
        ("kafka.strimzi.io/v1", "KafkaUser"),
        ("keda.sh/v1alpha1", "ScaledObject"),
        ("keda.sh/v1alpha1", "TriggerAuthentication"),
        ("monitoring.coreos.com/v1", "PodMonitor"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("opentelemetry.io/v1beta1", "OpenTelemetryCollector"),
        ("postgresql.cnpg.io/v1", "Cluster"),
    ];
    if !KINDS.contains(&(version, kind)) {
        return vec![format!("{version} {kind} is not a kind that this test knows: add it")];
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.is_none() {
        let Some(folder) = weir_tests::data::folder("crd-schemas") else { return Vec::new() };
        *known = Some(Known { folder, schemas: Schemas::new(), compiled: HashMap::new() });
    }
    let Some(Known { folder, schemas, compiled }) = &mut *known else { return Vec::new() };
    let (group, version) = version.split_once('/').unwrap();
    let path = folder.join(group).join(format!("{}_{version}.json", kind.to_lowercase()));
    let schema = compiled.entry(path).or_insert_with_key(|path| {
        let mut compiler = Compiler::new();
        // They are written for an older draft: `exclusiveMinimum: true` is no number.
        compiler.set_default_draft(boon::Draft::V4);
        compiler.compile(path.to_str().unwrap(), schemas).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    });
    let instance = serde_json::to_value(document).unwrap();
    match schemas.validate(&instance, *schema) {
        Ok(()) => Vec::new(),
        Err(error) => vec![error.to_string().lines().skip(1).map(str::trim).collect::<Vec<_>>().join("; ")],
    }
}
