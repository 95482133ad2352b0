"""Measure the latency from emit to a client of the JSON stream, and to the DOM of a browser."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from statistics import median, quantiles

from playwright.sync_api import sync_playwright

from bench.event import payload
from bench.load.client import LoadClient
from bench.scenarios import Scale
from bench.session import QUERY, emitting, serving, signalbox, temporary_store
from bench.table import Row, cpu, ms, p50_p99
from e2e.browser import launch

RATE = 10
TASK = "bench-0"

# Record when a mark appears in the document: mutation observers run before the next frame is drawn.
WATCH = """
window.seenAt = {};
new MutationObserver((changes) => {
  const now = performance.timeOrigin + performance.now();
  for (const change of changes)
    for (const node of change.type === "characterData" ? [change.target] : change.addedNodes)
      for (const [mark] of node.textContent.matchAll(/t_us=\\d+/g)) window.seenAt[mark] ??= now;
}).observe(document, { childList: true, subtree: true, characterData: true });
"""


def latency(scale: Scale) -> Iterator[Row]:
    """Yield rows for a POST to the server, for another process, and for a page in Chromium."""
    yield _posted(scale.seconds * 2)
    with signalbox(1) as session:
        measured = session.measure(RATE, 1, scale.seconds * 2)
        session.finish()
    yield Row(
        name="emit in another process → JSON stream, p50 / p99",
        measured=p50_p99(measured.client),
        compared=f"{ms(measured.client['p50_ms'])}, {cpu(measured.us_per_event / 1e6)} of the server for each event",
        figures=measured.figures(),
    )
    yield _in_the_dom(scale.seconds * 2)


def _posted(seconds: float) -> Row:
    with (
        temporary_store() as url,
        emitting(url),
        serving(url) as (server, port),
        LoadClient(port, f"/sse/tasks/{TASK}/events?{QUERY}", 1) as client,
    ):
        client.wait_ready()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        before = server.cpu_seconds()
        for _ in range(int(seconds * RATE)):
            body = json.dumps({"event_type": "log", "payload": payload()})
            headers = {"Content-Type": "application/json"}
            connection.request("POST", f"/api/tasks/{TASK}/events", body, headers)
            response = connection.getresponse()
            if response.status != 201:
                raise RuntimeError(f"POST answers {response.status}: {response.read()!r}")
            response.read()
            time.sleep(1 / RATE)
        used = (server.cpu_seconds() - before) / int(seconds * RATE)
        figures = client.finish()
    return Row(
        name="POST to the server → JSON stream, p50 / p99",
        measured=p50_p99(figures),
        compared=f"{ms(figures['p50_ms'])}, {cpu(used)} of the server for each POST",
        figures={**figures, "server_cpu_s": used},
    )


def _in_the_dom(seconds: float) -> Row:
    with temporary_store() as url, emitting(url) as emitter, serving(url) as (_, port), sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        page.add_init_script(WATCH)
        page.goto(f"http://127.0.0.1:{port}/tasks/{TASK}")
        emitter.send(json.dumps({"rate": RATE, "group": 1, "seconds": 2.0, "mark": True}))
        warm_up = int(emitter.read_json("emitted")["emitted"])
        emitter.send(json.dumps({"rate": RATE, "group": 1, "seconds": seconds, "mark": True}))
        emitted = warm_up + int(emitter.read_json("emitted", seconds + 30)["emitted"])
        page.wait_for_function("wanted => Object.keys(window.seenAt).length >= wanted", arg=emitted, timeout=10_000)
        seen: dict[str, float] = page.evaluate("window.seenAt")
        browser.close()
    sent_at = {mark: int(mark.removeprefix("t_us=")) / 1000 for mark in seen}
    taken = [seen[mark] - sent for mark, sent in sorted(sent_at.items(), key=lambda item: item[1])][warm_up:]
    p50, p99 = median(taken), quantiles(taken, n=100)[98]
    return Row(
        name=f"emit in another process → the browser's DOM, {RATE} events/s, p50 / p99",
        measured=f"{ms(p50)} / {ms(p99)}",
        compared=ms(p50),
        target="20 / 60 ms",
        met=p50 <= 20 and p99 <= 60,
        other_products="Dagster 87 / 128 ms; Prefect 4.5 / 6 s; Flower, open Phoenix trace never",
        figures={"ms": taken},
    )
