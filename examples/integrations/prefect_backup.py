"""A flow of Prefect on Signalbox: task runs as work items, one retry, and the lines of its log.

signalbox serve &
pip install prefect
python examples/integrations/prefect_backup.py

Prefect starts a server of its own for the time of the run.
"""

from __future__ import annotations

import time

from prefect import flow, get_run_logger, task

from signalbox.integrations import prefect as signalbox_prefect

signalbox_prefect.install()

tries = []


@task
def snapshot(volume: str) -> str:
    """Freeze a volume."""
    time.sleep(0.4)
    return f"{volume}@nightly"


@task(retries=2, retry_delay_seconds=1)
def upload(name: str) -> int:
    """Upload a snapshot. The storage refuses the first one."""
    tries.append(name)
    if len(tries) == 1:
        raise TimeoutError("the storage did not answer within 30 s")
    for part in range(1, 4):
        get_run_logger().info("%s: part %d of 3", name, part)
        time.sleep(0.3)
    return 3


@flow(name="nightly-backup")
def backup(volumes: list[str], secret_key: str) -> int:
    """Back up some volumes."""
    return sum(upload(snapshot(volume)) for volume in volumes)


if __name__ == "__main__":
    backup(["home", "mail", "photos"], secret_key="s3cr3t")
