"""One PostgreSQL server for all tests of a run. The first test that needs it starts it, whichever worker it runs in.

A process of its own keeps the server. It ends both when the test run has ended, even if the run was killed. If the
keeper was killed too, the next run removes the server.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psycopg

from signalbox.store.postgresql.migrations import migrate
from tests.support.paths import ROOT
from tests.support.postgres import Cluster, remove_orphans, runs

EXISTING = "SIGNALBOX_TEST_POSTGRES"
"""A variable with the URL of a running server, which the tests then use instead of starting their own."""


def memory_folder() -> Path:
    """Return a folder in memory if there is one with enough space, else the folder of temporary files."""
    memory = Path("/dev/shm")
    enough = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    return memory if enough else Path(tempfile.gettempdir())


def create_database(*, empty: bool = False) -> str:
    """Create a database with the newest schema, or an `empty` one, on the shared server, and return its URL.

    A copy of a migrated database takes a quarter of the time of an empty one and its migrations.
    """
    name = f"test_{uuid.uuid4().hex}"
    _execute(f"CREATE DATABASE {name}" if empty else f"CREATE DATABASE {name} TEMPLATE {_template()} {_strategy()}")
    return f"{_server()}/{name}"


@functools.cache
def _template() -> str:
    """Create the database of which this process makes copies. A copy gets its own epoch and key when it is opened."""
    name = f"template_{uuid.uuid4().hex}"
    _execute(f"CREATE DATABASE {name}")
    with psycopg.connect(f"{_server()}/{name}", autocommit=True) as connection:
        migrate(connection)
    return name


def _strategy() -> str:
    # Copying files is fastest, because the server of the tests writes nothing to a disk.
    return "STRATEGY file_copy" if _connection().info.server_version >= 150_000 else ""


def _execute(statement: str) -> None:
    try:
        _connection().execute(statement)
    except psycopg.OperationalError:
        _connection.cache_clear()
        _connection().execute(statement)


@functools.cache
def _connection() -> psycopg.Connection:
    return psycopg.connect(f"{_server()}/postgres", autocommit=True)


@functools.cache
def _server() -> str:
    """Return the URL of the shared server without a database, and start the server if this is the first call."""
    existing = os.environ.get(EXISTING)
    if existing:
        return existing.rpartition("/")[0] if existing.count("/") > 2 else existing
    # All workers of pytest-xdist have the same parent, the process that the user started.
    owner = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    folder = memory_folder() / f"signalbox-postgres-{owner}"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = folder / "address"
        if not address.exists():
            _start_keeper(owner, folder)
        return address.read_text()


def _start_keeper(owner: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "tests.support.shared_postgres", str(owner), str(folder)]
    keeper = subprocess.Popen(
        command,
        cwd=ROOT,
        start_new_session=True,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert keeper.stdout is not None
    said = keeper.stdout.readline()
    assert said == "ready\n", said + keeper.stdout.read()
    keeper.stdout.close()


def keep(owner: int, folder: Path) -> None:
    """Run a server until the process `owner` ends."""
    remove_orphans(folder.parent)
    cluster = Cluster(folder, owner=owner)
    try:
        cluster.start()
        (folder / "address").write_text(cluster.url("").rstrip("/"))
        print("ready", flush=True)
        while runs(owner):
            time.sleep(0.5)
    finally:
        cluster.close()
        Path(f"{folder}.lock").unlink(missing_ok=True)


if __name__ == "__main__":
    keep(int(sys.argv[1]), Path(sys.argv[2]))
