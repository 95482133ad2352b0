"""Programs that enqueue and run jobs, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.libraries.queues.stored import Stored
from tests.support.command import environment
from tests.support.redis import RedisServer

APPS = Path(__file__).parent / "apps"


class Programs:
    """Starts programs of the folder `apps` that report to one store and use one Redis server."""

    def __init__(self, redis: RedisServer, folder: Path) -> None:
        self.redis, self.folder = redis, folder
        self.stored = Stored(f"sqlite:///{folder}/signalbox.db")
        self.variables = {"SIGNALBOX_STORE_URL": self.stored.url, "TEST_REDIS": redis.url, "PYTHONPATH": str(APPS)}

    def run(self, *command: str, **variables: str) -> str:
        """Run a program of this environment to its end and return its output."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment(**{**self.variables, **variables}),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def running(self, *command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a worker while the block is open. Its output is in `worker.log`."""
        with (self.folder / "worker.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=self.folder,
                env=environment(**{**self.variables, **variables}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                yield process
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.log}") from error
            finally:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
                    process.wait(5)

    @property
    def log(self) -> str:
        """The output of the workers."""
        return (self.folder / "worker.log").read_text(errors="replace")
