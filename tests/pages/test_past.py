"""`/tasks/{id}?at=seq`: the task page as of then."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest

from e2e.runs import run
from signalbox.store import Conflict, NewEvent
from tests.support.dom import Node, parse
from tests.support.server import Server


def main_of(server: Server, path: str) -> Node:
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    return parse(answer.text).by_id("main")


def content(server: Server, path: str) -> list[str]:
    """What a page says, but for the moment that its links lead to."""
    lines = [line for child in main_of(server, path).children if isinstance(child, Node) for line in child.lines()]
    return [re.sub(r"[?&]at=\d+", "", line) for line in lines]


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


VIEWS = ("/timeline", "/waterfall", "/spans", "/spans/plan", "/checkpoints/c%201", "/permissions/r")
LEADS = re.compile(r"/tasks/[^/?]+(/(timeline|waterfall|spans|checkpoints)\b[^?.]*)?(\?.*)?")


def told() -> Iterator[NewEvent]:
    """A short run with a checkpoint, on which a question rests."""

    def event(event_type: str, span_id: str = "plan", **payload: object) -> NewEvent:
        return NewEvent(event_type=event_type, phase="planning", span_id=span_id, payload=payload)

    yield NewEvent(event_type="runner_spawn", span_id="main")
    yield NewEvent(event_type="phase_enter", phase="planning", span_id="plan", parent_span_id="main")
    yield event("checkpoint_commit", checkpoint_id="c 1", evidence_refs={"artifacts": ["a.json"]})
    yield event("permission_request", request_id="r", tool_name="rm", evidence_refs={"checkpoint_id": "c 1"})
    yield event("evidence_collected", checkpoint_id="c 1", evidence_id="e1")
    yield event("permission_response", request_id="r", approved=True, by="ann")
    yield event("checkpoint_verified", checkpoint_id="c 1", message="it holds")
    yield event("work_item_failed", span_id="item", work_item_id="i", message="broken")
    yield NewEvent(event_type="phase_exit", phase="planning", span_id="plan")
    yield NewEvent(event_type="runner_exit", span_id="main")


def test_all_that_a_page_of_the_past_leads_to_is_of_then(server: Server) -> None:
    then: dict[tuple[int, str], list[str] | None] = {}
    for seq, event in enumerate(told(), 1):
        server.emit("told", event)
        for view in VIEWS:
            there = server.get(f"/tasks/told{view}").status_code == 200
            then[seq, view] = content(server, f"/tasks/told{view}") if there else None
    for (seq, view), lines in then.items():
        path = f"/tasks/told{view}?at={seq}"
        if lines is None:
            answer = server.get(path)
            assert answer.status_code == 404
            born = next(s for s in range(seq, 11) if then[s, view] is not None)
            assert f"not there yet as of #{seq}: it came with #{born}" in answer.text
            continue
        assert content(server, path) == lines, f"{view} as of #{seq} differs"
    for seq, view in ((9, view) for view in ("", *VIEWS)):
        page = main_of(server, f"/tasks/told{view}?at={seq}")
        (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
        assert f"As of #{seq}" in banner.text
        ways = [str(a.attributes["href"]) for a in page.all("a") if a not in banner.all("a")]
        led = [way for way in ways if LEADS.fullmatch(way)]
        assert led
        assert [way for way in led if f"at={seq}" not in way] == []


def test_a_page_keeps_its_other_parameters_on_its_way_through_time(server: Server) -> None:
    server.emit("kept", *told())
    page = main_of(server, "/tasks/kept/waterfall?gaps=open&at=5")
    (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
    ways = {link.text: link.attributes["href"] for link in banner.all("a")}
    assert ways["back to live"] == "/tasks/kept/waterfall?gaps=open"
    assert ways["+1"] == "/tasks/kept/waterfall?gaps=open&at=6"
    hidden = [node.attributes for node in banner.all("input") if node.attributes["type"] == "hidden"]
    assert [(one["name"], one["value"]) for one in hidden] == [("gaps", "open")]
    fold = next(link for link in page.all("a") if link.text == "Fold idle gaps")
    assert fold.attributes["href"] == "/tasks/kept/waterfall?at=5"


def test_a_part_of_a_run_cannot_be_asked_for_before_it_was(server: Server) -> None:
    server.emit("born", *told())
    page = main_of(server, "/tasks/born/checkpoints/c%201?at=5")
    (slider,) = (node for node in page.all("input") if node.attributes["type"] == "range")
    assert (slider.attributes["min"], slider.attributes["max"]) == ("3", "10")
    assert server.get("/tasks/born/checkpoints/nothing?at=5").status_code == 404
    assert "not there yet" not in server.get("/tasks/born/checkpoints/nothing?at=5").text


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
    for view in ("", "/timeline"):
        assert "<live-stream" not in server.get(f"/tasks/still{view}?at=1").text


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
    assert "There is no #99. #2 is the last event." in server.get("/tasks/short?at=99").text
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
