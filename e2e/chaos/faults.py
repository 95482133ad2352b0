"""The kinds of faults. Each is a generator that breaks something before its `yield` and repairs it after."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.chaos import hostile, truth
from e2e.chaos.world import HEARTBEAT_TIMEOUT, World

Break = Callable[[World], Iterator[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault, its relative frequency, and its longest duration in seconds."""

    name: str
    apply: Break
    weight: int
    longest: float
    possible: Callable[[World], bool]


FAULTS: list[Fault] = []


def fault(
    weight: int, longest: float = 0.5, possible: Callable[[World], bool] = lambda world: True
) -> Callable[[Break], Break]:
    """Register a kind of fault."""

    def register(apply: Break) -> Break:
        FAULTS.append(Fault(apply.__name__, apply, weight, longest, possible))
        return apply

    return register


# The network and the proxy


@fault(5, 0.1)
def connections_reset(world: World) -> Iterator[None]:
    world.proxy.cut()
    yield


@fault(4)
def port_dead(world: World) -> Iterator[None]:
    world.proxy.shut()
    yield
    world.proxy.heal()


@fault(4)
def half_open(world: World) -> Iterator[None]:
    world.proxy.stall()
    yield
    world.proxy.heal()


@fault(1, 8.5)
def half_open_for_long(world: World) -> Iterator[None]:
    world.proxy.stall()
    yield
    for page in world.pages:
        if "live at" in (page.locator("live-status").text_content() or ""):
            world.record_error(f"{page.url} says live, but has received nothing for longer than its watchdog allows")
    world.proxy.heal()


@fault(4)
def gateway_error(world: World) -> Iterator[None]:
    status = world.dice.choice(["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "500 Oh"])
    world.proxy.answer(status)
    yield
    world.proxy.heal()


@fault(3)
def hang_up(world: World) -> Iterator[None]:
    world.proxy.hang_up()
    yield
    world.proxy.heal()


@fault(4, 1.0)
def cut_at_any_byte(world: World) -> Iterator[None]:
    world.proxy.cut_after = lambda: int(10 ** world.dice.uniform(1.5, 4.5))
    world.proxy.cut()
    yield
    world.proxy.cut_after = lambda: None
    world.proxy.cut()


@fault(3, 0.3)
def a_write_is_lost(world: World) -> Iterator[None]:
    for reader in world.readers:
        reader.lossy = True
    world.proxy.lose_one(b"data:")
    yield
    world.proxy.lose = lambda written: False
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


# The web process

EXIT = 5.0
"""Seconds within which a server must exit on a busy machine. A quiet one needs at most three."""


@fault(3)
def server_killed(world: World) -> Iterator[None]:
    world.server.kill()
    yield
    world.server.start()


@fault(3, 0.2)
def server_stopped(world: World) -> Iterator[None]:
    took = world.server.stop()
    if took > EXIT:
        world.record_error(f"the server took {took:.1f} s to exit")
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
    log = truth.log_of(world.path, world.command.task_id)
    return sum(entry.payload.get("status") == "interrupted" for entry in log)


@fault(2, 1.5, lambda world: bool(world.clock.variables))
def clock_step(world: World) -> Iterator[None]:
    world.clock.step(world.dice.choice([3600, 86_400 * 3, -3600, -86_400, 30]))
    yield
    world.clock.step(0)


# The database


@fault(3, 1.0)
def write_lock_held(world: World) -> Iterator[None]:
    holder = sqlite3.connect(world.path, timeout=10, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


@fault(2, 0.2)
def checkpointed_by_another_process(world: World) -> Iterator[None]:
    with suppress(sqlite3.OperationalError):
        other = sqlite3.connect(world.path, timeout=5)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
    yield


@fault(2, 1.0, lambda world: world.disk.limited)
def disk_full(world: World) -> Iterator[None]:
    world.disk.fill()
    yield
    # SQLite may still have room in pages that it owns; once those are full, the server reports the disk.
    refused = world.status(
        "/api/tasks/on-a-full-disk/events", json={"event_type": "log", "payload": {"m": "x" * 99_999}}
    )
    if refused not in (201, 503):
        world.record_error(f"an append on a full disk was answered {refused}")
    if refused == 503:
        world.until(lambda: world.status("/api/events/health") == 503, "health says that the disk is full", timeout=8)
    world.disk.empty()


@fault(2, 1.0)
def database_moved_away_and_back(world: World) -> Iterator[None]:
    home, aside = world.path.parent, _aside(world)
    _move(world, home, aside)
    yield
    refused = world.status("/api/tasks/nowhere/events", json={"event_type": "log"})
    if refused != 503:
        world.record_error(f"an append to a deleted database was answered {refused}")
    world.until(lambda: world.status("/api/events/health") == 503, "health says that the database is gone", timeout=8)
    if world.path.exists():
        world.record_error("a new database was created where the old one was moved away")
    _move(world, aside, home)


@fault(2, 0.3)
def older_database_restored(world: World) -> Iterator[None]:
    world.settle()
    backup = world.path.with_suffix(".backup")
    truth.back_up(world.path, backup)
    world.write(5)
    world.settle()
    home, aside = world.path.parent, _aside(world)
    _move(world, home, aside)
    backup.rename(world.path)
    for file in aside.iterdir():
        file.unlink()
    world.expect_only_stored_events()
    yield


def _aside(world: World) -> Path:
    """Return a folder on the same file system, so that a moved file keeps its inode."""
    aside = world.path.parent / "aside"
    aside.mkdir(exist_ok=True)
    return aside


def _move(world: World, source: Path, target: Path) -> None:
    """Move the database together with its -wal and -shm files."""
    for ending in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            (source / (world.path.name + ending)).rename(target / (world.path.name + ending))


# Runs

HEARTBEAT_PATIENCE = HEARTBEAT_TIMEOUT * 2 + 5
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
        answer = world.ask(f"/api/tasks/{dead}")
        return answer is not None and answer.is_success and answer.json()["status"] == "interrupted"

    world.until(interrupted, f"{dead}, whose run was killed, is interrupted", timeout=HEARTBEAT_PATIENCE)
    world.begin_command()


@fault(1, HEARTBEAT_TIMEOUT + 1.5)
def run_suspended(world: World) -> Iterator[None]:
    world.command.suspend(True)
    yield
    world.command.suspend(False)

    def alive() -> bool:
        answer = world.ask(f"/api/tasks/{world.command.task_id}")
        return answer is not None and answer.is_success and answer.json()["status"] == "running"

    world.until(alive, "a run that reports again is running again", timeout=HEARTBEAT_PATIENCE)


# Clients


@fault(3, 0.2)
def clients_leave_in_the_middle(world: World) -> Iterator[None]:
    body = b'{"event_type":"log","payload":{"message":"' + b"x" * 500 + b'"}}'
    head = b"POST /api/tasks/left/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    whole = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    for _ in range(world.dice.randint(1, 12)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", world.server.port), timeout=2) as client:
            client.sendall(whole[: world.dice.randint(1, len(whole))])
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    yield


@fault(2, 1.0)
def readers_that_do_not_read(world: World) -> Iterator[None]:
    request = f"GET /sse/tasks/{world.http.task_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    clients = [socket.create_connection(("127.0.0.1", world.server.port), timeout=2) for _ in range(8)]
    for client in clients:
        client.sendall(request)
    yield
    for client in clients:
        client.close()


@fault(4, 0.1)
def hostile_event(world: World) -> Iterator[None]:
    event = hostile.event(world.dice)
    task = world.dice.choice([world.http.task_id, "odd"])
    answered = world.status(f"/api/tasks/{task}/events", json=event)
    if answered not in (201, 400, 409, 413):
        world.record_error(f"a hostile {event['event_type']!r} event was answered {answered}")
    yield


@fault(3, 0.1)
def hostile_request(world: World) -> Iterator[None]:
    request = hostile.request(world.dice)
    with suppress(OSError), socket.create_connection(("127.0.0.1", world.server.port), timeout=5) as client:
        client.sendall(request)
        answer = client.recv(4096)
        if answer.startswith(b"HTTP/1.1 5"):
            world.record_error(f"{request[:60]!r} was answered {answer[:40]!r}")
    yield


@fault(2, 0.2)
def task_deleted_and_made_again(world: World) -> Iterator[None]:
    world.ask("/api/tasks", json={"task_id": "reborn"})
    for event_type in ("runner_spawn", "log", "runner_exit"):
        world.ask("/api/tasks/reborn/events", json={"event_type": event_type, "payload": {"exit_code": 0}})
    world.delete("reborn")
    yield
    answered = world.status("/api/tasks/reborn/events", json={"event_type": "log", "payload": {"message": "again"}})
    if answered != 201:
        world.record_error(f"creating a deleted task again was answered {answered}")
    elif truth.newest(world.path, "reborn") != 1:
        world.record_error("a task created again continues the log of the deleted one")
    world.delete("reborn")
