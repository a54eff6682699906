"""Manifests that are broken, one thing at a time. What the check would let through, it does not check."""

import dataclasses
import pathlib
import re
import time
from collections.abc import Callable

import definitions
from control_plane import ControlPlane, Failed
from overlay import Overlay

SELECTOR = "  selector:\n    matchLabels:\n      app.kubernetes.io/name: streaming\n"


@dataclasses.dataclass
class Broken:
    what: str
    file: str
    old: str
    new: str
    overlay: str
    # Which of the two ways finds it, and what it says.
    side: str
    said: str
    # What is broken: the manifests that run ("now"), or those that are applied over them ("promoted", "upgrade").
    when: str = "now"


BROKEN = [
    Broken("services run as root", "k8s/base/pods.yaml", "runAsNonRoot: true", "runAsNonRoot: false",
           "local", "server", r"would violate PodSecurity.*runAsNonRoot"),
    Broken("the namespace enforces less", "k8s/base/namespace.yaml", "enforce: restricted", "enforce: baseline",
           "local", "client", r"must be refused \(violates PodSecurity\)"),
    Broken("a map can be changed in place", "k8s/overlays/review/kustomization.yaml", "  immutable: true", "  immutable: false",
           "review", "client", r"must be refused \(immutable\): kubectl patch configmap weir-lake-"),
    Broken("a selector changes between two versions", "k8s/base/services/services.yaml",
           SELECTOR, SELECTOR + "      app.kubernetes.io/part-of: weir\n",
           "local", "client", r"spec\.selector.*field is immutable", "upgrade"),
    Broken("a promotion moves more than images", "k8s/base/tools.yaml",
           "terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 6",
           "local", "client", r"a promotion changed\nDeployment tools.*GracePeriodSeconds: 5 is now 6", "promoted"),
    Broken("a field of a KafkaUser is misspelt", "k8s/components/strimzi/users.yaml", "  authorization:", "  authorisation:",
           "review", "server", r"\.spec\.authorisation: field not declared in schema"),
    Broken("a server-side apply undoes the autoscaler", "k8s/base/services/services.yaml",
           "spec:\n  selector:", "spec:\n  replicas: 2\n  selector:",
           "production", "server", r"conflict with \"kubectl\" with subresource \"scale\".*: \.spec\.replicas"),
    Broken("an apply undoes the autoscaler", "k8s/base/services/services.yaml",
           "spec:\n  selector:", "spec:\n  replicas: 2\n  selector:",
           "production", "client", r"not without effect\ndeployment\.apps/streaming configured"),
    Broken("a quantity that the server writes otherwise", "k8s/base/tools.yaml", "sizeLimit: 8Gi", "sizeLimit: 8192Mi",
           "local", "client", r"not without effect\ndeployment\.apps/tools configured"),
    Broken("a pod says no limit of memory", "k8s/base/tools.yaml", "memory: 1Gi", "ephemeral-storage: 1Gi",
           "local", "server", r"tools-.*must specify limits\.memory"),
    Broken("the page's LimitRange gives no limit", "docs/kubernetes.md", 'cpu: "4"', "memory: 4Gi",
           "local", "server", r"must specify limits\.cpu"),
    Broken("the page makes a namespace that apply warns of", "docs/kubernetes.md", " --save-config", "",
           "local", "client", r"Warning: resource namespaces/weir is missing"),
]


def check(cluster: ControlPlane, tree: Callable[[str], pathlib.Path]) -> bool:
    """Whether each of them is found, by what was meant to find it."""
    good = True
    for one in BROKEN:
        if "KafkaUser" in one.what and not definitions.schemas():
            print(f"  skipped: {one.what}: WEIR_TEST_DATA is not set")
            continue
        began = time.monotonic()
        as_it_is, broken = tree("now"), tree("broken")
        file = broken / one.file
        text = file.read_text(encoding="utf-8")
        if one.old not in text:
            raise Failed(f"{one.file} has no {one.old!r}, which was to be broken")
        file.write_text(text.replace(one.old, one.new, 1), encoding="utf-8")
        overlay = Overlay(cluster, as_it_is if one.when == "promoted" else broken, one.overlay)
        try:
            if one.side == "server":
                overlay.server_side()
            else:
                overlay.client_side(as_it_is if one.when == "upgrade" else None, broken)
            found = "nothing"
        except Failed as failed:
            found = str(failed)
        overlay.remove()
        seconds = f"{time.monotonic() - began:.0f} s"
        if match := re.search(one.said, found):
            print(f"  found: {one.what} ({seconds}): {match[0]!r}", flush=True)
        else:
            good = False
            print(f"FAILED {one.what} ({seconds}): found {found}", flush=True)
    return good
