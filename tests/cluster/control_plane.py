"""A Kubernetes without nodes: the store, the API server and the controllers. Pods are made and admitted, and none runs.

Everything is in one folder, and nothing listens but the API server, on a free port of 127.0.0.1.
"""

import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable


class Failed(Exception):
    """What a command was, and what it said."""


# What kubectl prints of a resource that is as it should be.
# Seconds for one command.
LIMIT = 120
DONE = re.compile(r"\S+/\S+ (created|configured|unchanged|serverside-applied|condition met)")


def wait_until(what: str, condition: Callable[[], bool]):
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            raise Failed(f"not after a minute: {what}")
        time.sleep(0.2)


class ControlPlane:
    """Runs for as long as its `with` does."""

    def __init__(self, programs: pathlib.Path, folder: pathlib.Path):
        self.programs, self.folder, self.running = programs, folder, []
        # Never the caller's own cluster, settings or cache.
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "KUBECONFIG": str(folder / "admin.json"),
        }

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def _start(self):
        # Etcd takes a path only as HOST:PORT; nobody else reaches these sockets, and no port is needed.
        client, peer = "unix://client:1", "unix://peer:1"
        self._run(
            "etcd",
            "--data-dir=etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync", "--log-level=warn",
        )
        port = _free_port()
        admin, controllers = secrets.token_hex(), secrets.token_hex()
        self._write("tokens.csv", f"{admin},admin,1,system:masters\n{controllers},system:kube-controller-manager,2\n")
        self._write("admin.json", _kubeconfig(port, admin))
        self._write("controllers.json", _kubeconfig(port, controllers))
        key = ["openssl", "genrsa", "-out", "accounts.key", "2048"]
        subprocess.run(key, cwd=self.folder, check=True, capture_output=True)
        addresses = "--service-cluster-ip-range=10.96.0.0/16"
        self._run(
            "kube-apiserver",
            f"--etcd-servers={client}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            # It makes its certificate itself. It wants an address to tell others, which may not be of this machine alone:
            # one that is for documentation, and that is told to nobody.
            "--cert-dir=.", "--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none",
            "--token-auth-file=tokens.csv", "--authorization-mode=RBAC", addresses,
            "--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=accounts.key",
            "--service-account-signing-key-file=accounts.key",
        )
        wait_until("the API server is ready", self._is_ready)
        # It makes the service account that every pod needs, and the pods. Nothing asks for the state of itself.
        self._run(
            "kube-controller-manager",
            "--kubeconfig=controllers.json", "--use-service-account-credentials", "--leader-elect=false", "--secure-port=0",
            "--root-ca-file=apiserver.crt", "--service-account-private-key-file=accounts.key", addresses,
            "--kube-api-qps=500", "--kube-api-burst=1000",
        )

    def _write(self, name: str, content: str):
        with open(os.open(self.folder / name, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(content)

    def _run(self, program: str, *arguments: str):
        log = open(self.folder / f"{program}.log", "wb")
        # Also where this process is killed, they do not stay. In a session of their own, Ctrl-C is ours to answer.
        command = ["setpriv", "--pdeathsig", "KILL", str(self.programs / program), *arguments]
        files = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, start_new_session=True, **files)
        self.running.append(process)

    def _is_ready(self) -> bool:
        if any(process.poll() is not None for process in self.running):
            raise Failed(f"the API server did not start: see {self.folder}/*.log")
        return self.try_kubectl("get", "--raw", "/readyz")[0]

    def _stop(self):
        for process in reversed(self.running):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def run(self, *command: str, **more) -> tuple[bool, str]:
        """Whether the command succeeded, and all that it printed."""
        try:
            done = subprocess.run(
                command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, **more
            )
        except subprocess.TimeoutExpired:
            return False, f"it took more than {LIMIT} s"
        return done.returncode == 0, done.stdout

    def try_kubectl(self, *arguments: str, **more) -> tuple[bool, str]:
        return self.run("kubectl", *arguments, **more)

    def kubectl(self, *arguments: str, **more) -> str:
        """What it printed. A failure is one, and so is a warning: it says what a later version refuses."""
        succeeded, printed = self.try_kubectl(*arguments, **more)
        if not succeeded or "Warning:" in printed:
            said = [line for line in printed.splitlines() if not DONE.match(line)]
            raise Failed("\n".join([f"kubectl {' '.join(arguments)}", *said]))
        return printed

    def get(self, *arguments: str) -> list[dict]:
        printed = self.kubectl("get", *arguments, "-o", "json")
        # What kubectl says of a slow server comes before it.
        return json.loads(printed[printed.index("{"):])["items"]

    def memory(self) -> dict[str, int]:
        """The most that each process ever had, in MiB."""
        peaks = {}
        for process in self.running:
            if process.poll() is not None:
                raise Failed(f"{process.args[0]} ended by itself: see its log")
            status = dict(line.split(":", 1) for line in open(f"/proc/{process.pid}/status", encoding="utf-8"))
            peaks[status["Name"].strip()] = int(status["VmHWM"].split()[0]) // 1024
        return peaks


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _kubeconfig(port: int, token: str) -> str:
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": "apiserver.crt"}
    return json.dumps({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "check", "cluster": cluster}],
        "users": [{"name": "check", "user": {"token": token}}],
        "contexts": [{"name": "check", "context": {"cluster": "check", "user": "check"}}],
        "current-context": "check",
    })
