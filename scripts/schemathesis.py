"""`make schemathesis`: send every route many requests that its OpenAPI document allows or forbids.

The callers are an anonymous one on a server without accounts, and the tokens of an owner and of a reader of one project
on a server with accounts. Schemathesis has its own environment, because nothing else needs its 70 MB. Streams and
`/api/wait` are left out because they do not end soon; `tests/api/test_document.py` tests them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.example_run import fill
from tests.support.people import project, token, wait_until_guarded
from tests.support.server import Server

ENVIRONMENT = Path(".venv-schemathesis")
REQUIREMENT = "schemathesis==4.32.5"
STREAMS = "^/sse/(tasks|events)|/stream$|^/api/sse/events|^/api/agui/|^/api/wait$"
SECONDS = "60"
CONFIGURATION = """\
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 410, 429, "5xx"]
"""
"""An identity that a task does not have is valid data, and the response is 410."""


def main(options: list[str]) -> int:
    """Run Schemathesis for each caller with these options of its own. Return 1 if it found anything."""
    with tempfile.TemporaryDirectory() as folder:
        servers = [Server(Path(folder, name)) for name in ("open", "guarded")]
        for server in servers:
            server.path.parent.mkdir()
            server.start()
        try:
            anonymous, guarded = servers
            fill(anonymous.store)
            project(guarded.store, "ours")
            fill(guarded.store, "ours")
            owner = token(guarded.store, "owner")
            reader = token(guarded.store, "reader", project_id="ours", scopes=("read",))
            wait_until_guarded(guarded)
            configuration = Path(folder, "schemathesis.toml")
            configuration.write_text(CONFIGURATION)
            program = [install(), "--config-file", str(configuration)]
            callers = ((anonymous, {}), (guarded, owner), (guarded, reader))
            return max(run(program, server, headers, options) for server, headers in callers)
        finally:
            for server in servers:
                server.close()


def install() -> str:
    """Install Schemathesis unless it is installed, and return the path of the program."""
    program = ENVIRONMENT / "bin" / "schemathesis"
    marker = ENVIRONMENT / REQUIREMENT
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        subprocess.run([*pip, REQUIREMENT], check=True)
        marker.touch()
    return str(program)


def run(program: list[str], server: Server, headers: dict[str, str], options: list[str]) -> int:
    """Run Schemathesis with these headers. Return 1 if it found anything, else 0."""
    command = [*program, "run", f"{server.url}/api/openapi.json", "--checks", "all", "--exclude-path-regex", STREAMS]
    command += ["--request-timeout", "10", "--max-time", SECONDS, "--no-color"]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    return int(subprocess.run([*command, *options], check=False).returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
