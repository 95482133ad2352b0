"""The example's agent server as a separate process that can be killed and restarted on the same port and folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.support.command import environment
from tests.support.paths import ROOT

SERVER = ROOT / "examples" / "agent" / "server.py"
READY = re.compile(r"The agent listens on http://127\.0\.0\.1:(\d+)")


class AgentServer:
    """A running `python examples/agent/server.py`. A step takes at least `pace` seconds."""

    def __init__(self, folder: Path, pace: float = 0.0, **variables: str) -> None:
        self.folder, self.pace, self.port = folder, pace, 0
        self._variables = variables
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> AgentServer:
        """Start the server and wait until it accepts requests."""
        options = ["--port", str(self.port), "--work", str(self.folder), "--pace", str(self.pace)]
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER), *options],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(**self._variables),
        )
        assert self._process.stdout is not None
        ready = READY.search(self._process.stdout.readline())
        assert ready, "the agent server did not start"
        self.port = int(ready[1])
        return self

    def kill(self) -> None:
        """Send SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def messages(self, run_id: str) -> list[tuple[str, str]]:
        """Return all messages of a run, as pairs of name and data, read from the agent's own file."""
        lines = (self.folder / run_id / "log.ndjson").read_text().splitlines()
        return [(event, data) for event, data, _ in map(json.loads, lines)]
