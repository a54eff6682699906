"""The definitions of the custom resources whose operators are no Go module that can be downloaded, made of their schemas."""

import collections
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Group, version, kind, and how the API server's addresses call them.
KINDS = [
    ("kafka.strimzi.io", "v1", "Kafka", "kafkas"),
    ("kafka.strimzi.io", "v1", "KafkaNodePool", "kafkanodepools"),
    ("kafka.strimzi.io", "v1", "KafkaTopic", "kafkatopics"),
    ("kafka.strimzi.io", "v1", "KafkaUser", "kafkausers"),
    ("opentelemetry.io", "v1beta1", "OpenTelemetryCollector", "opentelemetrycollectors"),
    ("postgresql.cnpg.io", "v1", "Cluster", "clusters"),
]


def schemas() -> pathlib.Path | None:
    """The folder with the schemas: beside the real deliveries, which are not in the repository. None where nobody names it."""
    data = os.environ.get("WEIR_TEST_DATA")
    if not data:
        return None
    folder = ROOT / data / "crd-schemas"
    if not folder.is_dir():
        sys.exit(f"WEIR_TEST_DATA is set, but {folder} is not a folder")
    return folder


def definitions() -> tuple[list[dict], list[str]]:
    """The definitions, and what has to be known about them."""
    folder, made, left_out = schemas(), [], collections.Counter()
    for group, version, kind, plural in KINDS:
        if folder:
            schema = json.loads((folder / group / f"{kind.lower()}_{version}.json").read_text(encoding="utf-8"))
            _structural(schema, left_out)
        else:
            schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        made.append(_definition(group, version, kind, plural, schema))
    kinds = ", ".join(kind for _, _, kind, _ in KINDS)
    if folder:
        return made, [f"left out of the schemas of {kinds}: {count} times {what}" for what, count in left_out.items()]
    return made, [f"not checked, because WEIR_TEST_DATA is not set: the fields of {kinds}"]


def _structural(schema: dict, left_out: collections.Counter):
    """The catalogue closes every object by `additionalProperties: false`, which the API server does by itself and refuses to
    be told beside `properties`."""
    if schema.get("additionalProperties") is False and "properties" in schema:
        del schema["additionalProperties"]
        left_out["additionalProperties: false"] += 1
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for one in inner:
        if isinstance(one, dict):
            _structural(one, left_out)


def _definition(group: str, version: str, kind: str, plural: str, schema: dict) -> dict:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{
                "name": version,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    }
