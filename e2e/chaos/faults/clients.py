"""Clients that leave, do not read, or send invalid events and requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

from e2e.chaos import hostile
from e2e.chaos.faults.registry import fault
from e2e.chaos.world import World


@fault(3, 0.2)
def clients_leave_in_the_middle(world: World) -> Iterator[None]:
    body = b'{"event_type":"log","payload":{"message":"' + b"x" * 500 + b'"}}'
    head = b"POST /api/tasks/left/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    for _ in range(world.rng.randint(1, 12)):
        with suppress(OSError), socket.create_connection(("127.0.0.1", world.server.port), timeout=2) as client:
            client.sendall(request[: world.rng.randint(1, len(request))])
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
    event = hostile.event(world.rng)
    task = world.rng.choice([world.http.task_id, "odd"])
    answered = world.status(f"/api/tasks/{task}/events", json=event)
    if answered not in (201, 400, 409, 413):
        world.record_error(f"a hostile {event['event_type']!r} event was answered {answered}")
    yield


@fault(3, 0.1)
def hostile_request(world: World) -> Iterator[None]:
    request = hostile.request(world.rng)
    with suppress(OSError), socket.create_connection(("127.0.0.1", world.server.port), timeout=5) as client:
        client.sendall(request)
        response = client.recv(4096)
        if response.startswith(b"HTTP/1.1 5"):
            world.record_error(f"{request[:60]!r} was answered {response[:40]!r}")
    yield


@fault(2, 0.2)
def task_deleted_and_created_again(world: World) -> Iterator[None]:
    world.request("/api/tasks", json={"task_id": "reborn"})
    for event_type in ("runner_spawn", "log", "runner_exit"):
        world.request("/api/tasks/reborn/events", json={"event_type": event_type, "payload": {"exit_code": 0}})
    world.delete("reborn")
    yield
    answered = world.status("/api/tasks/reborn/events", json={"event_type": "log", "payload": {"message": "again"}})
    if answered != 201:
        world.record_error(f"creating a deleted task again was answered {answered}")
    elif world.truth.newest("reborn") != 1:
        world.record_error("a task created again continues the log of the deleted one")
    world.delete("reborn")
