"""Measure after a network cut how soon a page in a browser shows it, and how soon it has caught up again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Page, sync_playwright

from bench.process import Process
from bench.scenarios import Scale
from bench.scenarios.latency import TASK, WATCH
from bench.session import emitting, serving, temporary_store
from bench.table import Row, seconds
from e2e.browser import launch
from tests.support.proxy import Proxy

EVENTS = 20
AT_ONCE, SOON = 0.25, 1.0
"""Upper limits in seconds: until the page shows the cut, and until it has caught up."""

# Record when the text next to the mark changes, so that the measured change is visible to a reader.
LISTEN = """
window.stood = [];
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const at = performance.timeOrigin + performance.now();
  const says = document.querySelector(".live-status__position")?.textContent;
  if (says && says !== window.stood.at(-1)?.says) window.stood.push({ at, says });
}).observe(document.body, { childList: true, subtree: true, characterData: true }));
"""


def cut(scale: Scale) -> Iterator[Row]:
    """Yield one row: 20 events are emitted while a page's TCP connections are cut and new ones are refused."""
    with temporary_store() as url, emitting(url) as emitter, serving(url) as (_, port), sync_playwright() as playwright:
        proxy, browser = Proxy(port), launch(playwright)
        page = browser.new_page()
        page.add_init_script(WATCH + LISTEN)
        page.goto(f"{proxy.url}/tasks/{TASK}")
        emit(emitter, 1.0)
        # The page retries at its own times, so the cuts end at different phases of a second.
        cuts = [cut_once(page, proxy, emitter, scale.cut + number / scale.cuts) for number in range(scale.cuts)]
        browser.close()
        proxy.close()
    said, whole = [one[0] for one in cuts], [one[1] for one in cuts]
    yield Row(
        what=f"{EVENTS} events in a TCP cut of {scale.cut:g} s → said / all on the page after the return, p50 (max)",
        measured=" / ".join(f"{seconds(median(times))} ({seconds(max(times))})" for times in (said, whole)),
        reach="at once / 1 s",
        met=max(said) <= AT_ONCE and max(whole) <= SOON,
        elsewhere="Dagster 0.6 to 5 s; Prefect 4.7 s; Phoenix, Flower only after a reload; none says it",
        figures={"said_s": said, "whole_s": whole},
    )


def cut_once(page: Page, proxy: Proxy, emitter: Process, length: float) -> tuple[float, float]:
    """Return the seconds from the cut until the page shows it, and from the return until every event is on the page."""
    page.wait_for_function("window.stood.at(-1)?.says.startsWith('live at')")
    seen, began = set(page.evaluate("Object.keys(window.seenAt)")), time.time()
    proxy.shut()
    emit(emitter, length)
    time.sleep(max(0.0, began + length - time.time()))
    returned = time.time()
    proxy.heal()
    page.wait_for_function("wanted => Object.keys(window.seenAt).length >= wanted", arg=len(seen) + EVENTS)
    page.wait_for_function("window.stood.at(-1)?.says.startsWith('live at')")
    told = [one["at"] / 1000 for one in page.evaluate("window.stood") if one["says"].startswith("stale since")]
    marks: dict[str, float] = page.evaluate("window.seenAt")
    whole = max(at / 1000 for mark, at in marks.items() if mark not in seen)
    return min(at for at in told if at >= began) - began, whole - returned


def emit(emitter: Process, length: float) -> None:
    """Emit the events evenly over `length` seconds, and wait until that is done."""
    rate = EVENTS / length
    emitter.say(json.dumps({"rate": rate, "group": 1, "seconds": length - 0.5 / rate, "mark": True}))
    if (emitted := emitter.answer("emitted", length + 30)["emitted"]) != EVENTS:
        raise RuntimeError(f"{emitted} events were emitted, not {EVENTS}")
