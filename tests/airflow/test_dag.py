"""The DAG as Airflow runs it: what runs after what, what does not run after a failure, and who is told.

    make airflow

Each test runs the whole DAG in a process of its own, on a database that the first one makes. ``weir`` is a script that
writes down how it was called; the last test runs the real one.
"""

import datetime
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAGS = ROOT / "deploy" / "airflow" / "dags"
AIRFLOW = pathlib.Path(sys.executable).with_name("airflow")
WEIR = ROOT / "target" / "debug" / "weir"
DAY = "2026-03-02"

# Writes down its arguments, and ends as the file says that is called as the job: how often it fails, "always" for ever.
FAKE = """#!/usr/bin/env bash
echo "$*" >>"$CALLS/all"
name=$2
left=$(cat "$CALLS/$name" 2>/dev/null || echo 0)
[[ $left == always ]] && exit 1
if ((left > 0)); then
    echo $((left - 1)) >"$CALLS/$name"
    exit 1
fi
"""


class Alertmanager:
    """Takes alerts, as Alertmanager does."""

    def __init__(self):
        alerts = self.alerts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                alerts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Dag(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="airflow-"))
        cls.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("WEIR", "AIRFLOW"))},
            "AIRFLOW_HOME": str(cls.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{cls.home}/airflow.db",
            "WEIR_JOB_RETRY_SECONDS": "1",
        }
        cls.airflow("db", "migrate")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home, ignore_errors=True)

    @classmethod
    def airflow(cls, *arguments, succeeds=True, **environment):
        done = subprocess.run(
            [AIRFLOW, *arguments],
            env={**cls.environment, **environment},
            cwd=cls.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        if succeeds and done.returncode != 0:
            raise AssertionError(f"airflow {' '.join(arguments)}: {done.returncode}\n{done.stdout[-8000:]}")
        return done

    def run_dag(self, failing=None, day=DAY, **environment):
        """Runs all of it; how it ended, and how the jobs were called, in their order."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        (folder / "weir").write_text(FAKE)
        (folder / "weir").chmod(0o755)
        for name, times in (failing or {}).items():
            (folder / name).write_text(f"{times}\n")
        self.alertmanager = Alertmanager()
        self.addCleanup(self.alertmanager.close)
        environment = {
            "PATH": f"{folder}:{self.environment['PATH']}",
            "CALLS": str(folder),
            "WEIR_GRPC": "http://processing:9090",
            "WEIR_ALERTMANAGER": self.alertmanager.url,
            **environment,
        }
        self.done = self.airflow("dags", "test", "weir_daily", f"{day}T02:00:00+00:00", succeeds=False, **environment)
        calls = folder / "all"
        return calls.read_text().splitlines() if calls.exists() else []

    def names(self, calls):
        return [call.split(" ")[1] for call in calls]

    def told(self):
        return [alert["labels"] for path, alerts in self.alertmanager.alerts for alert in alerts if path == "/api/v2/alerts"]

    def test_it_is_read_without_errors(self):
        listed = json.loads(self.airflow("dags", "list", "--local", "--output", "json").stdout.splitlines()[-1])
        self.assertEqual([dag["dag_id"] for dag in listed], ["weir_daily"])

    def test_each_runs_after_what_it_needs(self):
        calls = self.run_dag()
        self.assertEqual(self.done.returncode, 0, self.done.stdout[-4000:])
        self.assertEqual(sorted(self.names(calls)), ["compact", "conservation", "export-reference", "vacuum"])
        order = [name for name in self.names(calls) if name != "export-reference"]
        self.assertEqual(order, ["conservation", "compact", "vacuum"])
        self.assertIn(
            f"job conservation --from 2026-03-01T00:00:00Z --to {DAY}T00:00:00Z --grpc http://processing:9090", calls
        )
        self.assertIn("job compact", calls)
        self.assertIn("job export-reference --grpc http://processing:9090", calls)
        self.assertEqual(self.told(), [])

    def test_nothing_runs_after_what_failed_and_somebody_is_told(self):
        calls = self.run_dag({"conservation": "always"})
        self.assertNotEqual(self.done.returncode, 0, self.done.stdout[-4000:])
        self.assertEqual(self.names(calls).count("conservation"), 3, "once, and twice again")
        self.assertEqual(set(self.names(calls)), {"conservation", "export-reference"})
        self.assertEqual(
            self.told(), [{"alertname": "WeirJobFailed", "job": "conservation", "severity": "ticket"}], self.done.stdout[-4000:]
        )

    def test_what_succeeds_when_tried_again_has_succeeded(self):
        calls = self.run_dag({"compact": 1})
        self.assertEqual(self.done.returncode, 0, self.done.stdout[-4000:])
        self.assertEqual(self.names(calls).count("compact"), 2)
        self.assertEqual(self.names(calls)[-1], "vacuum")
        self.assertEqual(self.told(), [])

    def test_a_failure_in_the_middle_stops_what_is_behind_it_only(self):
        calls = self.run_dag({"compact": "always"})
        self.assertNotEqual(self.done.returncode, 0)
        self.assertEqual(set(self.names(calls)), {"conservation", "compact", "export-reference"})
        self.assertEqual([labels["job"] for labels in self.told()], ["compact"])

    def test_the_real_jobs_run(self):
        self.assertTrue(WEIR.exists(), "build it first: cargo build -p weir")
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.home))
        ports = free_ports(3)
        settings = {
            "WEIR__STREAMING__LISTEN": f"127.0.0.1:{ports[0]}",
            "WEIR__ADMIN__LISTEN": f"127.0.0.1:{ports[1]}",
            "WEIR__GRPC__LISTEN": f"127.0.0.1:{ports[2]}",
            "WEIR__BUS__DATA_DIR": str(folder / "data"),
            "WEIR__LAKE__ROOT": str(folder / "lake"),
        }
        with open(folder / "weir.log", "w") as log:
            up = subprocess.Popen(
                [WEIR, "up"], env={**self.environment, **settings}, cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            wait_until_ready(f"http://127.0.0.1:{ports[1]}/readyz", up)
            # The topics keep seven days: an older one cannot be counted.
            today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
            self.run_dag(day=today, WEIR_JOB=f"{WEIR} job", WEIR_GRPC="", **settings)
            self.assertEqual(self.done.returncode, 0, self.done.stdout[-8000:])
            self.assertTrue((folder / "lake" / "reference" / "registrations.parquet").exists())
            self.assertIn("everything arrived exactly once", self.done.stdout)
        finally:
            up.terminate()
            self.assertEqual(up.wait(30), 0)


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_until_ready(url, process):
    for _ in range(600):
        if process.poll() is not None:
            raise AssertionError(f"it ended: {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("it is not ready after a minute")


if __name__ == "__main__":
    unittest.main(verbosity=2)
