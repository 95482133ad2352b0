"""`/tasks/{id}?at=seq`: the task page as of then."""

from __future__ import annotations

from contextlib import suppress

import pytest

from e2e.runs import run
from store import Conflict, NewEvent
from tests.support.dom import Node, parse
from tests.support.server import Server


def main_of(server: Server, path: str) -> Node:
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    return parse(answer.text).by_id("main")


def content(server: Server, path: str) -> list[str]:
    return [line for child in main_of(server, path).children if isinstance(child, Node) for line in child.lines()]


@pytest.mark.parametrize("seed", range(2))
def test_the_page_as_of_each_moment_is_the_page_that_was(server: Server, seed: int) -> None:
    task = f"moments-{seed}"
    then = {}
    for event in run(seed, 60):
        with suppress(Conflict):
            server.emit(task, event)
        seq = server.latest(task)
        then[seq] = content(server, f"/tasks/{task}")
    for seq, lines in then.items():
        assert content(server, f"/tasks/{task}?at={seq}") == lines, f"#{seq} differs"


def test_it_says_as_of_when_it_is_and_leads_on(server: Server) -> None:
    server.emit("travel", *[f"line {number}" for number in range(1, 301)])
    page = main_of(server, "/tasks/travel?at=40")
    (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
    assert "As of #40" in banner.text
    ways = {link.text: link.attributes["href"] for link in banner.all("a")}
    assert ways == {
        "back to live": "/tasks/travel",
        "first": "/tasks/travel?at=1",
        "−10": "/tasks/travel?at=30",
        "−1": "/tasks/travel?at=39",
        "+1": "/tasks/travel?at=41",
        "+10": "/tasks/travel?at=50",
        "last": "/tasks/travel?at=300",
    }
    rows = [node.attributes["id"] for node in page.by_id("log-rows").all("li")]
    assert rows == [f"e{seq}" for seq in range(1, 41)]


def test_a_page_of_the_past_does_not_live(server: Server) -> None:
    server.emit("still", "one", "two")
    assert "<live-stream" not in server.get("/tasks/still?at=1").text


def test_a_question_is_open_only_between_its_asking_and_its_answer(server: Server) -> None:
    server.emit(
        "asked",
        "hello",
        NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"}),
        NewEvent(event_type="permission_response", payload={"request_id": "r", "approved": True, "by": "ann"}),
    )
    cards = [
        len([n for n in main_of(server, f"/tasks/asked?at={seq}").walk() if n.tag == "article"]) for seq in (1, 2, 3)
    ]
    assert cards == [0, 1, 0]


def test_beyond_the_last_event_is_the_last_one_with_a_note(server: Server) -> None:
    server.emit("short", "one", "two")
    assert "There is no #99 yet. #2 is the last event." in server.get("/tasks/short?at=99").text
    assert "There is no #" not in server.get("/tasks/short?at=2").text


@pytest.mark.parametrize("bad", ["0", "-1", "x", "", "1.5", "99999999999999999999"])
def test_a_bad_seq_is_refused(server: Server, bad: str) -> None:
    server.emit("refused", "one")
    answer = server.get(f"/tasks/refused?at={bad}")
    assert answer.status_code == 400
    assert "at must be a whole number" in answer.text


def test_a_task_without_events_has_a_beginning(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "empty"})
    assert "As of #0" in server.get("/tasks/empty?at=1").text


def test_an_unknown_task_is_not_found(server: Server) -> None:
    assert server.get("/tasks/nobody?at=1").status_code == 404
