"""What an overlay has to stand: being applied, applied again, upgraded and promoted; PodSecurity, quotas and autoscalers."""

import json
import pathlib
import re
import textwrap

from control_plane import ControlPlane, Failed, wait_until

# Every pod of ours says all but limits.cpu, which the LimitRange on the page gives.
QUOTA = "limits.cpu=640,requests.cpu=640,limits.memory=2560Gi,requests.memory=2560Gi,pods=200"

# What kubectl sends each time, and says "configured", whatever is there: a budget's selector, and lists of a StatefulSet or
# of the Gateway API into which the server writes defaults.
ALWAYS_SENT = re.compile(r"(poddisruptionbudget\.policy|statefulset\.apps|\w+\.gateway\.networking\.k8s\.io)/")


class Overlay:
    def __init__(self, cluster: ControlPlane, tree: pathlib.Path, name: str):
        self.cluster, self.name, self.tree = cluster, name, tree
        self.folder = tree / "k8s" / "overlays" / name
        self.page = (tree / "docs" / "kubernetes.md").read_text(encoding="utf-8")
        self.namespace = self._namespace()

    def _namespace(self) -> str:
        """The one that the page says, or production's where it says none for this overlay."""
        said = re.search(rf"\bof {self.name}: ([\w-]+)", self.page)
        return said[1] if said else re.search(r"NAMESPACE=([\w-]+)", self.page)[1]

    # ---- what a person does ----

    def kubectl(self, *arguments: str, **more) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, **more)

    def prepare(self, without: str = ""):
        """An empty namespace with the secrets, by the commands of step 2 of the page."""
        self.cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=60s")
        step = self.page[self.page.index("\n2. ") : self.page.index("\n3. ")]
        of_all, of_local = (textwrap.dedent(block) for block in re.findall(r"```sh\n(.*?)```", step, re.DOTALL))
        commands = of_all + (of_local if self.name == "local" else "")
        commands = re.sub(r"NAMESPACE=\S+", f"NAMESPACE={self.namespace}", commands).replace(without, "")
        folder = self.cluster.folder / "typed"
        folder.mkdir(exist_ok=True)
        succeeded, printed = self.cluster.run("bash", "-euo", "pipefail", "-c", commands, cwd=folder)
        if not succeeded or "Warning:" in printed:
            raise Failed(f"step 2 of docs/kubernetes.md\n{printed}")
        # Pods that come before it are tried again, which would look as if they had been refused.
        self.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")

    def remove(self):
        """Begins to; `prepare` waits until it is gone."""
        self.cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")

    def apply(self, *arguments: str, tree: pathlib.Path | None = None) -> list[str]:
        folder = (tree or self.tree) / "k8s" / "overlays" / self.name
        applied = self.cluster.kubectl("apply", "-k", str(folder), *arguments).splitlines()
        self.kinds = sorted({line.split("/")[0] for line in applied})
        return applied

    # ---- what is looked at ----

    def state(self) -> dict[str, dict]:
        """All resources of the kinds that were applied, without what the controllers report in them."""
        resources = {}
        for resource in self.cluster.get("-n", self.namespace, ",".join(self.kinds), "--show-managed-fields"):
            metadata = resource["metadata"]
            if resource["kind"] == "Namespace" and metadata["name"] != self.namespace:
                continue
            resource.pop("status", None)
            metadata.pop("resourceVersion", None)
            metadata["managedFields"] = [one for one in metadata["managedFields"] if one.get("subresource") != "status"]
            resources[f"{resource['kind']} {metadata['name']}"] = resource
        return resources

    def must_not_move(self, before: dict, what: str, but: str = "$^"):
        moved = [one for one in differences(before, self.state()) if not re.search(but, one.split(": ")[0])]
        if moved:
            raise Failed(f"{what} changed\n" + "\n".join(moved))

    def pods_must_come(self):
        """Each workload has its pods, and none was refused on the way. That they wait for a node is right."""

        def is_there():
            if refused := self._refused():
                raise Failed("\n".join(refused))
            return not self._waiting()

        wait_until("each workload has its pods", is_there)
        # Also one that was refused, and came when it was tried again.
        is_there()

    def _waiting(self) -> list[str]:
        waiting = []
        for one in self.cluster.get("-n", self.namespace, "deployments,statefulsets,jobs"):
            status, wanted = one.get("status", {}), one["spec"].get("replicas", 1)
            if one["kind"] == "Deployment":
                # Of a new version one pod comes, and the next when that is ready, which it never is.
                seen = status.get("observedGeneration") == one["metadata"]["generation"]
                there = seen and status.get("replicas", 0) >= wanted and status.get("updatedReplicas", 0) >= min(wanted, 1)
            else:
                there = status.get("active" if one["kind"] == "Job" else "replicas", 0) >= min(wanted, 1)
            if not there:
                waiting.append(f"{one['kind']} {one['metadata']['name']}")
        return waiting

    def _refused(self) -> list[str]:
        events = self.cluster.get("-n", self.namespace, "events", "--field-selector", "reason=FailedCreate")
        return [f"{one['involvedObject']['kind']} {one['involvedObject']['name']}: {one['message']}" for one in events]

    # ---- the checks ----

    def server_side(self):
        """Where the server merges, in a namespace with a quota and with the LimitRange of the page."""
        # As the page says.
        self.prepare(without=" --save-config")
        self.limit()
        self.kubectl("apply", "-f", "-", input=textwrap.dedent(re.search(r"```yaml\n(.*?)```", self.page, re.DOTALL)[1]))
        self.apply("--server-side")
        self.pods_must_come()
        self.scale()
        before = self.state()
        self.apply("--server-side")
        self.must_not_move(before, "a second server-side apply")

    def client_side(self, old: pathlib.Path | None, promoted: pathlib.Path):
        """As the page says it, over the manifests of before if there are some, and with what comes after the first apply."""
        self.prepare()
        if old:
            self.apply(tree=old)
        self.apply()
        self.pods_must_come()
        self.scale()
        before = self.state()
        if changed := [line for line in self.apply() if not line.endswith(" unchanged") and not ALWAYS_SENT.match(line)]:
            raise Failed("a second apply is not without effect\n" + "\n".join(changed))
        self.must_not_move(before, "a second apply")
        self.maps_must_be_immutable()
        self.jobs()
        self.restricted()
        self.apply(tree=promoted)
        self.must_not_move(before, "a promotion", but=r"\.image|last-applied-configuration|\.generation|/revision|managedFields")
        self.pods_must_come()

    def scale(self):
        """As the autoscalers do it, which have nothing to measure here: an apply must leave that alone."""
        scaled = self.cluster.get("-n", self.namespace, "horizontalpodautoscalers,scaledobjects.keda.sh")
        for name in {one["spec"]["scaleTargetRef"]["name"] for one in scaled}:
            self.kubectl("scale", f"deployment/{name}", "--replicas=5")
        self.pods_must_come()

    def maps_must_be_immutable(self):
        """All whose content is in their name, which is all that pods read."""
        for one in self.cluster.get("-n", self.namespace, "configmaps"):
            name = one["metadata"]["name"]
            if re.search(r"-[2456789bcdfghkmt]{10}$", name):
                patch = ("patch", "configmap", name, "--dry-run=server", "-p", '{"data":{"x":"y"}}')
                self.must_be_refused("immutable", *patch)

    def must_be_refused(self, why: str, *arguments: str):
        succeeded, printed = self.cluster.try_kubectl("-n", self.namespace, *arguments)
        if succeeded or why not in printed:
            raise Failed(f"must be refused ({why}): kubectl {' '.join(arguments)}\n{printed}")

    def jobs(self):
        for one in self.cluster.get("-n", self.namespace, "cronjobs"):
            name = one["metadata"]["name"]
            self.kubectl("create", "job", f"--from=cronjob/{name}", f"{name}-now")
        self.pods_must_come()

    def restricted(self):
        """Pods that say nothing of their security are refused, else the pods that came show nothing; and ours are what the
        newest version of the policy wants."""
        self.must_be_refused("violates PodSecurity", "run", "unsaid", "--image=unsaid")
        label = "pod-security.kubernetes.io/enforce-version=latest"
        self.cluster.kubectl("label", "namespace", self.namespace, "--dry-run=server", "--overwrite", label)

    def limit(self):
        """A quota counts only once the controller has counted what there is."""
        self.kubectl("create", "quota", "all", f"--hard={QUOTA}")
        self.kubectl("wait", "--for=jsonpath={.status.hard}", "quota/all", "--timeout=30s")


def differences(before, after, path: str = "") -> list[str]:
    """The paths at which two resources differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = [differences(before.get(key), after.get(key), f"{path}.{key}") for key in before | after]
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        found = [differences(*pair, f"{path}[{at}]") for at, pair in enumerate(zip(before, after))]
    else:
        return [] if before == after else [f"{path.lstrip('.')}: {json.dumps(before)} is now {json.dumps(after)}"]
    return [one for some in found for one in some]
