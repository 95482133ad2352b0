"""Fixtures of all tests: real servers with real database files."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import pytest

from signalbox.store import open_store
from signalbox.store.sqlite import SqliteStore
from tests.support.constants import Constants, changed, constants
from tests.support.kept_compilations import keep_compilations
from tests.support.kept_tls_context import keep_tls_context
from tests.support.paths import ROOT
from tests.support.patient_clients import wait_patiently
from tests.support.quick_passwords import use_quick_hashes
from tests.support.quick_schema import use_copied_schema
from tests.support.server import Server

ALLOWED_SKIP = "traefik is not installed here"
"""The only reason for which a test may be skipped in CI: Debian has no package of Traefik."""

# Tests connect only to this machine. Loading all public certificate authorities would cost 30 ms per HTTP client.
os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "support" / "authority.pem")

# Spools of the commands under test do not belong into the home directory of the user.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="signalbox-state-")
atexit.register(shutil.rmtree, os.environ["XDG_STATE_HOME"], ignore_errors=True)

keep_compilations()
keep_tls_context()
wait_patiently()
use_copied_schema()
use_quick_hashes()

if find_spec("hypothesis"):  # The environments of tests/libraries do not have it.
    from hypothesis import HealthCheck, settings

    # Random values may take long on a busy machine, and in a new checkout, which has no table of characters yet.
    settings.register_profile("tests", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")

# Keep test databases in memory: tests kill processes, never the machine. Many containers have a tiny /dev/shm.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts background jobs with SIGINT ignored, and the commands under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Count second tries in the process that runs the test.

    The plugin for second tries counts them in the first process, to try a test again that killed its own. It asks over
    a connection for each test, in two small writes, whose answer takes 40 ms: https://www.rfc-editor.org/rfc/rfc896.
    """
    if hasattr(config, "failures_db") and hasattr(config, "workerinput"):
        from pytest_rerunfailures import StatusDB

        config.failures_db = StatusDB()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from what stays until the end: thousands of tests and the modules of all."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failure in CI, where everything that the tests need is installed."""
    report = yield
    return _without_skips(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a module that skips itself."""
    report = yield
    return _without_skips(report)


R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


def _without_skips(report: R) -> R:
    if report.outcome == "skipped" and os.environ.get("CI") in ("true", "1") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if ALLOWED_SKIP not in reason:
            report.outcome = "failed"
            report.longrepr = f"a test may not be skipped in CI ({reason})"
    return report


STARTERS = frozenset(
    f"tests.support.{name}"
    for name in (
        *("agent_server", "cold_kills", "command", "daemon", "deletion_kills", "nginx", "postgres", "proxies", "redis"),
        *("reporting", "shared_postgres", "terminal", "workers"),
    )
)
"""Modules whose functions start programs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that start programs or their own server as `programs`: `make quick` leaves them out.

    Their files run first, because they take longest: a worker that got one last would keep the others waiting.
    """
    slow = set()
    for item in items:
        module = vars(item.module) if isinstance(item, pytest.Function) else {}
        starts = {"subprocess", "processes"} & set(module)
        starts = starts or any(getattr(value, "__module__", None) in STARTERS for value in module.values())
        if starts or {"start_server", "page", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("programs")
            slow.add(item.path)
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def first_constants() -> Constants:
    """Return the constants of the product before the first test of this process."""
    return constants()


@pytest.fixture(scope="module", autouse=True)
def constants_stay(first_constants: Constants) -> Iterator[None]:
    """Fail if the tests of a module leave a constant of the product changed."""
    yield
    assert changed(first_constants) == []


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start one server with default settings for all tests of a module."""
    running = Server(tmp_path_factory.mktemp("server")).start()
    yield running
    running.close()
    assert "Traceback" not in running.log, running.log


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """Return the shared server, or a new one when a test is rerun: the first try has already created its tasks."""
    rerun = getattr(request.node, "execution_count", 1) > 1
    if rerun and "shared_server" not in request.fixturenames:
        start: Callable[..., Server] = request.getfixturevalue("start_server")
        return start()
    shared: Server = request.getfixturevalue("shared_server")
    return shared


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a separate server with the given settings."""
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
    """Return the URL of a database file for one test."""
    return f"sqlite:///{tmp_path}/signalbox.db"


@pytest.fixture
def store(url: str) -> Iterator[SqliteStore]:
    """Open the database at `url`."""
    opened = open_store(url)
    yield opened
    opened.close()
