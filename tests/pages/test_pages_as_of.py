"""`/tasks/{id}?at=seq`: the pages of a task as of an earlier seq."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest

from e2e.random_run import run
from signalbox.store import Conflict, NewEvent
from signalbox.store.path_segments import segment
from tests.support.addresses import without_identity
from tests.support.dom import Node, parse
from tests.support.examples import examples
from tests.support.server import Server


def main_of(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def content(server: Server, path: str) -> list[str]:
    """Return the lines of a page, without the `at` parameter of its links."""
    lines = [line for child in main_of(server, path).children if isinstance(child, Node) for line in child.lines()]
    return [re.sub(r"[?&]at=\d+", "", without_identity(line)) for line in lines]


@pytest.mark.long
@pytest.mark.examples
@pytest.mark.parametrize("seed", range(examples(1)))
def test_the_page_as_of_each_seq_equals_the_page_at_that_time(server: Server, seed: int) -> None:
    task = f"moments-{seed}"
    recorded = {}
    for event in run(seed, 60):
        with suppress(Conflict):
            server.emit(task, event)
        seq = server.latest(task)
        recorded[seq] = content(server, f"/tasks/{task}")
    for seq, lines in recorded.items():
        assert content(server, f"/tasks/{task}?at={seq}") == lines, f"#{seq} differs"


VIEWS = (
    *("/timeline", "/conversation", "/waterfall", "/flame", "/spans", "/spans/plan"),
    *("/checkpoints/c%201", "/permissions/r"),
)
LINK_WITH_TIME = re.compile(r"/tasks/[^/?]+(/(timeline|waterfall|flame|spans|checkpoints)\b[^?.]*)?(\?.*)?")


def short_run() -> Iterator[NewEvent]:
    """Yield a short run with a checkpoint and a permission request that refers to it."""

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


@pytest.mark.long
def test_links_of_a_past_page_keep_its_seq(server: Server) -> None:
    recorded: dict[tuple[int, str], list[str] | None] = {}
    for seq, event in enumerate(short_run(), 1):
        server.emit("as-of", event)
        for view in VIEWS:
            exists = server.get(f"/tasks/as-of{view}").status_code == 200
            recorded[seq, view] = content(server, f"/tasks/as-of{view}") if exists else None
    for (seq, view), lines in recorded.items():
        path = f"/tasks/as-of{view}?at={seq}"
        if lines is None:
            response = server.get(path)
            assert response.status_code == 404
            first_seq = next(s for s in range(seq, 11) if recorded[s, view] is not None)
            assert f"did not exist yet as of #{seq}: it begins with #{first_seq}" in response.text
            continue
        assert content(server, path) == lines, f"{view} as of #{seq} differs"
    for seq, view in ((9, view) for view in ("", *VIEWS)):
        page = main_of(server, f"/tasks/as-of{view}?at={seq}")
        (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
        assert f"As of #{seq}" in banner.text
        links = [str(a.attributes["href"]) for a in page.all("a") if a not in banner.all("a")]
        dated = [link for link in links if LINK_WITH_TIME.fullmatch(link)]
        assert dated
        assert [link for link in dated if f"at={seq}" not in link] == []


def test_time_travel_keeps_other_parameters(server: Server) -> None:
    server.emit("kept", *short_run())
    identity = server.get("/api/tasks/kept").json()["identity"]
    page = main_of(server, "/tasks/kept/waterfall?gaps=open&at=5")
    (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
    links = {link.text: link.attributes["href"] for link in banner.all("a")}
    assert links["back to live"] == "/tasks/kept/waterfall?gaps=open"
    assert without_identity(str(links["+1"])) == "/tasks/kept/waterfall?gaps=open&at=6"
    hidden = [node.attributes for node in banner.all("input") if node.attributes["type"] == "hidden"]
    assert [(field["name"], field["value"]) for field in hidden] == [("gaps", "open"), ("identity", identity)]
    fold = next(link for link in page.all("a") if link.text == "Fold idle gaps")
    assert without_identity(str(fold.attributes["href"])) == "/tasks/kept/waterfall?at=5"


@pytest.mark.parametrize("name", ["what?", "#1", "100%41", "a b", "../x", "schön"])
def test_links_to_other_moments_lead_to_the_same_page_whatever_its_name(server: Server, name: str) -> None:
    start = NewEvent(event_type="work_item_start", span_id=name, payload={"name": "the span"})
    server.emit("odd-moments", start, NewEvent(event_type="log", span_id=name), "more")
    page = main_of(server, f"/tasks/odd-moments/spans/{segment(name)}?at={server.latest('odd-moments')}")
    (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
    addresses = [str(link.attributes["href"]) for link in banner.all("a")]
    addresses += [str(form.attributes["action"]) for form in banner.all("form")]
    assert len(addresses) >= 4
    for address in addresses:
        assert main_of(server, address).all("h1")[0].text == page.all("h1")[0].text, address


def test_the_time_slider_starts_when_the_checkpoint_was_committed(server: Server) -> None:
    server.emit("born", *short_run())
    page = main_of(server, "/tasks/born/checkpoints/c%201?at=5")
    (slider,) = (node for node in page.all("input") if node.attributes["type"] == "range")
    assert (slider.attributes["min"], slider.attributes["max"]) == ("3", "10")
    assert server.get("/tasks/born/checkpoints/nothing?at=5").status_code == 404
    assert "did not exist yet" not in server.get("/tasks/born/checkpoints/nothing?at=5").text


def test_the_banner_shows_the_seq_and_links_to_others(server: Server) -> None:
    server.emit("travel", *[f"line {number}" for number in range(1, 301)])
    page = main_of(server, "/tasks/travel?at=40")
    (banner,) = (node for node in page.walk() if node.attributes.get("data-as-of"))
    assert "As of #40" in banner.text
    links = {link.text: without_identity(str(link.attributes["href"])) for link in banner.all("a")}
    assert links == {
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


def test_a_past_page_is_not_live(server: Server) -> None:
    server.emit("still", "one", "two")
    for view in ("", "/timeline"):
        assert "<live-stream" not in server.get(f"/tasks/still{view}?at=1").text


def test_a_permission_is_open_only_between_request_and_answer(server: Server) -> None:
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


def test_a_seq_beyond_the_log_shows_the_last_event_with_a_note(server: Server) -> None:
    server.emit("short", "one", "two")
    assert "There is no #99. #2 is the last event." in server.get("/tasks/short?at=99").text
    assert "There is no #" not in server.get("/tasks/short?at=2").text


@pytest.mark.parametrize("bad", ["0", "-1", "x", "", "1.5", "99999999999999999999"])
def test_an_invalid_seq_is_refused(server: Server, bad: str) -> None:
    server.emit("refused", "one")
    response = server.get(f"/tasks/refused?at={bad}")
    assert response.status_code == 400
    assert "at must be a whole number" in response.text


def test_a_task_without_events_is_shown_as_of_zero(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "empty"})
    assert "As of #0" in server.get("/tasks/empty?at=1").text


def test_an_unknown_task_is_404(server: Server) -> None:
    assert server.get("/tasks/nobody?at=1").status_code == 404
