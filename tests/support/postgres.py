"""Private PostgreSQL servers for tests: on a free port, with their data in a temporary folder.

From the command line, `python -m tests.support.postgres` starts one, prints the URL of an empty database, and stops it
at Ctrl-C.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

from tests.support.daemon import free_port

USER, PASSWORD = "signalbox", "secret"
INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
MISSING = "PostgreSQL is not installed here"
START_TIMEOUT = 60
OWNER = "owner"
"""The file with the id of the process that uses a server."""

FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
}
"""Settings for tests that never lose the machine's power."""


@functools.cache
def programs() -> Path | None:
    """Return the folder with the programs of the newest PostgreSQL of this machine, or None."""
    folders = [folder for pattern in INSTALLED for folder in Path("/").glob(pattern[1:])]
    if (found := shutil.which("initdb")) is not None:
        folders.append(Path(found).parent)
    usable = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    return max(usable, key=_version, default=None)


def _version(folder: Path) -> int:
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.split()[2].partition(".")[0])


class Cluster:
    """A PostgreSQL server that a test may stop, kill and restart. Its port stays the same.

    `folder` must not exist yet, and its parent must be open to other users: PostgreSQL refuses to run as root, so for
    root it runs as `nobody`. Every user may connect from this machine without a password, unless `auth` says otherwise
    for connections over TCP. `superuser` owns the server. When the process `owner` has ended, `remove_orphans` may
    remove the server. By default that is this process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        auth: str = "trust",
        superuser: str = USER,
        owner: int | None = None,
        **settings: str,
    ) -> None:
        found = programs()
        assert found is not None, MISSING
        self._programs = found
        self._settings = FAST | {"max_connections": "200"} | settings
        self._user = "nobody" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._superuser = superuser
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        folder.mkdir()
        (folder / OWNER).write_text(str(owner or os.getpid()))
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._create_data(auth)

    def _create_data(self, auth: str) -> None:
        password = self.folder / "password"
        password.write_text(f"{PASSWORD}\n")
        password.chmod(0o644)
        authentication = ["--auth-host", auth, "--auth-local", "trust", "--pwfile", str(password)]
        options = ["--username", self._superuser, *authentication]
        self._run("initdb", "-D", str(self.data), *options, "--no-sync", "--encoding", "UTF8", "--locale", "C")

    def start(self) -> Cluster:
        """Start the server and wait until it accepts connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        options = [f"--{name}={value}" for name, value in (self._settings | settings).items()]
        with (self.folder / "log").open("ab") as log:
            command = [self._programs / "postgres", "-D", self.data, *options]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as())
        deadline = time.monotonic() + START_TIMEOUT
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PostgreSQL does not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)
        return self

    def ready(self) -> bool:
        """Return whether the server accepts connections."""
        command = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop the server: it disconnects its clients and writes everything to its files."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop the server at once, as a crash does: its clients get no message."""
        self._end(signal.SIGQUIT)

    def suspend(self) -> None:
        """Stop every process of the server, which keeps its connections and answers nothing until `resume()`."""
        os.kill(self.pid, signal.SIGSTOP)  # first, so that it starts no others
        stopped: set[int] = set()
        # The kernel's list of children leaves some out while one of them exits, so read it until it has no others.
        while others := set(self._children()) - stopped:
            for pid in others:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= others

    def resume(self) -> None:
        """Let a suspended server continue."""
        for pid in [*self._children(), self.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def limit_files(self, backend: int, size: int | None) -> None:
        """Let a process of the server write no file beyond this size in bytes, as on a full disk. None: any size."""
        limit = "unlimited" if size is None else str(size)
        command = ["prlimit", "--pid", str(backend), f"--fsize={limit}:"]
        subprocess.run(command, check=True, **self._as())

    def restart(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and delete its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str, *, user: str = USER, password: str = "", options: str = "") -> str:
        """Return the URL of a database."""
        login = f"{user}:{password}" if password else user
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}{options}"

    def create_database(self) -> str:
        """Create an empty database and return its URL, with the password."""
        name = f"test_{uuid.uuid4().hex}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name, password=PASSWORD)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the owner of the cluster, outside a transaction, and return its rows as text."""
        url = self.url(database, user=self._superuser, password=PASSWORD)
        return self._run("psql", "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement).strip()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(60)

    def _as(self) -> dict[str, object]:
        if self._user is None:
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}

    def _run(self, program: str, *arguments: str) -> str:
        command = [self._programs / program, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._as())
        assert done.returncode == 0, f"{program} failed: {done.stderr}"
        return done.stdout


class Standby(Cluster):
    """A server that streams everything from a running `primary`, and accepts only reads until `promote`."""

    def __init__(self, primary: Cluster, folder: Path, **settings: str) -> None:
        self._primary = primary
        super().__init__(folder, **settings)

    def _create_data(self, auth: str) -> None:
        source = self._primary.url("postgres", password=PASSWORD)
        copy = ["-D", str(self.data), "-d", source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        self._run("pg_basebackup", *copy)

    def promote(self) -> None:
        """Let the server accept writes. Returns when it does."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))


def remove_orphans(parent: Path) -> None:
    """Stop the servers in this folder whose owners were killed, and delete their data."""
    for folder in parent.glob("signalbox-*"):
        with suppress(OSError, ValueError):
            if not runs(int((folder / OWNER).read_text())):
                _stop_orphan(folder / "data")
                shutil.rmtree(folder, ignore_errors=True)
                Path(f"{folder}.lock").unlink(missing_ok=True)


def _stop_orphan(data: Path) -> None:
    with suppress(OSError, ValueError):
        pid = int((data / "postmaster.pid").read_text().split()[0])
        if str(data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGQUIT)


def runs(pid: int) -> bool:
    """Return whether a process with this id is running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    from tests.support.shared_postgres import memory_folder

    cluster = Cluster(memory_folder() / f"signalbox-postgres-{os.getpid()}")
    try:
        print(cluster.start().create_database(), flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        cluster.close()
