"""Test with random faults that pages end equal to fresh ones. The test id contains the seed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from e2e.random_run import run
from tests.support.chaos import Chaos
from tests.support.proxy import Proxy
from tests.support.server import Server

SEEDS = [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 30))]


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_every_page_ends_equal_to_a_fresh_one(
    start_server: Callable[..., Server],
    new_context: Callable[..., BrowserContext],
    expect_console: list[str],
    seed: int,
) -> None:
    expect_console.append("Failed to load resource|net::ERR_|Failed to fetch|network error")
    rng = random.Random(seed)
    server = start_server(
        max_events_per_stream=rng.choice([25, 10_000]),
        keepalive_interval=rng.choice([0.5, 15]),
        stream_compression=rng.choice([False, True]),
    )
    proxy = Proxy(server.port)
    events = list(run(seed, rng.randint(100, 500)))
    begun = rng.randint(1, 60)
    server.emit("run", *events[:begun])
    context = new_context()
    task, tasks = context.new_page(), context.new_page()
    task.goto(f"{proxy.url}/tasks/run")
    tasks.goto(f"{proxy.url}/tasks")
    expect_live_at(task, begun)
    try:
        with Chaos(seed, server, proxy) as chaos:
            at = begun
            while at < len(events):
                batch = rng.choice([1, 3, 20])
                server.emit("run", *events[at : at + batch])
                server.emit(f"other-{rng.randint(1, 5)}", "hello")
                at += batch
                task.wait_for_timeout(rng.uniform(0, 100))
        expect_live_at(task, server.latest("run"))
        newest = max(event.event_id for event in server.emit("other-1", "the last one"))
        expect_live_at(tasks, newest)
        expect_equal_to_fresh(task, context)
        expect_equal_to_fresh(tasks, context)
    finally:
        proxy.close()
    print(f"{len(events)} events: {chaos.faults}")
