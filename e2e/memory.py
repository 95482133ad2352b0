"""Measure the memory of a page with Chromium's metrics after garbage collection."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page


def metrics(page: Page) -> dict[str, float]:
    """Return Chromium's metrics of the page, among them JSHeapUsedSize (bytes) and Nodes."""
    devtools: CDPSession = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    # Collect twice: wrappers keep their DOM nodes alive until the first collection has freed the wrappers.
    for _ in range(2):
        devtools.send("HeapProfiler.collectGarbage")
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    devtools.detach()
    return {metric["name"]: metric["value"] for metric in metrics}


def heap_bytes(page: Page) -> float:
    """Return the bytes of JavaScript heap that the page holds."""
    return metrics(page)["JSHeapUsedSize"]
