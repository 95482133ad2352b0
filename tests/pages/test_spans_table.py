"""`/tasks/{id}/spans` and `/tasks/{id}/flame`: sorted, filtered, and added up by name."""

from __future__ import annotations

from time import process_time

import pytest

from signalbox.store import NewEvent
from signalbox.store.state import Span, Task
from signalbox.webapp.drawing import ids
from signalbox.webapp.views.critical_path import critical_path
from signalbox.webapp.views.flame import MAX_BOXES, frames_of, levels
from signalbox.webapp.views.span_groups import label_of
from signalbox.webapp.views.span_times import SpanForest
from tests.support.dom import Node, parse
from tests.support.server import Server


def at(seconds: float) -> str:
    return f"2026-11-21T14:{int(seconds) // 60:02}:{seconds % 60:09.6f}Z"


def forest(*spans: tuple[str, str | None, float, float]) -> SpanForest:
    """Return a forest of spans, each given as id, parent, start and end in seconds."""
    return SpanForest(
        Task(task_id="t", created_at=at(0), updated_at=at(100), main_span_id="m"),
        [
            Span(
                span_id=span_id,
                parent_span_id=parent,
                kind="work_item",
                name=span_id,
                phase=None,
                state="done",
                started_seq=number,
                started_at=at(start),
                ended_seq=number,
                ended_at=at(end),
                changed_seq=number,
            )
            for number, (span_id, parent, start, end) in enumerate(spans, 1)
        ],
    )


def test_self_time_is_the_duration_without_the_union_of_the_children() -> None:
    found = forest(("a", None, 0, 10), ("b", "a", 1, 4), ("c", "a", 3, 6), ("d", "a", 8, 12), ("e", "d", 8, 9))
    assert {timed.span.span_id: timed.own for timed in found.all} == pytest.approx(
        {"a": 3.0, "b": 3.0, "c": 3.0, "d": 3.0, "e": 1.0}
    )


def test_spans_in_a_parent_cycle_are_each_in_one_tree() -> None:
    found = forest(("a", "b", 0, 1), ("b", "a", 0, 1), ("c", "c", 0, 1), ("d", "unknown", 0, 1))
    assert sorted(below.span.span_id for root in found.roots for below in root.subtree()) == ["a", "b", "c", "d"]


def test_the_critical_path_is_the_chain_that_determined_the_end() -> None:
    found = forest(
        ("run", None, 0, 10),
        ("slow", "run", 0, 6),
        ("fast", "run", 0, 2),
        ("last", "run", 7, 10),
        ("step", "last", 8, 9),
    )
    assert {name: sorted(parts) for name, parts in critical_path(found.roots).items()} == {
        "run": [(6, 7)],
        "slow": [(0, 6)],
        "last": [(7, 8), (9, 10)],
        "step": [(8, 9)],
    }


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("shard-317", "shard"),
        ("page 3 of 12", "page # of"),
        ("GET /items/9f86d081884c7d65/x", "GET /items/#/x"),
        ("12", "#"),
        ("test_parse[3]", "test_parse"),
        ("build", "build"),
    ],
)
def test_names_that_differ_in_numbers_have_the_same_label(name: str, label: str) -> None:
    assert label_of(name) == label


def test_the_labels_of_odd_names_are_found_in_little_time() -> None:
    names = [name for n in range(250) for name in ("a-" * 120 + f"z{n:05}x", "#" * 250 + f"{n:05}x")]
    began = process_time()
    for name in names:
        label_of(name)
    assert process_time() - began < 0.4


def test_a_flame_is_as_wide_as_the_time_and_merges_what_is_too_narrow() -> None:
    spans = [
        ("run", None, 0.0, 100.0),
        *[(f"step {chr(97 + n % 26)}{'x' * n}", "run", n, n + 0.001) for n in range(50)],
    ]
    found = forest(*spans, ("work", "run", 60.0, 90.0))
    root, frames = frames_of(found)
    drawn = levels(root, 0)
    assert [(box.frame.label, box.left, box.width) for box in drawn[0]] == [("run", 0.0, 100.0)]
    work, rest = drawn[1]
    assert (work.frame.label, work.width, rest.merged) == ("work", 30.0, 50)
    assert sum(len(level) for level in levels(root, rest.skip)) == 51 <= MAX_BOXES
    assert [box.width for box in levels(frames["work"], 0)[0]] == [100.0]


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    return parse(response.text).by_id("main")


def names(main: Node) -> list[str]:
    return [row.all("th")[0].all("a")[0].text for row in main.all("tbody")[0].all("tr")]


def item(kind: str, span: str, parent: str | None = "main", **payload: object) -> NewEvent:
    return NewEvent(event_type=kind, span_id=span, parent_span_id=parent, payload=payload)


@pytest.fixture(scope="module")
def mixed(shared_server: Server) -> Server:
    """Create a run with a work item of two tools, and a failed one."""
    shared_server.emit(
        "mixed",
        NewEvent(event_type="runner_spawn", span_id="main"),
        item("work_item_start", "w", work_item_id="build <b>"),
        item("tool_status", "t1", "w", tool_name="bash", work_type="shell"),
        item("tool_result", "t1", "w"),
        item("tool_status", "t2", "w", tool_name="sonnet", work_type="llm"),
        item("tool_result", "t2", "w", error_code="overloaded"),
        item("work_item_complete", "w"),
        item("work_item_start", "x", work_item_id="check"),
    )
    return shared_server


def test_the_table_filters_by_name_kind_state_and_parent(mixed: Server) -> None:
    assert names(page(mixed, "/tasks/mixed/spans")) == ["run", "build <b>", "bash", "sonnet", "check"]
    assert names(page(mixed, "/tasks/mixed/spans?q=B&state=done")) == ["build <b>", "bash"]
    assert names(page(mixed, "/tasks/mixed/spans?kind=llm")) == ["sonnet"]
    assert names(page(mixed, "/tasks/mixed/spans?kind=tool&sort=name")) == ["bash", "sonnet"]
    below = page(mixed, "/tasks/mixed/spans?parent=w")
    assert names(below) == ["bash", "sonnet"]
    assert "2 spans of 5" in " ".join(below.text.split())
    assert "No spans match." in page(mixed, "/tasks/mixed/spans?parent=nobody").text


def test_parents_are_shown_by_name_and_kinds_by_icon(mixed: Server) -> None:
    row = page(mixed, "/tasks/mixed/spans").by_id(ids.span("t2"))
    assert "build <b>" in row.text
    assert "tool, llm" in row.text
    assert [node for node in row.walk() if "kind--model" in str(node.attributes.get("class"))]


@pytest.mark.parametrize("parameters", ["sort=size", "state=lost", "row=-1", "q=" + "x" * 301, "sort=self&sort=name"])
def test_an_invalid_parameter_of_the_table_is_refused(mixed: Server, parameters: str) -> None:
    assert mixed.get(f"/tasks/mixed/spans?{parameters}").status_code == 400


def test_the_flame_view_links_each_box_and_lists_them_in_a_table(mixed: Server) -> None:
    main = page(mixed, "/tasks/mixed/flame")
    assert set(names(main)) == {"run", "build <b>", "bash", "sonnet", "check"}
    boxes = list(main.by_id(ids.FLAME).all("ol")[0].all("a"))
    assert str(boxes[0].attributes["href"]) == "/tasks/mixed/flame?zoom=main"
    zoomed = page(mixed, "/tasks/mixed/flame?zoom=w")
    assert set(names(zoomed)) == {"build <b>", "bash", "sonnet"}
    assert mixed.get("/tasks/mixed/flame?skip=x").status_code == 400
    assert mixed.get("/tasks/unknown/flame").status_code == 404
