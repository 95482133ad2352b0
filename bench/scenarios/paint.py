"""Measure the first paint and the first visible row of a cold page, compared with a page of plain HTML."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from bench.table import Row, ms
from e2e.browser import launch

SETTLE_MS = 500
"""Milliseconds that a new tab needs to start before it loads a page."""

FIRST_PAINT_MS, FIRST_ROW_MS = 200, 300

# PerformanceElementTiming reports when a marked text was painted within the viewport.
WATCH = """
new PerformanceObserver((painted) => {
  window.firstRow ??= painted.getEntries()[0].renderTime;
}).observe({ type: 'element', buffered: true });
new MutationObserver(() => {
  for (const row of document.querySelectorAll(':is(.said, .task-row th, .bare):not([elementtiming])'))
    row.setAttribute('elementtiming', 'row');
}).observe(document, { childList: true, subtree: true });
"""
PAINTED = """() => {
  const [first] = performance.getEntriesByName('first-contentful-paint');
  return first && window.firstRow && [first.startTime, window.firstRow];
}"""

BARE = (
    b"<!doctype html><title>Bare</title><link rel=icon href=data:,><ol>"
    + b"<li class=bare>GET /api/items?page=3 200 in 12.4 ms" * 200
)

Painted = tuple[float, float]
"""Milliseconds from the navigation to the first contentful paint, and to the first row."""


def paint(pages: dict[str, str], loads: int) -> Iterator[Row]:
    """Yield a row for each page, by name and address. Each is loaded `loads` times, alternately, in new contexts."""
    with _bare_page() as bare, sync_playwright() as playwright:
        browser = launch(playwright)
        painted: dict[str, list[Painted]] = {address: [] for address in (bare, *pages.values())}
        # The first round is not counted, because it starts the browser and compiles the server's templates.
        for counted in (False, *[True] * loads):
            for address, times in painted.items():
                load = _load(browser, address)
                times += [load] if counted else []
        browser.close()
    for name, address in pages.items():
        first, row = map(median, zip(*painted[address], strict=True))
        yield Row(
            name=f"a cold load of {name} in Chromium: first paint, first row on the screen",
            measured=_format_loads(painted[address]),
            target=f"under {FIRST_PAINT_MS} and {FIRST_ROW_MS} ms on a quiet machine",
            met=first < FIRST_PAINT_MS and row < FIRST_ROW_MS,
            compared=", ".join(ms(min(times)) for times in zip(*painted[address], strict=True)),
            baseline=f"200 lines of bare HTML {_format_loads(painted[bare])}",
            figures={"painted_ms": painted[address], "bare_painted_ms": painted[bare]},
        )


def _load(browser: Browser, address: str) -> Painted:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.wait_for_timeout(SETTLE_MS)
    page.goto(address)
    first, row = page.wait_for_function(PAINTED).json_value()
    context.close()
    return first, row


def _format_loads(loads: list[Painted]) -> str:
    """Return the median of each, with the range. The minimum is the figure of a quiet moment."""
    return ", ".join(f"{ms(median(t))} ({min(t):.0f} to {max(t):.0f})" for t in zip(*loads, strict=True))


@contextmanager
def _bare_page() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bare)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class _Bare(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(BARE)))
        self.end_headers()
        self.wfile.write(BARE)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because the bench prints only its table."""
