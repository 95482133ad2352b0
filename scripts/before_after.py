"""Takes pictures of the same runs with two versions: `python -m scripts.before_after REV`.

REV is the version before. Each version serves its own database, and gets the same events over HTTP. The pictures are in
`docs/images`, named `before-….png` and `after-….png`.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from e2e.browser import launch
from scripts.png import smaller
from scripts.screenshots import DESKTOP, IMAGES, PHONE, TIMEOUT_MS
from signalbox.store import NewEvent
from signalbox.store.remote import RemoteLog

ROOT = Path(__file__).parent.parent
READY = re.compile(r"Signalbox listens on (http://\S+)")

CART = """
def discount(price, percent):
    return price * (100 - percent) // 100

def test_half_price():
    assert discount(100, 50) == 50

def test_discount():
    expected = {"net": 90, "tax": 17.1, "lines": ["a", "b"]}
    assert {"net": discount(99, 10), "tax": 17.1, "lines": ["a"]} == expected

def test_storage():
    raise RuntimeError("database is locked")
"""

QUESTION = "The invoice worker loses messages. Find out why, and propose the smallest repair."
ANSWER = (
    "I read `worker.py`. The worker **acknowledges a message before it is handled**:\n\n"
    "1. `receive()` acknowledges at once,\n2. a crash in `handle()` then loses the message.\n\n"
    "I run the tests of the queue next."
)

PAGES = {
    "list": ("/tasks", "/tasks", DESKTOP),
    "failure": ("/tasks/tests", "/tasks/tests", DESKTOP),
    "failure-phone": ("/tasks/tests", "/tasks/tests", PHONE),
    "agent": ("/tasks/agent", "/tasks/agent/conversation", DESKTOP),
    "waterfall": ("/tasks/reindex/waterfall", "/tasks/reindex/waterfall", DESKTOP),
}
"""The paths before and after, and the size of the window, by the name of the picture."""


def main(revision: str) -> None:
    """Write the pictures of both versions."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser, old = launch(playwright), Path(folder) / "before"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", old, revision], cwd=ROOT, check=True)
        try:
            for name, root in (("before", old), ("after", ROOT)):
                with serving(root, Path(folder) / f"{name}.db") as url:
                    send_runs(url, Path(folder))
                    take(browser, url, name)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", old], cwd=ROOT, check=True)


@contextmanager
def serving(root: Path, database: Path) -> Iterator[str]:
    """Serve a new database with the version in `root`, and yield the URL."""
    command = [sys.executable, "-m", "signalbox", "serve", "--port", "0", "--store", f"sqlite:///{database}"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    server = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = next(filter(None, map(READY.search, server.stdout)))
        yield found[1]
    finally:
        server.terminate()
        server.wait()


def send_runs(url: str, folder: Path) -> None:
    """Send the runs of all pictures."""
    log = RemoteLog(url)
    chance = random.Random(4)
    for number in range(30):
        kind = chance.choice(["nightly", "import", "report", "release"])
        log.create_task(f"{kind}-{number:03}", title=f"{kind.capitalize()} {number}: orders of all shops", kind=kind)
        failed = chance.random() < 0.4
        end = {"exit_code": 1, "message": "row 1767: 'amount' is not a number: '12,50'"} if failed else {"exit_code": 0}
        rows = [event("log", message=f"{rows * 1000:,} rows read") for rows in range(1, 9)]
        log.append(f"{kind}-{number:03}", [event("runner_spawn"), *rows, event("runner_exit", **end)])
    log.create_task("agent", title="Fix: the invoice worker loses messages", kind="repair")
    log.append("agent", list(agent_run()))
    log.create_task("reindex", title="Reindex the archive", kind="reindex")
    log.append("reindex", list(shards(chance)))
    log.close()
    tests = folder / "test_cart.py"
    tests.write_text(CART)
    pytest = [sys.executable, "-m", "pytest", "-q", "--color=yes", "-p", "no:cacheprovider", "test_cart.py"]
    run = [
        sys.executable,
        "-m",
        "signalbox",
        "run",
        "--server",
        url,
        "--task",
        "tests",
        "--title",
        "Unit tests of the shop",
    ]
    subprocess.run([*run, "--", *pytest], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def event(event_type: str, span_id: str | None = None, **payload: Any) -> NewEvent:
    """Return an event of the run."""
    return NewEvent(event_type=event_type, span_id=span_id, payload=payload)


def agent_run() -> Iterator[NewEvent]:
    """Yield the events of an agent that reads a file and runs tests."""
    call = {"id": "call-1", "name": "shell", "arguments": {"command": "pytest tests/queue -q"}}
    messages = [
        {"role": "system", "content": "You repair Python services. Change as little as possible."},
        {"role": "user", "content": QUESTION},
    ]
    yield event("runner_spawn")
    item = {"work_item_id": "step 1", "work_type": "llm", "model": "small-1"}
    yield event("work_item_start", "one", **item, messages=messages)
    said = {"role": "assistant", "content": ANSWER, "tool_calls": [call]}
    usage = {"input_tokens": 6600, "output_tokens": 451}
    yield event("work_item_complete", "one", **item, messages=[said], usage=usage, cost_usd=0.033)
    messages += [said, {"role": "tool", "tool_call_id": "call-1", "content": "1 failed, 11 passed in 0.42s"}]
    item = {"work_item_id": "step 2", "work_type": "llm", "model": "small-1"}
    yield event("work_item_start", "two", **item, messages=messages)
    last = {
        "role": "assistant",
        "content": "The test confirms it. Acknowledge after `handle()`, in `worker.py` line 42.",
    }
    usage = {"input_tokens": 7100, "output_tokens": 60}
    yield event("work_item_complete", "two", **item, messages=[last], usage=usage, cost_usd=0.036)
    yield event("runner_exit", exit_code=0)


def shards(chance: random.Random) -> Iterator[NewEvent]:
    """Yield the events of 800 shards, of which one is slow."""
    yield event("runner_spawn")
    for number in range(800):
        seconds = 24.0 if number == 511 else chance.uniform(0.01, 0.06)
        start = 60 + number * 0.06
        item = {"work_item_id": f"shard {number}", "work_type": "index"}
        for kind, at in (("work_item_start", start), ("work_item_complete", start + seconds)):
            occurred = f"2026-11-27T09:{int(at // 60):02}:{at % 60:09.6f}Z"
            yield NewEvent(event_type=kind, span_id=f"shard-{number}", payload=item, occurred_at=occurred)
    yield event("runner_exit", exit_code=0)


def take(browser: Browser, url: str, name: str) -> None:
    """Take the pictures of one version."""
    for picture, (before, after, options) in PAGES.items():
        page = browser.new_context(locale="en-GB", timezone_id="Etc/UTC", color_scheme="light", **options).new_page()
        page.goto(url + (before if name == "before" else after))
        expect(page.locator("live-status")).to_contain_text(re.compile("live (at|·)", re.I), timeout=TIMEOUT_MS)
        path = IMAGES / f"{name}-{picture}.png"
        page.screenshot(path=path)
        path.write_bytes(smaller(path.read_bytes()))
        page.context.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
