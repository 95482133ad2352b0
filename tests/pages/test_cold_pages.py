"""Test that every page and answer about a task in cold storage is the one from before the move, byte by byte."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from signalbox.store import open_store
from tests.support import postgres
from tests.support.dom import parse
from tests.support.log import open_permissions
from tests.support.server import Server
from tests.support.shared_postgres import create_database
from tests.support.signed_heads import head_is_signed
from tests.support.sse import messages
from tests.support.varied_log import record, varied_log
from tests.support.waiting import wait_until

SIZE = 400
PAGES = [
    *("/tasks", "/tasks/t0", "/tasks/t0?at=100", "/tasks/t0?at=399", "/tasks/t0/audits", "/tasks/t0/artifacts"),
    *("/tasks/t0/log?after=0", "/tasks/t0/log?after=150", "/tasks/t0/log?before=250"),
    *("/tasks/t0/log?q=disk+full", "/tasks/t0/log?failed=1", "/tasks/t0/log?around=150", "/tasks/t0/log?level=error"),
    *("/tasks/t0/log?type=runner_heartbeat", "/tasks/t0/log?phase=executing", "/tasks/t0/log?q=%D0%BE%D1%88"),
    *("/tasks/t0/waterfall", "/tasks/t0/waterfall?at=200", "/tasks/t0/flame", "/tasks/t0/spans?sort=self"),
    *("/tasks/t0/timeline", "/tasks/t0/timeline?at=200", "/tasks/t0/conversation", "/tasks/t0/spans/span-1"),
    *("/tasks/t0/events/120/payload", "/tasks/t0/events/120/details"),
    *("/tasks/t0/checkpoints/checkpoint%20%00%200", "/compare?a=t0&b=t1", "/compare?a=t0&b=t2", "/kinds/build"),
    *("/permissions?closed=1", f"/tasks/t0/artifacts/{SIZE + 1}", f"/tasks/t0/artifacts/{SIZE + 2}"),
]
ANSWERS = [
    *("/tasks/t0/raw", "/tasks/t0/export.ndjson", "/tasks/t0/export.ndjson?full=1", "/tasks/t0/export.html"),
    *("/tasks/t0/spans.csv", f"/tasks/t0/artifacts/{SIZE + 1}/raw", f"/api/tasks/t0/artifacts/{SIZE + 2}/content"),
    *("/api/tasks/t0", "/api/tasks/t0/events?limit=1000", "/api/tasks/t0/events?limit=5&since_seq=399"),
    *("/api/tasks/t0/events/latest?limit=30", "/api/tasks/t0/events/phase/executing", "/api/tasks/t0/events/snapshot"),
    *("/api/tasks/t0/permissions", "/api/tasks/t0/checkpoints", "/api/tasks/t0/graph", "/api/tasks/t0/outcome"),
    *("/api/tasks/t0/messages", "/api/tasks/t0/artifacts", "/api/tasks?limit=10", "/tasks/t0/frame?since=380"),
]
VOLATILE = re.compile(r"<(\S+)[^<>]* data-volatile[^<>]*>[^<]*</\1>")
STREAM = "/sse/tasks/t0?since=0"
KINDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param(
        "postgresql", id="postgresql", marks=pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)
    ),
]

Seen = dict[str, tuple[int, object]]


@pytest.fixture(scope="module", params=KINDS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seen, Seen, str]]:
    """All responses before and after `t0` and `t1` have moved to cold storage, and the page of `t0` after that."""
    folder = tmp_path_factory.mktemp("server")
    url = create_database() if request.param == "postgresql" else f"sqlite:///{folder / 'signalbox.db'}"
    fill(url)
    server = Server(folder, store_url=url).start()
    # The supervisor closes the requests that expired, a few seconds after the start.
    wait_until(lambda: not any(one.expires_at for n in range(3) for one in open_permissions(server.store, f"t{n}")))
    # Then a head of the log is signed, which the exports have.
    wait_until(lambda: all(head_is_signed(server, task_id) for task_id in ("t0", "t1", "t2")))
    before = everything(server)
    asyncio.run(move(url, folder))
    after = everything(server)
    yield before, after, server.get("/tasks/t0").text
    server.close()
    assert "Traceback" not in server.log, server.log


def fill(url: str) -> None:
    store = open_store(url)
    for number, size in enumerate((SIZE, 150, 60)):
        store.import_task(record(f"t{number}", number), varied_log(f"t{number}", size, number))
    store.add_artifact("t0", BytesIO(bytes(range(256)) * 3000), "big.bin")
    store.add_artifact("t0", BytesIO(b"# Report\n\nIt *failed*."), "report.md")
    store.close()


async def move(url: str, folder: Path) -> None:
    store = open_store(url, cold_storage=None if url.startswith("sqlite") else str(folder / "cold"))
    for task_id in ("t0", "t1"):
        await store.cold.amove(task_id)
    async with store.read() as view:
        assert (await view.task("t0")).cold_since
    await store.aclose()


def everything(server: Server) -> Seen:
    found: Seen = {}
    for path in PAGES:
        response = server.get(path)
        body = response.text.partition("<main")[2]
        lines = [masked(line) for line in re.sub(VOLATILE, "", body).splitlines()]
        found[path] = response.status_code, lines
    for path in ANSWERS:
        response = server.get(path)
        text = response.headers.get("content-type", "").startswith(("text/", "application/json", "application/x-nd"))
        found[path] = response.status_code, masked(response.text) if text else response.content
    with httpx.stream("GET", f"{server.url}{STREAM}", timeout=60) as stream:
        received = messages(stream.iter_lines())
        found[STREAM] = 200, [(one.event, one.id, one.data) for one, _ in zip(received, range(100), strict=False)]
    return found


def masked(text: str) -> str:
    """Return a text without the mark of cold storage, and without what changes with every commit and with time."""
    text = re.sub(r'"cold_since":"[^"]*",?', "", text)
    text = re.sub(r'<span class="quiet" title="The log is in a compressed file[^>]*>.*?(?:</time>)?</span>', "", text)
    text = re.sub(r'<p class="quiet">In cold storage since .*</p>\n', "", text)
    text = re.sub(r'(id="task-flags" class="head-flags" data-shown=)"[0-9a-f]*"(?: hidden)?>', r"\1", text)
    text = re.sub(r'(<live-stream [^>]*data-seq=")\d+', r"\1", text)
    return re.sub(r'"(event_id|latest_event_id|position)":\d+', "", text)


def differences(before: object, after: object) -> list[str]:
    """Return the lines that differ between two responses that have lines."""
    if not isinstance(before, list) or not isinstance(after, list):
        before, after = [before], [after]
    lines = ([str(one) for one in found] for found in (before, after))
    # `ndiff` takes minutes for long lines.
    return [line for line in difflib.unified_diff(*lines, lineterm="", n=0) if line[0] in "+-"]


@pytest.mark.parametrize("path", [*PAGES, *ANSWERS, STREAM])
def test_a_response_is_the_same_in_cold_storage(seen: tuple[Seen, Seen, str], path: str) -> None:
    before, after, _ = seen
    assert before[path][0] == 200, before[path]
    assert "\n".join(differences(before[path][1], after[path][1])) == ""
    assert after[path] == before[path]


def test_the_page_says_since_when_the_task_is_in_cold_storage(seen: tuple[Seen, Seen, str]) -> None:
    flags = parse(seen[2]).by_id("task-flags")
    assert re.fullmatch(r"\s*in cold storage since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s*", flags.text)
