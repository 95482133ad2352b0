"""An id that is used again does not join two histories."""

from __future__ import annotations

import re

from store import NewEvent
from tests.support.server import Server
from tests.support.sse import open_stream


def anew(server: Server, task_id: str, lines: int) -> None:
    """Delete a task and make another one with its id, which has more to tell."""
    server.store.delete_task(task_id)
    server.store.create_task(task_id)
    server.store.append(
        task_id, [NewEvent(event_type="log", payload={"message": f"SUCCESSOR {n}"}) for n in range(lines)]
    )


def test_a_stream_of_a_deleted_task_shows_nothing_of_the_task_that_has_its_id(server: Server) -> None:
    paths = ("/sse/tasks/{}/events", "/tasks/{}/stream?since=0", "/tasks/{}/timeline?part=frames&since=0")
    for number, path in enumerate(paths):
        used = f"used-{number}"
        server.emit(used, "old 1", "old 2")
        with open_stream(server.url + path.format(used)) as stream:
            said = [next(m for m in stream if m.data and m.event != "heartbeat")]
            anew(server, used, 40)
            for message in stream:
                said.append(message)
                if message.event == "reset":
                    break
        assert said[-1].event == "reset"
        assert not any("SUCCESSOR" in message.data for message in said)


def test_a_page_of_the_old_task_is_told_to_begin_anew(server: Server) -> None:
    server.emit("paged", "old 1", "old 2")
    page = server.get("/tasks/paged").text
    found = re.search(r'id="live" data-src="([^"]*)"', page)
    assert found
    anew(server, "paged", 40)
    with open_stream(f"{server.url}{found[1]}&since=2") as stream:
        assert next(m for m in stream if m.event not in ("heartbeat", "message", "")).event == "reset"
