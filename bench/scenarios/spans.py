"""Measure the latency from the start of a span of an instrumented program to the DOM of a browser."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from statistics import median, quantiles

from playwright.sync_api import sync_playwright

from bench.process import Process
from bench.scenarios import Scale
from bench.scenarios.latency import WATCH
from bench.session import serving, temporary_store
from bench.supported import has
from bench.table import Row, ms
from e2e.browser import launch

RATE = 10
WITHIN_MS = 1000
"""The time within which 99 of 100 spans that have not ended are on the page."""


def spans(scale: Scale) -> Iterator[Row]:
    """Yield rows for a program that writes to the database, for one that reports over HTTP, and for the CPU time.

    Yield none in an older version, which cannot follow spans.
    """
    if not has("signalbox.integrations.opentelemetry"):
        return
    for through_server in (False, True):
        yield _on_the_page(scale.seconds * 3, through_server=through_server)
    yield _cost()


def _on_the_page(seconds: float, *, through_server: bool) -> Row:
    with temporary_store() as url, serving(url) as (_, port), sync_playwright() as playwright:
        server = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "bench.span_emitter", "--store", server if through_server else url]
        with Process(argv, cores="others") as program:
            task_id = program.read_json("task")["task"]
            browser = launch(playwright)
            page = browser.new_page()
            page.add_init_script(WATCH)
            page.goto(f"{server}/tasks/{task_id}")
            program.send(json.dumps({"rate": RATE, "seconds": seconds}))
            started = int(program.read_json("started", seconds + 30)["started"])
            page.wait_for_function("wanted => Object.keys(window.seenAt).length >= wanted", arg=started, timeout=10_000)
            seen: dict[str, float] = page.evaluate("window.seenAt")
            browser.close()
    taken = [at - int(mark.removeprefix("t_us=")) / 1000 for mark, at in seen.items()]
    p50, p99 = median(taken), quantiles(taken, n=100)[98]
    way = "over HTTP" if through_server else "in the database"
    return Row(
        name=f"start of an OpenTelemetry span, reported {way} → the browser's DOM, p50 / p99",
        measured=f"{ms(p50)} / {ms(p99)}",
        target="p99 1 s",
        met=p99 <= WITHIN_MS,
        figures={"ms": taken},
    )


def _cost() -> Row:
    with temporary_store() as url:
        argv = [sys.executable, "-m", "bench.span_emitter", "--cost", "--store", url]
        with Process(argv, cores="any") as program:
            figures = program.read_json("with", 60)
    return Row(
        name="CPU time of a span in the program's thread, with our span processor",
        measured=f"{figures['with']:.0f} µs",
        baseline=f"no span processor: {figures['without']:.0f} µs",
        figures=figures,
    )
