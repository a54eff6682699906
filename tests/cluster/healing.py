"""What health-check may do with the components `api-account` and `healing`: what the API server says to its changes."""

import json

from control_plane import Failed
from overlay import Overlay

KUSTOMIZATION = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {namespace}
resources: [../{overlay}]
components: [../../components/api-account, ../../components/healing]
"""
AT = "2026-12-01T10:00:00Z"


def check(overlay: Overlay):
    """A change as health-check makes it is taken once, and refused where another one has changed the Deployment meanwhile. Of
    what it does not heal it may change nothing."""
    overlay.prepare()
    folder = overlay.tree / "k8s" / "overlays" / "healing"
    folder.mkdir(exist_ok=True)
    text = KUSTOMIZATION.format(namespace=overlay.namespace, overlay=overlay.name)
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")
    overlay.cluster.kubectl("apply", "-k", str(folder))
    overlay.pods_must_come()
    token = overlay.kubectl("create", "token", "health-check").strip()
    [version] = [one["metadata"]["resourceVersion"] for one in deployments(overlay) if named(one, "loader")]
    change = ("patch", "deployment", "loader", "--token", token, "--type=merge", "-p", patch(version))
    overlay.kubectl(*change)
    [loader] = [one for one in deployments(overlay) if named(one, "loader")]
    annotations = loader["spec"]["template"]["metadata"]["annotations"]
    if annotations.get("kubectl.kubernetes.io/restartedAt") != AT:
        raise Failed(f"the loader was not restarted: {annotations}")
    overlay.must_be_refused("the object has been modified", *change)
    for name in ("streaming", "health-check"):
        may_not = ("patch", "deployment", name, "--token", token, "--type=merge", "-p", patch(""))
        overlay.must_be_refused("is forbidden", *may_not)
    overlay.must_be_refused("is forbidden", "get", "deployments", "--token", token)


def deployments(overlay: Overlay) -> list[dict]:
    return overlay.cluster.get("-n", overlay.namespace, "deployments")


def named(one: dict, name: str) -> bool:
    return one["metadata"]["name"] == name


def patch(version: str) -> str:
    return json.dumps({
        "metadata": {"resourceVersion": version, "annotations": {"weir.example.com/healed-at": AT}},
        "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": AT}}}},
    })
