"""Faults of the runs: their processes are killed or suspended."""

from __future__ import annotations

from collections.abc import Iterator

from e2e.chaos.faults.registry import fault
from e2e.chaos.world import HEARTBEAT_TIMEOUT, World

DETECTION_TIMEOUT = HEARTBEAT_TIMEOUT * 2 + 5
"""Seconds within which the server reports that a run is dead, or alive again."""


@fault(2, 0.3)
def emitter_killed(world: World) -> Iterator[None]:
    world.file.kill()
    yield


@fault(1, 0.1)
def run_killed(world: World) -> Iterator[None]:
    world.settle()
    dead = world.command.task_id
    world.command.kill()
    yield

    def interrupted() -> bool:
        response = world.request(f"/api/tasks/{dead}")
        return response is not None and response.is_success and response.json()["status"] == "interrupted"

    world.until(interrupted, f"{dead}, whose run was killed, is interrupted", timeout=DETECTION_TIMEOUT)
    world.begin_command()


@fault(1, HEARTBEAT_TIMEOUT + 1.5)
def run_suspended(world: World) -> Iterator[None]:
    world.command.suspend(True)
    yield
    world.command.suspend(False)

    def alive() -> bool:
        response = world.request(f"/api/tasks/{world.command.task_id}")
        return response is not None and response.is_success and response.json()["status"] == "running"

    world.until(alive, "a run that reports again is running again", timeout=DETECTION_TIMEOUT)
