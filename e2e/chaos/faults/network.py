"""Faults of the network, and of the proxy between the server and its clients."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page

from e2e.chaos.faults.registry import fault
from e2e.chaos.world import World


@fault(5, 0.1)
def connections_reset(world: World) -> Iterator[None]:
    world.proxy.cut()
    yield


@fault(4)
def port_closed(world: World) -> Iterator[None]:
    world.proxy.shut()
    yield
    world.proxy.heal()


@fault(4)
def connections_half_open(world: World) -> Iterator[None]:
    world.proxy.stall()
    yield
    world.proxy.heal()


@fault(1, 8.5)
def connections_half_open_for_long(world: World) -> Iterator[None]:
    world.proxy.stall()
    yield
    for page in world.pages:
        world.until(lambda page=page: not _says_live(page), f"{page.url} says that it receives nothing", timeout=3)
    world.proxy.heal()


@fault(4)
def gateway_error(world: World) -> Iterator[None]:
    status = world.rng.choice(["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "500 Oh"])
    world.proxy.respond(status)
    yield
    world.proxy.heal()


@fault(3)
def connections_closed_without_response(world: World) -> Iterator[None]:
    world.proxy.hang_up()
    yield
    world.proxy.heal()


@fault(4, 1.0)
def cut_at_any_byte(world: World) -> Iterator[None]:
    world.proxy.cut_after = lambda: int(10 ** world.rng.uniform(1.5, 4.5))
    world.proxy.cut()
    yield
    world.proxy.cut_after = lambda: None
    world.proxy.cut()


@fault(3, 0.3)
def write_lost(world: World) -> Iterator[None]:
    for reader in world.readers:
        reader.lossy = True
    world.proxy.drop_next_write(b"data:")
    yield
    world.proxy.should_drop = lambda written: False
    # The last lost write is detected at the next write, or by the reader's own reconnect.
    world.proxy.cut()
    world.pause(0.1)
    for reader in world.readers:
        reader.lossy = False


@fault(2, 0.6)
def slow_network(world: World) -> Iterator[None]:
    world.proxy.delay = 0.15
    yield
    world.proxy.heal()


def _says_live(page: Page) -> bool:
    return "Live ·" in (page.locator("live-status").text_content() or "")
