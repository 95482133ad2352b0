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
MAX_SHOWN_S, MAX_CAUGHT_UP_S = 0.25, 1.0
"""Upper limits in seconds: until the page shows the cut, and until it has caught up."""

# Record when the text next to the mark changes, so that the measured change is visible to a reader. The state has the
# same words in all versions.
LISTEN = """
window.statuses = [];
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const at = performance.timeOrigin + performance.now();
  const text = document.querySelector(".live-status__position")?.textContent;
  const state = document.documentElement.dataset.live;
  if (text && text !== window.statuses.at(-1)?.text) window.statuses.push({ at, text, state });
}).observe(document.body, { childList: true, subtree: true, characterData: true }));
"""

# A function, because the page's policy forbids the evaluation of a text.
IS_LIVE = "() => window.statuses.at(-1)?.state === 'live'"


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
    shown_after, caught_up_after = zip(*cuts, strict=True)
    yield Row(
        name=f"{EVENTS} events in a TCP cut of {scale.cut:g} s → shown / all on the page after the return, p50 (max)",
        measured=" / ".join(
            f"{seconds(median(times))} ({seconds(max(times))})" for times in (shown_after, caught_up_after)
        ),
        target="at once / 1 s",
        met=max(shown_after) <= MAX_SHOWN_S and max(caught_up_after) <= MAX_CAUGHT_UP_S,
        other_products="Dagster 0.6 to 5 s; Prefect 4.7 s; Phoenix, Flower only after a reload; none shows it",
        figures={"shown_s": shown_after, "caught_up_s": caught_up_after},
    )


def cut_once(page: Page, proxy: Proxy, emitter: Process, length: float) -> tuple[float, float]:
    """Return the seconds from the cut until the page shows it, and from the return until every event is on the page."""
    page.wait_for_function(IS_LIVE)
    seen, started_at = set(page.evaluate("Object.keys(window.seenAt)")), time.time()
    proxy.shut()
    emit(emitter, length)
    time.sleep(max(0.0, started_at + length - time.time()))
    returned = time.time()
    proxy.heal()
    page.wait_for_function("wanted => Object.keys(window.seenAt).length >= wanted", arg=len(seen) + EVENTS)
    page.wait_for_function(IS_LIVE)
    statuses = page.evaluate("window.statuses")
    stale_at = [status["at"] / 1000 for status in statuses if status["state"] == "stale"]
    marks: dict[str, float] = page.evaluate("window.seenAt")
    caught_up_at = max(at / 1000 for mark, at in marks.items() if mark not in seen)
    return min(at for at in stale_at if at >= started_at) - started_at, caught_up_at - returned


def emit(emitter: Process, length: float) -> None:
    """Emit the events evenly over `length` seconds, and wait until that is done."""
    rate = EVENTS / length
    emitter.send(json.dumps({"rate": rate, "group": 1, "seconds": length - 0.5 / rate, "mark": True}))
    if (emitted := emitter.read_json("emitted", length + 30)["emitted"]) != EVENTS:
        raise RuntimeError(f"{emitted} events were emitted, not {EVENTS}")
