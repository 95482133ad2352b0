"""Run nginx with its packaged configuration and one `proxy_pass` to a server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import daemon

PACKAGED = [Path(path) for path in ("/etc/nginx/nginx.conf", "/opt/homebrew/etc/nginx/nginx.conf")]

OWN = re.compile(r"^\s*(user|pid|error_log|access_log|include\s+\S*/(conf\.d|sites-enabled|servers)/)[^;]*;", re.M)
"""Lines of the packaged configuration that concern the machine, not the behaviour of nginx."""


@contextmanager
def nginx_before(port: int, folder: Path) -> Iterator[str]:
    """Run nginx in front of a loopback port and yield its address. Skip the test if nginx is not installed."""
    own = daemon.free_port()
    with _running(
        f"server {{ listen 127.0.0.1:{own}; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}", own, folder
    ):
        yield f"http://127.0.0.1:{own}"


@contextmanager
def nginx_before_several(ports: Sequence[int], folder: Path) -> Iterator[str]:
    """Run nginx in front of several servers, which get requests in turn while they can be reached. Yield its address.

    As `docs/postgresql.md` says, nginx passes the Host of the request on, and does not buffer streams.
    """
    own = daemon.free_port()
    servers = "".join(f"server 127.0.0.1:{port} fail_timeout=1s; " for port in ports)
    passing = (
        "proxy_pass http://signalbox; proxy_set_header Host $http_host; proxy_http_version 1.1; proxy_buffering off;"
    )
    site = f"upstream signalbox {{ {servers}}}\nserver {{ listen 127.0.0.1:{own}; location / {{ {passing} }} }}"
    with _running(site, own, folder):
        yield f"http://127.0.0.1:{own}"


@contextmanager
def _running(site: str, port: int, folder: Path) -> Iterator[None]:
    program = daemon.find_program("nginx")
    packaged = next((path for path in PACKAGED if path.exists()), None)
    if packaged is None:
        pytest.skip("nginx is not installed here from a package (apt install nginx-light)")
    folder.mkdir(exist_ok=True)
    http = f"http {{\naccess_log off;\n{temporary_paths(program, folder)}{site}\n"
    config = OWN.sub("", packaged.read_text()).replace("http {", http, 1)
    with daemon.run_daemon(command(program, folder, config), port, folder):
        yield


def command(program: str, folder: Path, config: str) -> list[str]:
    """Return the command that runs nginx as an ordinary user, with this configuration and its files in the folder."""
    file = folder / "nginx.conf"
    file.write_text(f"daemon off;\npid {folder / 'nginx.pid'};\n{config}")
    return [program, "-c", str(file), "-e", str(folder / "error.log")]


def temporary_paths(program: str, folder: Path) -> str:
    """Return directives that put temporary files into the folder, for the modules that this nginx was built with."""
    built = subprocess.run([program, "-V"], capture_output=True, text=True).stderr
    return "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        if f"--http-{name.replace('_', '-')}-temp-path" in built
    )
