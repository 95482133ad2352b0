"""Fixtures of all tests: real servers over real database files."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from signalbox.store import open_store
from signalbox.store.sqlite import SqliteStore
from tests.support.paths import ROOT
from tests.support.server import Server

MAY_BE_MISSING = "traefik is not installed here"
"""The one reason for which a test may be skipped in CI: Debian has no Traefik."""

# Tests talk to this machine alone. A client that loads every public certificate authority takes 30 ms longer to make.
os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "support" / "authority.pem")

# Tests kill processes but never the machine: their databases need no disk. Many containers have a tiny /dev/shm.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell lets what it starts in the background ignore Ctrl-C, and the commands under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test is a failure: there everything that a test needs is installed."""
    report = yield
    return _without_skips(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    return _without_skips(report)


R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


def _without_skips(report: R) -> R:
    if report.outcome == "skipped" and os.environ.get("CI") in ("true", "1") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if MAY_BE_MISSING not in reason:
            report.outcome = "failed"
            report.longrepr = f"a test may not be skipped in CI ({reason})"
    return report


STARTERS = frozenset(f"tests.support.{name}" for name in ("agent_server", "command", "daemon", "terminal"))
STARTERS |= {"tests.support.nginx", "tests.support.proxies"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start programs, or servers that they do not share: `make quick` leaves them out.

    Their files come first. They take longest, so no worker has one of them left when the others have finished.
    """
    slow = set()
    for item in items:
        module = vars(item.module) if isinstance(item, pytest.Function) else {}
        starts = "subprocess" in module or any(getattr(v, "__module__", None) in STARTERS for v in module.values())
        if starts or {"start_server", "page", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("programs")
            slow.add(item.path)
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of a module, with default settings."""
    running = Server(tmp_path_factory.mktemp("server")).start()
    yield running
    running.close()
    assert "Traceback" not in running.log, running.log


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """That server; for a test that is tried again one of its own, as the tasks of its first try are there already."""
    again = getattr(request.node, "execution_count", 1) > 1
    if again and "shared_server" not in request.fixturenames:
        start: Callable[..., Server] = request.getfixturevalue("start_server")
        return start()
    shared: Server = request.getfixturevalue("shared_server")
    return shared


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a server of its own, with the settings given."""
    started: list[Server] = []

    def start(**settings: Any) -> Server:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(Server(folder, **settings))
        return started[-1].start()

    yield start
    for running in started:
        running.close()
        assert "Traceback" not in running.log, running.log


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The address of a database of one test's own."""
    return f"sqlite:///{tmp_path}/signalbox.db"


@pytest.fixture
def store(url: str) -> Iterator[SqliteStore]:
    """That database, open."""
    opened = open_store(url)
    yield opened
    opened.close()
