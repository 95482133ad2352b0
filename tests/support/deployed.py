"""The proxies of `deploy/`, each in front of several servers.

The files are used unchanged, except for the addresses of the servers, the certificate and the port.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import daemon, nginx
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
FIRST_PORT = 8001
"""The port of the first process in the files; the others follow."""


def certificate(folder: Path) -> Path:
    """Create a self-signed certificate for console.example.org and return its file. The key lies beside it (.key)."""
    file = folder / "certificate.pem"
    subject = ["-subj", "/CN=console.example.org", "-addext", "subjectAltName=DNS:console.example.org,IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command = ["openssl", "req", *kind, *subject, "-keyout", str(file.with_suffix(".key")), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    return file


@contextmanager
def nginx_before_fleet(ports: Sequence[int], folder: Path, secure: Path | None = None) -> Iterator[str]:
    """Run nginx with `deploy/nginx.conf` in front of these ports and yield its address.

    With the certificate `secure` it uses TLS and HTTP/2, else neither.
    """
    program, port = daemon.find_program("nginx"), daemon.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    site = with_ports((DEPLOY / "nginx.conf").read_text(), ports)
    # The server on port 80 only redirects to the other one.
    site = _removed(site, r"^server \{\n    listen 80;\n(    .*\n)*\}\n")
    if secure:
        site = _replaced(site, "listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;")
        site = _replaced(site, "/etc/ssl/console.example.org.pem", str(secure))
        site = _replaced(site, "/etc/ssl/console.example.org.key", str(secure.with_suffix(".key")))
    else:
        site = _replaced(site, "listen 443 ssl http2;", f"listen 127.0.0.1:{port};")
        site = _removed(site, r"^    ssl_certificate.*\n", count=2)
    places = nginx.temporary_paths(program, folder)
    config = f"events {{ worker_connections 4096; }}\nhttp {{ access_log off;\n{places}{site}}}\n"
    with daemon.run_daemon(nginx.command(program, folder, config), port, folder):
        yield f"{'https' if secure else 'http'}://127.0.0.1:{port}"


@contextmanager
def caddy_before_fleet(ports: Sequence[int], folder: Path, secure: Path | None = None) -> Iterator[str]:
    """Run Caddy with `deploy/Caddyfile` in front of these ports and yield its address; `secure` as for nginx."""
    program, port = daemon.find_program("caddy"), daemon.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{'https' if secure else 'http'}://127.0.0.1:{port}"
    tls = f"\n\ttls {secure} {secure.with_suffix('.key')}" if secure else ""
    site = with_ports((DEPLOY / "Caddyfile").read_text(), ports)
    site = _replaced(site, "console.example.org {", f"{address} {{{tls}")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{site}")
    command = [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with daemon.run_daemon(command, port, folder):
        yield address


def with_ports(text: str, ports: Sequence[int]) -> str:
    """Replace the addresses of the processes in a configuration by these ports of this machine."""
    for number, port in enumerate(ports):
        text = _replaced(text, f"127.0.0.1:{FIRST_PORT + number}", f"127.0.0.1:{port}")
    return text


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the file has no {old!r}"
    return text.replace(old, new)


def _removed(text: str, pattern: str, count: int = 1) -> str:
    text, found = re.subn(pattern, "", text, flags=re.MULTILINE)
    assert found == count, f"{pattern!r} is {found} times in the file"
    return text
