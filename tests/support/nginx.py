"""nginx as its package configures it, with one `proxy_pass` to a server."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
PACKAGED = [Path(path) for path in ("/etc/nginx/nginx.conf", "/opt/homebrew/etc/nginx/nginx.conf")]

OWN = re.compile(r"^\s*(user|pid|error_log|access_log|include\s+\S*/(conf\.d|sites-enabled|servers)/)[^;]*;", re.M)
"""What the package's configuration says about the machine, not about how nginx behaves."""


@contextmanager
def nginx_before(port: int, folder: Path) -> Iterator[str]:
    """The address of an nginx before a port of loopback. Skips the test where there is no nginx to run."""
    program = shutil.which("nginx", path=PATH)
    packaged = next((path for path in PACKAGED if path.exists()), None)
    if program is None or packaged is None:
        pytest.skip("nginx is not installed here; with its package (apt install nginx-light) this test runs")
    own = _free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_configuration(program, packaged.read_text(), own, port, folder))
    command = [program, "-c", str(config), "-e", str(folder / "error.log")]
    with subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait_for(own, process)
            yield f"http://127.0.0.1:{own}"
        finally:
            process.terminate()


def _configuration(program: str, packaged: str, own: int, port: int, folder: Path) -> str:
    built = subprocess.run([program, "-V"], capture_output=True, text=True).stderr
    places = "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        if f"--http-{name.replace('_', '-')}-temp-path" in built
    )
    site = f"server {{ listen 127.0.0.1:{own}; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"
    http = f"http {{\naccess_log off;\n{places}{site}\n"
    return f"pid {folder / 'nginx.pid'};\n" + OWN.sub("", packaged).replace("http {", http, 1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                assert process.stderr is not None
                process.kill()
                raise AssertionError(f"nginx does not start: {process.stderr.read()}") from None
            time.sleep(0.02)
