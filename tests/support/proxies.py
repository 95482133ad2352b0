"""The proxies of `examples/proxies/`, each in front of two servers: one at `/`, one below `/signalbox`.

The example files are used unchanged, except for addresses, ports and file names. They are wrapped in the settings that
a proxy needs to run as an ordinary user in its own folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import daemon, nginx
from tests.support.paths import ROOT

CONFIGURATIONS = ROOT / "examples" / "proxies"
MODULES = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/opt/homebrew/lib/httpd/modules")
PREFIX = "/signalbox"


Configuration = Callable[..., str]
"""Read a file of `examples/proxies/` with its ports and other given texts replaced."""


@contextmanager
def proxy_before(name: str, root: int, below: int, folder: Path, certificate: Path | None = None) -> Iterator[str]:
    """Run a proxy in front of the ports `root` and `below` and yield its address. Skip the test if it is not installed.

    nginx speaks TLS with the `certificate`, whose key lies next to it.
    """
    program = daemon.find_program(*PROGRAMS[name])
    folder.mkdir(parents=True, exist_ok=True)
    port = daemon.free_port()

    def configuration(file: str, *replace: tuple[str, str]) -> str:
        text = (CONFIGURATIONS / file).read_text()
        for old, new in (("127.0.0.1:8000", f"127.0.0.1:{root}"), ("127.0.0.1:8001", f"127.0.0.1:{below}"), *replace):
            assert old in text, f"{file} has no {old!r}"
            text = text.replace(old, new)
        return text

    if certificate:
        command = nginx_site(program, port, folder, configuration, certificate)
    else:
        command = COMMANDS[name](program, port, folder, configuration)
    with daemon.run_daemon(command, port, folder):
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"


def nginx_site(
    program: str, port: int, folder: Path, configuration: Configuration, certificate: Path | None = None
) -> list[str]:
    plain, secure = "    listen 80;\n", "    listen 443 ssl http2;\n"
    names = "/etc/ssl/console.example.org.pem", "/etc/ssl/console.example.org.key"
    if certificate:
        key = str(certificate.with_suffix(".key"))
        other = (plain, ""), (secure, f"listen 127.0.0.1:{port} ssl http2;\n")
        site = configuration("nginx.conf", *other, (names[0], str(certificate)), (names[1], key))
    else:
        keys = (f"    ssl_certificate     {names[0]};\n", ""), (f"    ssl_certificate_key {names[1]};\n", "")
        site = configuration("nginx.conf", (plain, f"listen 127.0.0.1:{port};\n"), (secure, ""), *keys)
    places = nginx.temporary_paths(program, folder)
    return nginx.command(program, folder, f"events {{}}\nhttp {{ access_log off; gzip on;\n{places}{site}}}\n")


def caddy(program: str, port: int, folder: Path, configuration: Configuration) -> list[str]:
    site = configuration("Caddyfile", ("console.example.org {", f"http://127.0.0.1:{port} {{"))
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{site}")
    return [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def haproxy(program: str, port: int, folder: Path, configuration: Configuration) -> list[str]:
    (folder / "haproxy.cfg").write_text(configuration("haproxy.cfg", ("bind :80\n", f"bind 127.0.0.1:{port}\n")))
    return [program, "-db", "-f", str(folder / "haproxy.cfg")]


def apache(program: str, port: int, folder: Path, configuration: Configuration) -> list[str]:
    modules = next((place for place in MODULES if Path(place).exists()), MODULES[0])
    module_names = ("mpm_event", "authz_core", "headers", "proxy", "proxy_http", "proxy_wstunnel")
    loads = [
        f"LoadModule {name}_module {modules}/mod_{name}.so"
        for name in module_names
        if (Path(modules) / f"mod_{name}.so").exists()
    ]
    site = configuration("apache.conf", ("<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{port}>"))
    around = [
        f"ServerRoot {folder}",
        f"PidFile {folder}/apache.pid",
        f"DefaultRuntimeDir {folder}",
        f"ErrorLog {folder}/error.log",
        "ServerName 127.0.0.1",
        f"Listen 127.0.0.1:{port}",
        *loads,
        site,
    ]
    (folder / "apache.conf").write_text("\n".join(around))
    return [program, "-d", str(folder), "-f", str(folder / "apache.conf"), "-D", "FOREGROUND"]


def traefik(program: str, port: int, folder: Path, configuration: Configuration) -> list[str]:
    (folder / "traefik-routes.yml").write_text(configuration("traefik-routes.yml"))
    static = (CONFIGURATIONS / "traefik.yml").read_text().replace('":80"', f'"127.0.0.1:{port}"')
    (folder / "traefik.yml").write_text(static)
    return [program, f"--configfile={folder / 'traefik.yml'}"]


PROGRAMS = {
    "nginx": ("nginx",),
    "caddy": ("caddy",),
    "haproxy": ("haproxy",),
    "apache": ("apache2", "httpd"),
    "traefik": ("traefik",),
}
COMMANDS = {"nginx": nginx_site, "caddy": caddy, "haproxy": haproxy, "apache": apache, "traefik": traefik}
