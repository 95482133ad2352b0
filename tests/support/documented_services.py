"""The services of an imitated machine: what `systemctl` does there."""

from __future__ import annotations

import configparser
import shlex
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support import daemon, nginx
from tests.support.documented import Machine
from tests.support.postgres import Cluster

UNITS = Path("etc/systemd/system")


class Services:
    """Starts and stops the units in `/etc/systemd/system`, nginx with its `conf.d`, and a given PostgreSQL server.

    `nginx_port` is a port of that configuration. As with systemd, a started nginx answers there.
    """

    def __init__(self, machine: Machine, postgresql: Cluster, nginx_port: int) -> None:
        self._machine, self._nginx_port = machine, nginx_port
        self._postgresql = postgresql
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.logs = machine.root / "logs"
        self.logs.mkdir()

    def systemctl(self, words: Sequence[str]) -> None:
        """Do what `systemctl WORDS` does."""
        action, *names = [word for word in words if not word.startswith("--")]
        for name in names:
            if action in ("stop", "restart"):
                self._stop(name)
            if action in ("start", "restart", "enable"):
                self._start(name)
            if action == "reload":
                self._stop(name)
                self._start(name)

    def nginx(self, words: Sequence[str]) -> None:
        """Do what `nginx -t` does: check the configuration."""
        command = [*self._nginx(), *words]
        checked = subprocess.run(command, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr

    def log(self) -> str:
        """Return the output of all units."""
        return "".join(file.read_text() for file in sorted(self.logs.iterdir()))

    def close(self) -> None:
        for name in list(self._running):
            self._stop(name)

    def _start(self, name: str) -> None:
        if name == "postgresql":
            self._postgresql.start()
        elif name == "nginx":
            self._run(name, self._nginx(), {})
            daemon.wait_for_port(self._nginx_port, self._running[name], self.logs / "nginx.log")
        else:
            self._start_unit(name)

    def _start_unit(self, name: str) -> None:
        template, _, instance = name.partition("@")
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string((self._machine.root / UNITS / f"{template}@.service").read_text())
        service = {key: self._machine.here(value.replace("%i", instance)) for key, value in unit["Service"].items()}
        environment = dict([service["Environment"].split("=", 1)])
        settings = Path(service["EnvironmentFile"]).read_text().splitlines()
        environment |= dict(line.split("=", 1) for line in settings if line and not line.startswith("#"))
        self._run(name, shlex.split(service["ExecStart"]), environment, Path(service["WorkingDirectory"]))

    def _run(self, name: str, command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
        with (self.logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=folder, env=self._machine.environment | environment, stdout=log, stderr=log
            )

    def _stop(self, name: str) -> None:
        if name == "postgresql":
            self._postgresql.stop()
        elif (process := self._running.pop(name, None)) is not None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def _nginx(self) -> list[str]:
        program = daemon.find_program("nginx")
        folder = self._machine.root / "nginx"
        folder.mkdir(exist_ok=True)
        sites = self._machine.root / "etc/nginx/conf.d/*.conf"
        places = nginx.temporary_paths(program, folder)
        return nginx.command(program, folder, f"events {{}}\nhttp {{ access_log off;\n{places}include {sites};\n}}\n")
