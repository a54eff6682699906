"""Weir's periodic work, once a day, each job after those that it needs.

    conservation ──▶ compact ──▶ vacuum
    export_reference

Nothing is rewritten or deleted before all of yesterday is known to be in the lake. A failed job is retried twice. Then the
jobs after it do not run, and Alertmanager gets an alert.

The workers need the program ``weir`` and its settings, as it reads them anywhere (WEIR__LAKE__ROOT,
WEIR__BUS__KAFKA__BROKERS, ...). What this file reads:

    WEIR_JOB                the command of the jobs, by default "weir job"; with options:
                            "weir job --config /etc/weir/jobs.toml"
    WEIR_GRPC               gRPC address of processing, as http://processing:9090; by default that of the settings
    WEIR_ALERTMANAGER       address of Alertmanager, as http://alertmanager:9093; without it no alert is sent
    WEIR_JOB_RETRY_SECONDS  seconds before the first retry, 300 by default; twice as long before the second
"""

import json
import os
import urllib.request
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

WEIR_JOB = os.environ.get("WEIR_JOB", "weir job")
GRPC = f" --grpc {os.environ['WEIR_GRPC']}" if os.environ.get("WEIR_GRPC") else ""
ALERTMANAGER = os.environ.get("WEIR_ALERTMANAGER", "")
RETRY = timedelta(seconds=float(os.environ.get("WEIR_JOB_RETRY_SECONDS", "300")))


def alert(context):
    """Tells Alertmanager which job has failed for good."""
    if not ALERTMANAGER:
        return
    task = context["ti"]
    alerts = [
        {
            "labels": {"alertname": "WeirJobFailed", "job": task.task_id, "severity": "ticket"},
            "annotations": {
                "summary": f"weir job {task.task_id} has failed",
                "description": f"Run {task.run_id}: its log in Airflow has the output of the job. The jobs after it did not run.",
            },
        }
    ]
    request = urllib.request.Request(
        f"{ALERTMANAGER.rstrip('/')}/api/v2/alerts",
        data=json.dumps(alerts).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def job(name, arguments):
    return BashOperator(
        task_id=name.replace("-", "_"),
        bash_command=f"exec {WEIR_JOB} {name}{arguments}",
        append_env=True,
        # What must not wait for ever: the jobs have limits of their own for what they ask.
        execution_timeout=timedelta(hours=2),
    )


with DAG(
    dag_id="weir_daily",
    description="Conservation, compaction, vacuum and reference data of Weir",
    # Two hours after the day is over: by then all of it has been loaded.
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 2,
        "retry_delay": RETRY,
        "retry_exponential_backoff": True,
        "on_failure_callback": alert,
    },
    tags=["weir"],
):
    yesterday = " --from {{ macros.ds_add(ds, -1) }}T00:00:00Z --to {{ ds }}T00:00:00Z"
    conservation = job("conservation", yesterday + GRPC)
    compact = job("compact", "")
    vacuum = job("vacuum", "")
    export_reference = job("export-reference", GRPC)

    conservation >> compact >> vacuum
