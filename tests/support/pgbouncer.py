"""A private PgBouncer for tests: a proxy that lets many clients share the connections to a PostgreSQL server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.daemon import find_program, free_port, run_daemon
from tests.support.postgres import PASSWORD, USER


@contextmanager
def pgbouncer(folder: Path, url: str, mode: str, **settings: str) -> Iterator[str]:
    """Run a PgBouncer in front of the server of a database's URL, and yield the URL through the proxy.

    `mode` is its `pool_mode`, and `settings` are others of its settings.
    """
    program, port = find_program("pgbouncer"), free_port()
    server, _, database = url.rpartition("/")
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        **settings,
    }
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.rpartition(':')[2]} user={USER} password={PASSWORD}\n"
        + "[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    # It refuses to run as root.
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with run_daemon([program, *user, str(configuration)], port, folder):
        yield f"postgresql://{USER}@127.0.0.1:{port}/{database}"
