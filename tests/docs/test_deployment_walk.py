"""Follow docs/deployment.md with its own commands, from an empty machine to three processes behind nginx."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from signalbox.store import NewEvent, open_store
from tests.support import postgres
from tests.support.daemon import free_port
from tests.support.documented import Machine, commands
from tests.support.documented_services import Services
from tests.support.log import log_of
from tests.support.markdown import blocks
from tests.support.paths import ROOT
from tests.support.postgres import Cluster
from tests.support.redis import RedisServer
from tests.support.shared_postgres import memory_folder
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

DOCUMENT = (ROOT / "docs" / "deployment.md").read_text()
DATABASE_PASSWORD = "letters1and2digits"
ACCOUNT_PASSWORD = "a password for tests"
PROMPTS = {"createuser": [DATABASE_PASSWORD] * 2, "signalbox user add": [ACCOUNT_PASSWORD] * 2}
"""What a person types when a command asks for a password."""


class Walk:
    """A machine on which the commands of the document are run."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        archive = {name: value.strip("'") for name, value in archive_settings()}
        place = memory_folder() / f"signalbox-walk-{uuid.uuid4().hex}"
        archive["archive_command"] = archive["archive_command"].replace("/var/lib/postgresql", str(place))
        self.cluster = Cluster(place, auth="scram-sha-256", superuser="postgres", **archive)
        resources.callback(self.cluster.close)
        self.redis = RedisServer(folder / "redis").start()
        resources.callback(self.redis.kill)
        self.ports = [free_port() for _ in range(5)]
        replaced = {
            "/var/lib/postgresql/15/main": str(self.cluster.data),
            "/var/lib/postgresql": str(place),
            "127.0.0.1/signalbox": f"127.0.0.1:{self.cluster.port}/signalbox",
            "127.0.0.1:6379": f"127.0.0.1:{self.redis.port}",
            "PASSWORD@": f"{DATABASE_PASSWORD}@",
        }
        replaced |= {str(8001 + number): str(self.ports[number]) for number in range(3)}
        connection = {"PGHOST": str(place), "PGPORT": str(self.cluster.port), "PGUSER": "postgres"}
        programs = postgres.programs()
        self.machine = Machine(
            folder / "machine",
            replaced=replaced,
            environment={**connection, "PATH": f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin"},
            postgres_user="nobody" if os.geteuid() == 0 else None,
        )
        self.root = self.machine.root
        for made in ("etc/systemd/system", "etc/nginx/conf.d", "etc/ssl", "var/lib", "opt/signalbox-source"):
            (self.root / made).mkdir(parents=True)
        (place / "archive").mkdir()
        if self.machine.postgres_user:
            shutil.chown(place / "archive", self.machine.postgres_user)
        self._copy_deploy()
        (self.root / ".curlrc").write_text(f'connect-to = "console.example.org:443:127.0.0.1:{self.ports[3]}"\n')
        self.services = Services(self.machine, self.cluster, self.ports[3])
        resources.callback(self.services.close)
        self.machine.handlers |= {
            "apt-get": lambda words: None,
            "useradd": lambda words: Path(words[words.index("--home-dir") + 1]).mkdir(),
            "install": lambda words: Path(words[-1]).touch(mode=0o640),
            "python3": self._make_venv,
            "/opt/signalbox/bin/pip": self._pip,
            "systemctl": self.services.systemctl,
            "nginx": self.services.nginx,
        }
        self.cluster.start()

    def _copy_deploy(self) -> None:
        """Copy `deploy/` with the ports of this test. Ports below 1024 may be taken."""
        listen = {
            "listen 80;": f"listen 127.0.0.1:{self.ports[4]};",
            "listen 443 ": f"listen 127.0.0.1:{self.ports[3]} ",
        }
        target = self.root / "opt/signalbox-source/deploy"
        target.mkdir()
        for name in ("nginx.conf", "signalbox@.service"):
            text = (ROOT / "deploy" / name).read_text()
            for old, new in (self.machine.replaced | listen).items():
                text = text.replace(old, new)
            (target / name).write_text(self.machine.here(text) if name == "nginx.conf" else text)

    def _make_venv(self, words: list[str]) -> None:
        assert words[:2] == ["-m", "venv"]
        folder = Path(words[2]) / "bin"
        folder.mkdir(parents=True)
        (folder / "signalbox").symlink_to(Path(sys.executable).parent / "signalbox")

    def _pip(self, words: list[str]) -> None:
        found = re.fullmatch(r"'\.\[([\w,]+)\]'", words[-1])
        assert words[0] == "install"
        assert found
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert project["optional-dependencies"].keys() >= set(found[1].split(","))

    def follow(self, mark: str = "") -> str:
        """Run the commands with this mark in order, and return what they print."""
        printed = []
        for command in commands(DOCUMENT, mark):
            typed = next((typed for part, typed in PROMPTS.items() if part in command), ())
            printed.append(self.machine.run(command, typed))
        assert printed, f"the document has no commands with the mark {mark!r}"
        return "".join(printed)

    @property
    def url(self) -> str:
        """The URL of the store, as in the file with the settings."""
        (line,) = re.findall(r"^SIGNALBOX_STORE_URL=(.*)$", (self.root / "etc/signalbox.env").read_text(), re.M)
        return str(line)

    def epoch(self) -> str:
        """Return the epoch that the database has now."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT value FROM store_facts WHERE name = 'epoch'").fetchone()
        return str(row[0]) if row else ""

    def append(self, *messages: str) -> None:
        """Append to the task `run`, as a program with the database's URL does."""
        store = open_store(self.url)
        store.append("run", [NewEvent(event_type="log", payload={"message": message}) for message in messages])
        store.close()

    def messages(self) -> list[str]:
        """Return the messages of the task `run`."""
        store = open_store(self.url)
        found = [str(event.payload["message"]) for event in log_of(store, "run")]
        store.close()
        return found

    def ready(self) -> None:
        """Wait until all processes are ready."""
        for port in self.ports[:3]:
            get = (
                f"curl --silent --write-out '%{{http_code}}' --output /dev/null http://127.0.0.1:{port}/readyz || true"
            )
            wait_until(lambda get=get: self.machine.run(get) == "200", 30, get)  # type: ignore[misc]


def archive_settings() -> Iterator[tuple[str, str]]:
    (block,) = (block for block in blocks(DOCUMENT) if block.mark == "archive.conf")
    for line in block.text.splitlines():
        name, _, value = line.partition(" = ")
        yield name, value


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A machine after all steps of the section `Three processes on one machine`."""
    folder = tmp_path_factory.mktemp("walk")
    (folder / "machine").mkdir()
    with ExitStack() as resources:
        walk = Walk(folder, resources)
        walk.follow()
        walk.follow("nginx")
        yield walk
        log = walk.services.log()
    assert "Traceback" not in log, log


@pytest.mark.long
def test_the_documented_steps_lead_to_three_processes_behind_nginx(walk: Walk) -> None:
    assert '"ok"' in walk.follow("check")
    get = (
        "curl --silent --insecure --header 'Accept: text/html' --output /dev/null"
        " --write-out '%{http_version} %{http_code} %{redirect_url}'"
    )
    assert walk.machine.run(f"{get} https://console.example.org/tasks") == (
        "2 303 https://console.example.org/login?next=/tasks"
    )
    assert (walk.root / "etc/signalbox.env").stat().st_mode & 0o007 == 0
    for port in walk.ports[:3]:
        assert walk.machine.run(f"{get} http://127.0.0.1:{port}/readyz") == "1.1 200 "


@pytest.mark.long
def test_the_documented_update_leaves_all_processes_ready(walk: Walk) -> None:
    walk.follow("update")
    walk.ready()


@pytest.mark.long
def test_a_restored_dump_starts_a_new_epoch(walk: Walk) -> None:
    walk.append("in the dump")
    before, epoch = walk.messages(), walk.epoch()
    walk.follow("dump")
    walk.append("after the dump")
    walk.follow("restore")
    walk.ready()
    assert walk.messages() == before
    assert walk.epoch() not in ("", epoch)


@pytest.mark.long
def test_a_recovery_to_a_moment_starts_a_new_epoch(walk: Walk) -> None:
    walk.append("before the moment")
    walk.follow("base")
    walk.append("in the archive")
    before, epoch = walk.messages(), walk.epoch()
    moment = walk.machine.run("psql -qtA -d signalbox -c 'SELECT now()'").strip()
    walk.append("after the moment")
    walk.machine.replaced["2026-11-27 04:00:00+00"] = moment
    walk.follow("recover")
    walk.ready()
    assert walk.messages() == before
    assert walk.epoch() not in ("", epoch)


@pytest.mark.long
def test_the_documented_command_gives_a_copied_database_a_new_epoch(walk: Walk) -> None:
    epoch = walk.epoch()
    walk.follow("epoch")
    wait_until(lambda: walk.epoch() not in ("", epoch))
