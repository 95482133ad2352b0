"""The third-party client httpx-sse resumes with the standard `Last-Event-ID` header."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import httpx
import pytest
from httpx_sse import SSEError, connect_sse

from tests.support.proxy import Proxy
from tests.support.server import Server

CUTS = 20


@pytest.mark.parametrize("compression", [False, True])
def test_httpx_sse_resumes_after_twenty_cuts_without_loss(
    start_server: Callable[..., Server], compression: bool
) -> None:
    server, rng = start_server(stream_compression=compression), random.Random(20)
    proxy = Proxy(server.port)
    proxy.cut_after = lambda: rng.randint(300, 900 if compression else 9000) if proxy.connections <= CUTS else None
    seen: list[int] = []
    last, retry, cuts, written = "", 0.0, 0, 0
    try:
        with httpx.Client(timeout=60) as client:
            while cuts < CUTS or len(seen) < written:
                written += len(server.emit("run", *["a line of the log"] * 30))
                headers = {"Last-Event-ID": last} if last else {}
                try:
                    with connect_sse(client, "GET", f"{proxy.url}/sse/tasks/run/events", headers=headers) as source:
                        for event in source.iter_sse():
                            last, retry = event.id, (event.retry or 0) / 1000
                            seen.append(json.loads(event.data)["seq"])
                            if len(seen) == written and cuts < CUTS:
                                written += len(server.emit("run", *["another line"] * 30))
                            elif len(seen) == written:
                                break
                except (httpx.HTTPError, SSEError):
                    cuts += 1
                    time.sleep(retry)
    finally:
        proxy.close()
    assert seen == list(range(1, written + 1))
    assert cuts == CUTS
