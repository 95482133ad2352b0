"""Every page, export and response of the API is the same on PostgreSQL as on SQLite."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from signalbox.store.state import Permission
from tests.support import postgres
from tests.support.dom import parse
from tests.support.example_run import fill
from tests.support.log import open_permissions
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.signed_heads import head_is_signed
from tests.support.varied_log import record, varied_log
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)

PAGES = [
    *("/tasks", "/tasks?sort=longest", "/tasks?sort=active&status=failed", "/tasks?q=T%C3%84SK", "/tasks?archived=1"),
    *("/tasks/t0", "/tasks/t1", "/tasks/t0?at=100", "/tasks/run", "/tasks/nowhere"),
    *("/tasks/t0/log?after=0", "/tasks/t0/log?q=disk+full", "/tasks/t0/log?failed=1", "/tasks/t0/log?around=150"),
    *("/tasks/t0/waterfall", "/tasks/t0/flame", "/tasks/t0/spans?sort=self"),
    *("/tasks/t0/timeline", "/tasks/t0/conversation"),
    *("/tasks/t0/spans/span-1", "/tasks/run/checkpoints/c1", "/tasks/run/audits", "/permissions", "/audits"),
    "/compare?a=t0&b=t1",
]
ANSWERS = [
    *("/tasks/t0/raw", "/tasks/t0/export.ndjson", "/tasks/t0/export.ndjson?full=1", "/tasks/t0/spans.csv"),
    *("/api/tasks", "/api/tasks?limit=2", "/api/tasks/t0", "/api/tasks/t0/events?limit=1000"),
    *("/api/tasks/run/permissions", "/api/tasks/t0/checkpoints", "/api/tasks/nowhere"),
    "/api/tasks/t0/events?limit=5&since_seq=399",
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Start a server on each kind of store, and fill both with the same logs."""
    kinds = []
    for store_url in (None, create_database()):
        server = Server(tmp_path_factory.mktemp("server"), store_url=store_url)
        fill(server.store)
        for number, size in enumerate((400, 150, 20)):
            log = varied_log(f"t{number}", size, number, ended=number != 1)
            server.store.import_task(record(f"t{number}", number), log)
        server.store.archive_task("t2", True, actor="ada", source="192.0.2.7")
        kinds.append(server.start())
    for server in kinds:
        # The supervisor closes the requests that expired, a few seconds after the start.
        wait_until(lambda server=server: not expiring(server))
        wait_until(lambda server=server: head_is_signed(server, "t0"))
    yield kinds[0], kinds[1]
    for server in kinds:
        server.close()
        assert "Traceback" not in server.log, server.log


def expiring(server: Server) -> list[Permission]:
    """Return the open requests that have a time of expiry, which is past in these logs."""
    asked = [one for number in range(3) for one in open_permissions(server.store, f"t{number}")]
    return [one for one in asked if one.expires_at]


def masked(text: str, server: Server) -> str:
    """Return a text without the address of the server, the times of today, and generated ids."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    text = text.replace(server.url, "URL")
    text = re.sub(rf"{today}[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "<now>", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d(\.\d{3})?\b", "<time>", text)
    text = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "<ulid>", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "<identity>", text)
    return re.sub(r"\b\d+(\.\d+)? ?m?s\b", "<duration>", text)


def masked_seals(export: str) -> str:
    """Return a masked export without the links of events that were appended now, the signatures, and its digest."""
    for link in re.findall(r'"created_at":"<now>".*"link":"([0-9a-f]{64})"', export):
        export = export.replace(link, "<link>")
    first, end, events = export.partition("\n")
    return re.sub(r'"(signature|digest)":"[0-9a-f]{64}"', r'"\1":"<\1>"', first) + end + events


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_the_same_on_both(servers: tuple[Server, Server], path: str) -> None:
    found = []
    for server in servers:
        response = server.get(path)
        (main,) = parse(response.text).all("main")
        found.append((response.status_code, [masked(line, server) for line in main.lines()]))
    assert found[0][0] == (404 if "nowhere" in path else 200)
    assert found[0] == found[1]


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_is_the_same_on_both(servers: tuple[Server, Server], path: str) -> None:
    found = []
    for server in servers:
        response = server.get(path)
        text = masked(response.text, server)
        found.append((response.status_code, masked_seals(text) if "export.ndjson" in path else text))
    assert found[0][0] == (404 if "nowhere" in path else 200)
    assert found[0] == found[1]
