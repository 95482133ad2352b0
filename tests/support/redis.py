"""Private Redis servers for tests: on a free port, without stored data."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.support.daemon import find_program, free_port, wait_for_port


class RedisServer:
    """A Redis or Valkey server, which a test may stop, suspend and start again on the same port."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._command = [find_program("redis-server", "valkey-server")]
        self._options = options
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Return the URL of the server."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start the server and wait until it accepts connections."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        log = self._folder / "output.log"
        with log.open("ab") as output:
            command = [*self._command, *self._arguments(), *options, *self._options]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_for_port(self.port, self._process, log)
        return self

    def _arguments(self) -> list[str]:
        return []

    def suspend(self) -> None:
        """Let the server keep its connections and answer nothing until `resume()`."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server answer again."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Stop the server at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(60)

    def _send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)


class RedisSentinel(RedisServer):
    """A sentinel that watches one server under the name `main`, and needs half a second to replace it."""

    def __init__(self, folder: Path, watched: RedisServer) -> None:
        super().__init__(folder)
        self._file = folder / "sentinel.conf"
        self._file.write_text(
            f"sentinel monitor main 127.0.0.1 {watched.port} 1\n"
            "sentinel down-after-milliseconds main 500\n"
            "sentinel failover-timeout main 2000\n"
        )

    @property
    def configuration(self) -> str:
        """Return the configuration, to which the sentinel adds the servers that it finds."""
        return self._file.read_text()

    def _arguments(self) -> list[str]:
        return [str(self._file), "--sentinel"]
