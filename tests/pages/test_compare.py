"""`/compare`: two runs side by side, and the first difference between them."""

from __future__ import annotations

import msgspec
import pytest

from signalbox.store import Event, NewEvent
from signalbox.store.projections import fold
from signalbox.store.state import Task
from signalbox.webapp.views.comparison import (
    ROWS,
    ComparedItem,
    ComparedPhase,
    ComparedRun,
    compared_phases,
    merged,
    parted,
)
from tests.support.addresses import without_identity
from tests.support.dom import Node, parse
from tests.support.server import Server


def event(
    kind: str, span: str = "main", phase: str | None = None, above: str | None = None, **payload: object
) -> NewEvent:
    return NewEvent(event_type=kind, span_id=span, phase=phase, parent_span_id=above, payload=payload)


def item(name: str, how: str = "complete", span: str = "", phase: str = "executing") -> list[NewEvent]:
    span = span or f"span of {name}"
    start = event("work_item_start", span, phase, work_item_id=name)
    return [start, event(f"work_item_{how}", span, phase, **({"error_code": "E1"} if how == "failed" else {}))]


def executing(*work: list[NewEvent], over: bool = True) -> list[NewEvent]:
    first = [event("runner_spawn"), event("phase_enter", "p", "executing")]
    last = [event("phase_exit", "p", "executing"), event("runner_exit", exit_code=0)] if over else []
    return [*first, *(each for events in work for each in events), *last]


def run(events: list[NewEvent], pace: int = 1) -> ComparedRun:
    """Return the run whose log is `events`, one every `pace` seconds."""
    log = [
        Event(
            event_id=seq,
            task_id="t",
            seq=seq,
            event_type=new.event_type,
            phase=new.phase,
            actor=new.actor,
            span_id=new.span_id or "main",
            parent_span_id=new.parent_span_id,
            payload_json=msgspec.Raw(msgspec.json.encode(new.payload)),
            created_at=f"2026-11-21T14:{seq * pace // 60:02}:{seq * pace % 60:02}.000000Z",
        )
        for seq, new in enumerate(events, 1)
    ]
    at = "2026-11-21T14:00:00.000000Z"
    state = fold(Task(task_id="t", created_at=at, updated_at=at, main_span_id="main"), log)
    return ComparedRun(
        task=state.task, phases=list(state.phases.values()), spans=list(state.spans.values()), failure=None
    )


def states(lines: list[ComparedItem]) -> list[tuple[str, str | None, str | None]]:
    return [(line.name, line.a and line.a.state, line.b and line.b.state) for line in lines]


def first_difference(found: list[ComparedPhase]) -> tuple[str, str] | None:
    difference_at = parted(found)
    return difference_at and (difference_at[0], difference_at[1].name)


# the comparison


def test_work_items_of_the_same_name_are_aligned_in_both_orders() -> None:
    a = run(executing(item("one"), item("two"), item("three")))
    b = run(executing(item("one", span="x"), item("extra", span="y"), item("two", "failed", span="z")))
    (chapter,) = compared_phases(a, b)
    assert chapter.phase
    assert chapter.phase.name == "executing"
    assert states(chapter.work) == [
        ("one", "done", "done"),
        ("extra", None, "done"),
        ("two", "done", "failed"),
        ("three", "done", None),
    ]
    assert [line.parted for line in chapter.work] == [False, True, True, True]
    assert first_difference([chapter]) == ("executing", "extra")


def test_durations_and_their_difference() -> None:
    a, b = run(executing(item("one"))), run(executing(item("one")), pace=3)
    (chapter,) = compared_phases(a, b)
    assert chapter.phase
    assert (chapter.phase.a and chapter.phase.a.took, chapter.phase.difference) == (3.0, 6.0)
    assert chapter.work[0].difference == 2.0
    assert first_difference([chapter]) is None


def test_a_phase_of_only_one_run_is_the_first_difference() -> None:
    recovery = [event("phase_enter", "r", "recovery"), *item("mend", phase="recovery")]
    a, b = run(executing(item("one"))), run([*executing(item("one"), over=False), *recovery, event("runner_exit")])
    comparison = compared_phases(a, b)
    assert [chapter.phase and chapter.phase.name for chapter in comparison] == ["executing", "recovery"]
    assert first_difference(comparison) == ("recovery", "recovery")


def test_work_that_may_still_come_is_no_difference() -> None:
    a = run(executing(item("one"), item("two")))
    b = run(executing(item("one"), [event("work_item_start", "w", "executing", work_item_id="two")], over=False))
    c = run(executing(item("one"), over=False))
    assert parted(compared_phases(a, b)) is None
    assert parted(compared_phases(a, c)) is None
    assert first_difference(compared_phases(a, run(executing(item("one"))))) == ("executing", "two")


def test_tools_are_matched_within_their_work_item() -> None:
    def tool(above: str, span: str, **end: object) -> list[NewEvent]:
        return [
            event("tool_status", span, "executing", above, tool_name="pytest"),
            event("tool_result", span, "executing", above, **end),
        ]

    def run_with_two_items(first: list[NewEvent], second: list[NewEvent]) -> ComparedRun:
        starts = [event("work_item_start", name, "executing", work_item_id=name) for name in ("one", "two")]
        return run(executing(starts, first, second))

    a = run_with_two_items(tool("one", "t1"), tool("two", "t2", error_code="E"))
    b = run_with_two_items(tool("two", "t8", error_code="E"), tool("one", "t9"))
    (chapter,) = compared_phases(a, b)
    tools = [(line.within, line.parted) for line in chapter.work if line.name == "pytest"]
    assert tools == [(("one",), False), (("two",), False)]


def test_repeated_names_are_matched_in_order() -> None:
    a = run(executing(item("x", span="1"), item("x", "failed", span="2")))
    b = run(executing(item("x", span="1"), item("x", span="2")))
    (chapter,) = compared_phases(a, b)
    assert states(chapter.work) == [("x", "done", "done"), ("x", "failed", "done")]


def test_merging_keeps_both_orders() -> None:
    assert merged("ace", "abcd") == list("abcde")
    assert merged("", "xy") == ["x", "y"]
    assert merged("bc", "ab") == list("abc")
    assert merged("ab", "ba") == list("ab")


# the page


def page(server: Server, path: str) -> Node:
    response = server.get(path)
    assert response.status_code == 200, response.text
    assert "style=" not in response.text
    return parse(response.text).by_id("main")


def text(node: Node) -> str:
    return " ".join(node.text.split())


def elements_with_class(node: Node, name: str) -> list[Node]:
    return [child for child in node.walk() if name in str(child.attributes.get("class")).split()]


def test_the_page_shows_two_runs_and_their_first_difference(server: Server) -> None:
    server.emit("good", *executing(item("one"), item("two")))
    server.emit("bad", *executing(item("one"), item("two", "failed")))
    main = page(server, "/compare?a=good&b=bad")
    (difference_at,) = elements_with_class(main, "compare-parting")
    assert text(difference_at) == "First difference: two in executing: done in A, failed in B. 1 difference in total."
    (row,) = elements_with_class(main, "compare-parted")
    assert [text(cell).split()[0] for cell in elements_with_class(row, "compare-side")] == ["done", "failed"]
    assert [without_identity(str(a.attributes["href"])) for a in row.all("a")] == [
        "/tasks/good/log?around=5#e5",
        "/tasks/bad/log?around=5#e5",
    ]
    (failures,) = elements_with_class(main, "compare-failures")
    assert [text(cause) for cause in failures.all("dd")] == ["none", "#6 work item failed E1"]
    (runs,) = elements_with_class(main, "compare-runs")
    assert text(runs).count("as of #8") == 2
    (counts,) = elements_with_class(main, "compare-counts")
    rows = [[text(cell) for cell in row.children if isinstance(cell, Node)] for row in counts.all("tr")]
    assert ["Work items failed", "0", "1", "+1"] in rows


def test_only_differences_are_shown_on_request(server: Server) -> None:
    server.emit("all", *executing(item("one"), item("two"), item("<b>three")))
    server.emit("some", *executing(item("one"), item("two")))
    main = page(server, "/compare?a=all&b=some&show=parted")
    (row,) = elements_with_class(main, "compare-work")
    assert text(row).startswith("<b>three differs done")


def test_a_run_compared_with_itself_has_no_difference(server: Server) -> None:
    server.emit("same", *executing(item("one")))
    (difference_at,) = elements_with_class(page(server, "/compare?a=same&b=same"), "compare-parting")
    assert text(difference_at).startswith("No differences")


def test_runs_without_phases_and_work_items_are_compared_by_their_outcome(server: Server) -> None:
    for task, status in (("well", "done"), ("fine", "done"), ("badly", "failed")):
        server.emit(task, NewEvent(event_type="status", payload={"status": status}))
    (same,) = elements_with_class(page(server, "/compare?a=well&b=fine"), "compare-parting")
    assert text(same) == "No differences: both runs ended in the same state."
    (different,) = elements_with_class(page(server, "/compare?a=well&b=badly"), "compare-parting")
    assert text(different) == "The runs ended in different states: A done, B failed."


def test_runs_without_events_have_nothing_to_compare(server: Server) -> None:
    for task in ("new-1", "new-2"):
        server.post("/api/tasks", {"task_id": task})
    assert "there are no rows to compare" in text(page(server, "/compare?a=new-1&b=new-2"))


@pytest.mark.long
def test_thousands_of_work_items_are_cut_and_counted(server: Server) -> None:
    server.emit("many", *executing(*(item(f"item {number}") for number in range(ROWS + 200))))
    server.emit("more", *executing(*(item(f"item {number}") for number in range(ROWS + 250))))
    main = page(server, "/compare?a=many&b=more")
    assert len(elements_with_class(main, "compare-work")) == ROWS
    assert "250 more rows not shown" in text(main)
    assert "50 differences in total" in text(main)
    assert len(elements_with_class(page(server, "/compare?a=many&b=more&show=parted"), "compare-work")) == 50


def test_few_work_items_with_long_names_are_shown(server: Server) -> None:
    server.emit("long-a", *executing(*(item(f"{number} {'x' * 240}") for number in range(800))))
    server.emit("long-b", "nothing")
    main = page(server, "/compare?a=long-a&b=long-b")
    shown = len(elements_with_class(main, "compare-work"))
    assert 200 < shown < 600
    assert f"{800 - shown} more rows not shown" in text(main)


def test_the_second_run_is_chosen_from_runs_of_the_same_kind(server: Server) -> None:
    for task, kind in (("n1", "nightly"), ("n2", "nightly"), ("w1", "weekly")):
        server.post("/api/tasks", {"task_id": task, "kind": kind})
    server.emit("n1", "hello")
    assert '<a href="/compare?a=n1@' in server.get("/tasks/n1").text
    main = page(server, "/compare?a=n1")
    (chosen,) = main.all("select")
    assert [str(option.attributes["value"]).partition("@")[0] for option in chosen.all("option")] == ["n2"]
    assert "There is no other run of kind weekly yet" in text(page(server, "/compare?a=w1&b="))


def test_without_runs_the_page_asks_for_two_ids(server: Server) -> None:
    main = page(server, "/compare")
    assert [field.attributes["name"] for field in main.all("input")] == ["a", "b"]
    assert "The list of tasks shows the ids" in text(main)


def test_an_unknown_run_is_404(server: Server) -> None:
    server.emit("known", "hello")
    for path in ("/compare?a=nobody", "/compare?a=known&b=nobody", "/compare?a=nobody&b=known"):
        assert server.get(path).status_code == 404


def command(*lines: str, status: str = "done") -> list[NewEvent]:
    said = [event("log", message=line) for line in lines]
    return [event("runner_spawn", command=["make", "test"]), *said, event("runner_exit", status=status)]


def test_the_output_of_two_commands_is_compared_when_both_have_ended(server: Server) -> None:
    server.emit("make-a", *command("compiled 12 files in 3 s", "t.py::test_a PASSED", "linked"))
    lines = command("compiled 13 files in 5 s", "t.py::test_a FAILED", "<b>linked</b>", status="failed")
    server.emit("make-b", *lines[:-1])
    address = "/compare?a=make-a&b=make-b"
    assert "The output of the commands is compared when both have ended." in server.get(address).text
    server.emit("make-b", lines[-1])
    page = parse(server.get(address).text)
    rows = [
        ((row.attributes["class"] or "").split("--")[1], row.all("td")[-1].text, row.attributes.get("id"))
        for row in page.all("tr")
        if (row.attributes.get("class") or "").startswith("diff-line ")
    ]
    assert rows == [
        ("both", "compiled 13 files in 5 s", None),
        ("a", "t.py::test_a PASSED", "first-difference"),
        ("a", "linked", None),
        ("b", "t.py::test_a FAILED", None),
        ("b", "<b>linked</b>", None),
    ]
    (tests,) = [node for node in page.all("section") if node.attributes.get("aria-label") == "Tests"]
    assert "Newly failing 1 t.py::test_apassedfailed" in " ".join(tests.text.split())
    assert "Output the same in both runs" in " ".join(parse(server.get("/compare?a=make-a&b=make-a").text).text.split())


def test_runs_that_are_no_commands_have_no_output_to_compare(server: Server) -> None:
    server.emit("plain-a", event("runner_spawn"), "one", event("runner_exit", exit_code=0))
    server.emit("plain-b", event("runner_spawn"), "two", event("runner_exit", exit_code=0))
    assert "Output" not in server.get("/compare?a=plain-a&b=plain-b").text
