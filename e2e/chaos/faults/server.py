"""Faults of the web process: it is killed, stopped or suspended, or its clock changes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from e2e.chaos.faults.registry import fault
from e2e.chaos.world import HEARTBEAT_TIMEOUT, World

EXIT = 5.0
"""Seconds within which a server must exit on a busy machine. A quiet one needs at most three."""


@fault(3)
def server_killed(world: World) -> Iterator[None]:
    world.server.kill()
    yield
    world.server.start()


@fault(3, 0.2)
def server_stopped(world: World) -> Iterator[None]:
    elapsed = world.server.stop()
    if elapsed > EXIT:
        world.record_error(f"the server took {elapsed:.1f} s to exit")
    yield
    world.server.start()


@fault(2, 1.0)
def server_suspended(world: World) -> Iterator[None]:
    os.kill(world.server.pid, signal.SIGSTOP)
    yield
    os.kill(world.server.pid, signal.SIGCONT)


@fault(1, HEARTBEAT_TIMEOUT + 1.5)
def server_suspended_past_the_heartbeat_limit(world: World) -> Iterator[None]:
    before = _interruptions(world)
    os.kill(world.server.pid, signal.SIGSTOP)
    yield
    os.kill(world.server.pid, signal.SIGCONT)
    world.pause(1)
    if _interruptions(world) > before:
        world.record_error("a server that was suspended declared a live run dead")


def _interruptions(world: World) -> int:
    log = world.truth.log_of(world.command.task_id)
    return sum(entry.payload.get("status") == "interrupted" for entry in log)


@fault(2, 1.5, lambda world: world.fleet is None and bool(world.clock.variables))
def clock_step(world: World) -> Iterator[None]:
    world.clock.step(world.rng.choice([3600, 86_400 * 3, -3600, -86_400, 30]))
    yield
    world.clock.step(0)
