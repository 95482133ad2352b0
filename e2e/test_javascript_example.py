"""The ES module examples/javascript/signalbox.js reports from a browser on another origin, and from Node if present."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.paths import ROOT
from tests.support.server import Server
from tests.support.waiting import wait_until

FOLDER = ROOT / "examples" / "javascript"

SCENARIO = """
  const task = openTask({ url, taskId: 'from-js', title: 'From JavaScript', kind: 'js', tags: { branch: 'main' } });
  await task.phase('executing', async (phase) => {
    await phase.workItem('linux', 'build', async (item) => {
      item.progress(1, 2);
      item.log('built', { level: 'info' });
    });
    const macos = phase.workItem('macos', 'build');
    macos.fail(new TypeError('no signature'));
  });
  for (let line = 0; line < 500; line++) task.log(`line ${line}`);
  const given = await task.askPermission('publish', { version: 2 }, { reason: 'done', timeout: 120 });
  const stored = (await task.end()) || (await task.flush(60_000));
  return { given: given.state, by: given.by, stored, counts: task.counts };
"""


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """Serve the examples on an origin of their own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietFiles, directory=FOLDER))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run_in_node(code: str) -> Any:
    module = (FOLDER / "signalbox.js").as_uri()
    script = f"import {{ openTask }} from '{module}'; const run = async () => {{ {code} }}; "
    script += "console.log(JSON.stringify(await run() ?? null));"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)


def run_in_page(page: Page, code: str) -> Any:
    return page.evaluate(f"async () => {{ const {{ openTask }} = await import('/signalbox.js'); {code} }}")


def check_log(server: Server) -> None:
    task = server.get("/api/tasks/from-js").json()
    assert (task["title"], task["kind"], task["tags"]) == ("From JavaScript", "js", {"branch": "main"})
    assert (task["status"], task["items_done"], task["items_failed"]) == ("done", 1, 1)
    events = server.get("/api/tasks/from-js/events?limit=1000").json()["events"]
    lines = [event["payload"]["message"] for event in events if event["event_type"] == "log"]
    assert lines == ["built", *(f"line {number}" for number in range(500))]
    failed = next(event for event in events if event["event_type"] == "work_item_failed")
    assert (failed["payload"]["error_code"], failed["payload"]["message"]) == ("TypeError", "no signature")


def approve(server: Server) -> None:
    def asked() -> list[dict[str, Any]]:
        answer = server.get("/api/tasks/from-js/permissions")
        found: list[dict[str, Any]] = answer.json() if answer.is_success else []
        return found

    (request,) = wait_until(asked, timeout=60)
    path = f"/api/tasks/from-js/permissions/{request['request_id']}"
    server.post(path, {"approved": True}).raise_for_status()


def test_a_browser_on_another_origin_reports_although_the_server_is_away_at_first(
    page: Page, origin: str, start_server: Callable[..., Server], expect_console: list[str]
) -> None:
    expect_console.append("ERR_CONNECTION_REFUSED")
    server = start_server(cors_origins=origin)
    server.kill()
    page.goto(origin)
    run_in_page(page, f"const url = '{server.url}'; window.result = (async () => {{ {SCENARIO} }})();")
    page.wait_for_timeout(300)
    server.start()
    with ThreadPoolExecutor(1) as thread:
        approved = thread.submit(approve, server)
        result = page.evaluate("async () => await window.result")
        approved.result()
    assert result["given"] == "approved"
    assert result["stored"] is True
    assert result["counts"] == {"waiting": 0, "dropped": 0, "refused": 0}
    check_log(server)


def test_a_page_that_is_left_sends_what_waits(page: Page, origin: str, start_server: Callable[..., Server]) -> None:
    server = start_server(cors_origins=origin)
    page.goto(origin)
    run_in_page(
        page,
        f"const task = openTask({{ url: '{server.url}', taskId: 'left' }}); await task.flush();"
        " task.log('last words'); location.href = '/emit.js';",
    )
    wait_until(lambda: "last words" in server.get("/api/tasks/left/events?limit=100").text)


def test_a_full_queue_drops_the_oldest_lines(page: Page, origin: str, start_server: Callable[..., Server]) -> None:
    server = start_server(cors_origins=origin)
    page.goto(origin)
    result = run_in_page(
        page,
        f"const task = openTask({{ url: '{server.url}', taskId: 'full', maxQueue: 10 }});"
        " for (let line = 0; line < 30; line++) task.log(`line ${line}`);"
        " return [task.counts.dropped, await task.end()];",
    )
    assert result == [21, True]
    events = server.get("/api/tasks/full/events?limit=100").json()["events"]
    messages = [event["payload"].get("message") for event in events]
    assert messages[0] == "22 events were dropped, because too many were waiting to be sent"
    assert events[1]["event_type"] == "runner_spawn"
    assert messages[2:10] == [f"line {number}" for number in range(22, 30)]
    assert events[-1]["event_type"] == "runner_exit"


@pytest.mark.long
@pytest.mark.parametrize("node", ["node"] if shutil.which("node") else [])
def test_node_reports(node: str, start_server: Callable[..., Server]) -> None:
    server = start_server()
    with ThreadPoolExecutor(1) as thread:
        approved = thread.submit(approve, server)
        result = run_in_node(f"const url = '{server.url}'; {SCENARIO}")
        approved.result()
    assert (result["given"], result["stored"]) == ("approved", True)
    check_log(server)
    # A program that ends without `end`, while the server is away, is not kept alive.
    server.kill()
    run_in_node(f"const task = openTask({{ url: '{server.url}' }}); task.log('lost');")
