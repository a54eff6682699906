"""Applies every overlay to a real API server.

    make cluster-check
    make cluster-check OLD=v0.1.0           upgrades from that commit or tag, too
    make cluster-check CLUSTER=--broken     breaks the manifests, one thing at a time: each time the check has to fail
    make cluster-check CLUSTER='--only local'
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import broken
import definitions
import healing
from control_plane import ControlPlane, Failed, wait_until
from overlay import Overlay

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "cluster"
# Two that have the same namespace are not one after the other: removing one takes ten seconds.
OVERLAYS = ["local", "review", "production", "staging", "gateway-api"]
# No overlay has the Gateway API: the smallest one with it.
GATEWAY_API = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: weir
resources: [../local]
components: [../../components/gateway-api]
"""


def tree(name: str, commit: str | None = None) -> pathlib.Path:
    """A copy of the manifests and of the page, of now or of a commit."""
    folder = WORK / "trees" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if commit:
        archive = subprocess.run(["git", "archive", commit, "k8s", "docs"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    else:
        shutil.copytree(ROOT / "k8s", folder / "k8s")
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs" / "kubernetes.md", folder / "docs")
    gateway = folder / "k8s" / "overlays" / "gateway-api"
    gateway.mkdir()
    (gateway / "kustomization.yaml").write_text(GATEWAY_API, encoding="utf-8")
    return folder


def promote(folder: pathlib.Path):
    """New images in review, as `make push` sets them, and on to production as the page says; others in local."""
    overlays = folder / "k8s" / "overlays"
    review, local = overlays / "review" / "images" / "kustomization.yaml", overlays / "local" / "kustomization.yaml"
    for file in (review, local):
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"newTag: .*", "digest: sha256:" + "5" * 64, text), encoding="utf-8")
    for pair in (("review", "staging"), ("staging", "production")):
        make = ["make", "-s", "-C", folder, "-f", ROOT / "Makefile", "promote", f"FROM={pair[0]}", f"TO={pair[1]}"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)


def define(cluster: ControlPlane):
    made, notes = definitions.definitions()
    for note in notes:
        print(f"  {note}")
    file = cluster.folder / "definitions.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": made}), encoding="utf-8")
    cluster.kubectl("apply", "--server-side", "-f", str(WORK / "crds"), "-f", str(file))
    wait_until("the custom resources are served", lambda: all(map(is_served, cluster.get("crd"))))


def is_served(definition: dict) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def check(cluster: ControlPlane, names: list[str], old: str | None) -> bool:
    now, promoted = tree("now"), tree("promoted")
    promote(promoted)
    before = tree("old", old) if old else None
    overlays = [Overlay(cluster, now, name) for name in names]
    checks = [(one, "server-side", one.server_side) for one in overlays]
    checks += [(one, "client-side", lambda one=one: one.client_side(before, promoted)) for one in overlays]
    checks += [(one, "healing", lambda one=one: healing.check(one)) for one in overlays if one.name == "local"]
    good = True
    for overlay, side, run in checks:
        began = time.monotonic()
        try:
            run()
            print(f"  {overlay.name}, {side}: {time.monotonic() - began:.0f} s", flush=True)
        except Failed as failed:
            good = False
            print(f"FAILED {overlay.name}, {side}: {failed}", flush=True)
        overlay.remove()
    return good


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", choices=OVERLAYS, default=OVERLAYS, metavar="OVERLAY")
    arguments.add_argument("--old", metavar="COMMIT")
    arguments.add_argument("--broken", action="store_true")
    given = arguments.parse_args()
    # So that what runs is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        with ControlPlane(WORK / "bin", WORK / "state") as cluster:
            define(cluster)
            print(f"  the control plane runs, {time.monotonic() - began:.0f} s", flush=True)
            good = broken.check(cluster, tree) if given.broken else check(cluster, given.only, given.old)
            print(f"  memory at most, in MiB: {cluster.memory()}")
    except Failed as failed:
        print(f"FAILED {failed}")
        return 1
    print(f"{'all is well' if good else 'FAILED'}: {time.monotonic() - began:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
