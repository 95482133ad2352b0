"""What a page holds in memory, as the browser counts it after it has collected what is garbage."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page


def metrics(page: Page) -> dict[str, float]:
    """Chromium's metrics of the page, among them JSHeapUsedSize (bytes) and Nodes."""
    devtools: CDPSession = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    # A first collection finds what a second one frees: wrappers keep the nodes that they stand for until then.
    for _ in range(2):
        devtools.send("HeapProfiler.collectGarbage")
    found = devtools.send("Performance.getMetrics")["metrics"]
    devtools.detach()
    return {metric["name"]: metric["value"] for metric in found}


def heap_bytes(page: Page) -> float:
    """The bytes of JavaScript that the page holds."""
    return metrics(page)["JSHeapUsedSize"]
