"""Measure the pages of a task with 100,000 events and 1,000 spans: over HTTP and in a browser."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Page, expect, sync_playwright

from bench.indexed import index
from bench.process import Process
from bench.run_mix import logs, run_events
from bench.scenarios import Scale
from bench.scenarios.paint import paint
from bench.session import serving, temporary_store
from bench.table import Row, cpu, ms
from e2e.browser import launch
from e2e.memory import metrics
from signalbox.store import Store, open_store

TASK = "long"
EVENTS, LOGS_PER_SPAN = 100_000, 97
VISITS = 15
SHORT_TASK, SHORT, LISTED = "short", 300, 50
TRAVELS = (25_000, 69_999, 99_999)
MORE_EVENTS, WARM_UP, GROUP = 10_000, 2_000, 100
LIVE_MS = 30_000

PATHS = {
    "the task page": "",
    "the waterfall, 1,000 bars": "/waterfall",
    "the timeline": "/timeline",
    "the page of a span": "/spans/item-500",
    "the page of a checkpoint": "/checkpoints/checkpoint-500",
    "a search for a text that is nowhere": "/log?q=there-is-no-such-text",
    "a search for a text that is everywhere": "/log?q=line",
    "a search by type": "/log?type=checkpoint_commit",
    "all failures": "/log?failed=1",
}


def console(scale: Scale) -> Iterator[Row]:
    """Yield rows for each page of the long task, and for a browser with an open page."""
    with temporary_store() as url:
        store = open_store(url)
        fill(store)
        index(url)
        with serving(url) as (server, port):
            yield from _pages(server, port)
            yield from _paints(store, port, scale.loads)
            yield _memory(store, port)
        yield _first_travel(url)
        store.close()


def fill(store: Store, number: int = EVENTS, logs_per_span: int = LOGS_PER_SPAN) -> None:
    """Create the long task with this number of events."""
    store.create_task(TASK, title="A long run", kind="bench")
    events = run_events(number, logs_per_span)
    for at in range(0, number, 10_000):
        store.append(TASK, events[at : at + 10_000])


def visit(port: int, path: str) -> tuple[float, int]:
    """Load a page of the task; return the elapsed seconds and its size in bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    began = time.perf_counter()
    connection.request("GET", f"/tasks/{TASK}{path}")
    response = connection.getresponse()
    body = response.read()
    elapsed = time.perf_counter() - began
    connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path} answers {response.status}: {body[:200]!r}")
    return elapsed, len(body)


def _pages(server: Process, port: int) -> Iterator[Row]:
    for name, path in PATHS.items():
        visits, used = list[tuple[float, int]](), list[float]()
        for _ in range(VISITS):
            before = server.cpu_seconds()
            visits.append(visit(port, path))
            used.append(server.cpu_seconds() - before)
        elapsed, size = median(seconds for seconds, _ in visits), visits[0][1]
        yield Row(
            name=f"100,000 events, 1,000 spans: {name}",
            measured=f"{ms(elapsed * 1000)}, {size / 1000:.0f} KB",
            target="under 300 ms",
            met=elapsed < 0.3,
            compared=f"{cpu(median(used))}, {size / 1000:.0f} KB",
            figures={"seconds": [seconds for seconds, _ in visits], "cpu_seconds": used, "bytes": size},
        )


def _first_travel(url: str) -> Row:
    first, step, used = dict[int, float](), dict[int, float](), list[tuple[float, float]]()
    for seq in TRAVELS:
        # A server caches states that it has computed.
        with serving(url) as (server, port):
            visit(port, "")
            before = server.cpu_seconds()
            first[seq], _ = visit(port, f"?at={seq}")
            between = server.cpu_seconds()
            step[seq], _ = visit(port, f"?at={seq - 1}")
            used.append((between - before, server.cpu_seconds() - between))
    to_each = ", ".join(f"#{seq}: {ms(elapsed * 1000)}" for seq, elapsed in first.items())
    return Row(
        name="first time travel in 100,000 events, server time; one step from there",
        measured=f"{to_each}; {ms(median(step.values()) * 1000)}",
        target="under 300 ms",
        met=max(first.values()) < 0.3,
        compared=f"{', '.join(cpu(at) for at, _ in used)}; {cpu(median(at for _, at in used))}",
        figures={"first_seconds": first, "step_seconds": step},
    )


def _paints(store: Store, port: int, loads: int) -> Iterator[Row]:
    store.append(SHORT_TASK, run_events(SHORT))
    for number in range(LISTED):
        store.append(f"listed-{number}", logs(3))
    address = f"http://127.0.0.1:{port}/tasks"
    pages = {
        f"a task of {SHORT} events": f"{address}/{SHORT_TASK}",
        "the task of 100,000 events": f"{address}/{TASK}",
        "the list": address,
    }
    yield from paint(pages, loads)


def _memory(store: Store, port: int) -> Row:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/tasks/{TASK}")
        before, after = grown(page, store)
        browser.close()
    heap, nodes = (f"{before[name]:,.0f} → {after[name]:,.0f}" for name in ("JSHeapUsedSize", "Nodes"))
    return Row(
        name=f"an open page while {MORE_EVENTS:,} more events arrive: JS heap in bytes, DOM nodes",
        measured=f"{heap}; {nodes}",
        target="flat",
        met=flat(before, after),
        figures={"before": before, "after": after},
    )


def grown(page: Page, store: Store) -> tuple[dict[str, float], dict[str, float]]:
    """Return the memory of an open page of the task, before and after MORE_EVENTS more have arrived."""
    _append_and_wait(page, store, WARM_UP)
    before = metrics(page)
    _append_and_wait(page, store, MORE_EVENTS)
    return before, metrics(page)


def flat(before: dict[str, float], after: dict[str, float]) -> bool:
    """Return whether memory grew by no more than a browser's usual temporary allocations."""
    return after["JSHeapUsedSize"] < before["JSHeapUsedSize"] + 500_000 and after["Nodes"] < before["Nodes"] * 1.1


def _append_and_wait(page: Page, store: Store, number: int) -> None:
    events = logs(number)
    for at in range(0, number, GROUP):
        newest = store.append(TASK, events[at : at + GROUP])[-1].seq
        page.wait_for_function("seq => document.querySelector(`#e${seq}`) !== null", arg=newest, timeout=LIVE_MS)
    expect(page.locator("#log-rows > li")).to_have_count(200)
