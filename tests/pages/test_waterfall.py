"""`/tasks/{id}/waterfall` and `/tasks/{id}/spans/{span}`: spans on a time axis, and the page of a span."""

from __future__ import annotations

import time

import pytest

from signalbox.store import NewEvent
from signalbox.webapp.drawing import ids
from tests.support.dom import Node, parse
from tests.support.machine_speed import slowness
from tests.support.server import Server


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def item(kind: str, span: str, parent: str | None = "main", **payload: object) -> NewEvent:
    return NewEvent(event_type=f"work_item_{kind}", span_id=span, parent_span_id=parent, payload=payload)


def elements_with_class(node: Node, name: str) -> list[Node]:
    return [child for child in node.walk() if name in str(child.attributes.get("class")).split()]


def emit_paused_run(server: Server, task: str) -> None:
    """Emit a run that works for 0.1 s, pauses for 0.5 s, and works again."""
    server.emit(task, NewEvent(event_type="runner_spawn", span_id="main"), item("start", "a", work_item_id="first"))
    time.sleep(0.1)
    server.emit(task, item("complete", "a"))
    time.sleep(0.5)
    server.emit(task, item("start", "b", work_item_id="second"))
    time.sleep(0.1)
    server.emit(task, item("failed", "b", message="broken"), item("start", "c", "b", work_item_id="below"))


def test_each_span_is_a_bar_that_links_to_its_page(server: Server) -> None:
    emit_paused_run(server, "bars")
    main = page(server, "/tasks/bars/waterfall")
    rows = elements_with_class(main, "fall")
    assert [elements_with_class(row, "fall-name")[0].text.strip() for row in rows] == [
        "run",
        "first",
        "second",
        "below",
    ]
    assert [row.attributes["class"] for row in rows] == [
        "fall fall--open depth-0",
        "fall fall--done depth-1",
        "fall fall--failed depth-1",
        "fall fall--open depth-2",
    ]
    assert [row.all("a")[0].attributes["href"] for row in rows] == [
        f"/tasks/bars/spans/{span}" for span in ("main", "a", "b", "c")
    ]
    assert "as of #6" in main.text
    assert elements_with_class(main, "fall-now")


def test_an_idle_gap_is_folded_and_can_be_unfolded(server: Server) -> None:
    emit_paused_run(server, "pause")
    folded = page(server, "/tasks/pause/waterfall")
    assert len(elements_with_class(folded, "fall-fold")) == 1
    (link,) = [a for a in folded.all("a") if "Unfold 1 idle gap" in a.text]
    assert link.attributes["href"] == "/tasks/pause/waterfall?gaps=open"
    unfolded = page(server, "/tasks/pause/waterfall?gaps=open")
    assert not elements_with_class(unfolded, "fall-fold")

    def width(main: Node, span: str) -> float:
        return float(str(main.by_id(ids.span(span)).all("rect")[0].attributes["width"]).rstrip("%"))

    assert width(folded, "a") > 2 * width(unfolded, "a")
    assert width(unfolded, "a") == pytest.approx(width(unfolded, "b"), rel=0.6)


def test_an_ended_run_has_no_marker_for_now(server: Server) -> None:
    emit_paused_run(server, "ended")
    server.emit("ended", NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 0}))
    main = page(server, "/tasks/ended/waterfall")
    assert not elements_with_class(main, "fall-now")


def test_a_page_of_the_waterfall_has_a_thousand_spans(server: Server) -> None:
    server.emit(
        "wide", NewEvent(event_type="runner_spawn", span_id="main"), *[item("start", f"s{n}") for n in range(1200)]
    )
    started = time.perf_counter()
    first = page(server, "/tasks/wide/waterfall")
    assert time.perf_counter() - started < 2 * slowness()
    assert len(elements_with_class(first, "fall")) == 1000
    (link,) = [a for a in first.all("a") if a.text == "Next spans"]
    assert len(elements_with_class(page(server, str(link.attributes["href"])), "fall")) == 201


def test_a_task_without_spans_shows_a_note(server: Server) -> None:
    server.post("/api/tasks", {"task_id": "idle"})
    assert "No spans." in page(server, "/tasks/idle/waterfall").text


def test_an_invalid_parameter_is_refused(server: Server) -> None:
    server.emit("bad", "x")
    assert server.get("/tasks/bad/waterfall?gaps=maybe").status_code == 400
    assert server.get("/tasks/bad/waterfall?after=-1").status_code == 400
    assert server.get("/tasks/nobody/waterfall").status_code == 404


def test_a_span_shows_its_events_parents_and_children(server: Server) -> None:
    emit_paused_run(server, "one")
    server.emit("one", NewEvent(event_type="log", span_id="b", payload={"message": "afterwards", "extra": {"x": 1}}))
    main = page(server, "/tasks/one/spans/b")
    (chain,) = elements_with_class(main, "span-chain")
    assert [(a.text, a.attributes["href"]) for a in chain.all("a")] == [
        ("one", "/tasks/one"),
        ("run", "/tasks/one/spans/main"),
    ]
    assert [a.text for a in elements_with_class(main, "span-list")[0].all("a")] == ["below"]
    assert "3 events" in main.text
    assert "afterwards" in main.by_id("log-rows").text
    assert '{"extra":{"x":1}}' in main.by_id("log-rows").text
    assert "broken" in main.text


def test_the_events_of_a_span_are_paged(server: Server) -> None:
    server.emit("many", *[NewEvent(event_type="log", span_id=f"s{n % 2}") for n in range(300)])
    main = page(server, "/tasks/many/spans/s1")
    assert len(main.by_id("log-rows").all("li")) == 100
    (link,) = [a for a in main.all("a") if a.text == "Next events"]
    rows = page(server, str(link.attributes["href"])).by_id("log-rows").all("li")
    assert [row.attributes["id"] for row in rows] == [f"e{seq}" for seq in range(202, 301, 2)]


def test_a_parent_cycle_ends_the_chain_of_parents(server: Server) -> None:
    server.emit("ring", item("start", "x", "y"), item("start", "y", "x"))
    assert len(elements_with_class(page(server, "/tasks/ring/spans/x"), "span-chain")[0].all("a")) == 2


@pytest.mark.parametrize("span", ["a/b", "/src//a.py", "a b?c#d", "ünï", "100%"])
def test_a_span_of_any_name_has_its_page(server: Server, span: str) -> None:
    task = f"names-{ids.span(span)}"
    server.emit(task, item("start", span, None))
    (row,) = elements_with_class(page(server, f"/tasks/{task}/waterfall"), "fall")
    assert span in page(server, str(row.all("a")[0].attributes["href"])).text


def test_an_unknown_span_is_404(server: Server) -> None:
    server.emit("known", "x")
    assert server.get("/tasks/known/spans/nothing").status_code == 404
    assert server.get("/tasks/nobody/spans/nothing").status_code == 404
