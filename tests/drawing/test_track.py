"""The track diagram and the span tree: stations and lines for any state."""

from __future__ import annotations

from typing import Any

from signalbox.store.state import Phase, Span, Task
from signalbox.webapp.drawing.track import Station, stations
from signalbox.webapp.views.span_tree import lines, with_omitted

AT = "2026-11-21T14:02:07.123456Z"


def task(**values: Any) -> Task:
    return Task(task_id="t", created_at=AT, updated_at=AT, main_span_id="m", **values)


def phase(name: str, state: str = "done", **values: Any) -> Phase:
    return Phase(phase=name, first_seq=1, state=state, entered_at=AT, exited_at=AT, changed_seq=1, **values)


def names_and_states(found: list[Station]) -> list[tuple[str, str]]:
    return [(station.name, station.state) for station in found]


def span(span_id: str, started: int, parent: str | None = None, state: str = "done") -> Span:
    return Span(
        span_id=span_id,
        parent_span_id=parent,
        kind="mark",
        name=span_id,
        phase=None,
        state=state,
        started_seq=started,
        started_at=AT,
        changed_seq=1,
    )


USUAL = [[phase("planning"), phase("executing"), phase("verifying")]]
"""The phases of an earlier run of the kind."""


def test_upcoming_standard_phases_are_drawn_if_an_earlier_run_had_them() -> None:
    reached = [phase("planning", "open")]
    line = stations(task(phase="planning", status="running"), reached, USUAL)
    assert names_and_states(line) == [("planning", "current"), ("executing", "upcoming"), ("verifying", "upcoming")]
    without = stations(task(phase="planning", status="running"), reached, [[phase("planning"), phase("executing")]])
    assert names_and_states(without) == [("planning", "current"), ("executing", "upcoming")]
    assert names_and_states(stations(task(phase="planning", status="running"), reached)) == [("planning", "current")]


def test_no_phases_are_predicted_for_custom_phases_or_an_ended_run() -> None:
    assert names_and_states(stations(task(status="running"), [phase("compile")], USUAL)) == [("compile", "done")]
    failed = stations(task(status="failed"), [phase("planning", "failed")], USUAL)
    assert names_and_states(failed) == [("planning", "failed")]
    assert stations(task(), []) == []


def test_a_run_without_phases_is_one_station() -> None:
    assert names_and_states(stations(task(status="running", started_at=AT), [])) == [("run", "current")]
    assert names_and_states(stations(task(status="done", started_at=AT, ended_at=AT), [])) == [("run", "done")]


def test_a_cancelled_phase_is_not_shown_as_failed() -> None:
    cancelled = task(status="cancelled", started_at=AT, ended_at=AT)
    assert names_and_states(stations(cancelled, [phase("own", "failed")])) == [("own", "cancelled")]


def test_a_skipped_phase_is_not_predicted() -> None:
    line = stations(task(phase="verifying", status="running"), [phase("verifying", "open")], USUAL)
    assert names_and_states(line) == [("verifying", "current")]


def test_the_position_on_the_track_follows_the_work_items() -> None:
    open_phase = phase("executing", "open", items_total=10, items_done=5, items_failed=1)
    (station,) = stations(task(phase="executing", status="running"), [open_phase])
    assert station.progress == 0.6


def test_an_open_permission_sets_a_signal_only_at_the_current_station() -> None:
    line = stations(task(phase="executing", permissions_open=1), [phase("planning"), phase("executing", "open")])
    assert [station.signal for station in line] == [False, True]


def test_the_rail_beside_a_recovery_has_the_state_of_the_station_before_it() -> None:
    line = stations(
        task(phase="executing", status="running"), [phase("planning"), phase("executing", "open"), phase("recovery")]
    )
    assert [(station.siding, station.rail) for station in line[:3]] == [
        (False, "done"),
        (False, "upcoming"),
        (True, "upcoming"),
    ]


def test_children_follow_their_parents_with_open_spans_first() -> None:
    tree = lines([span("c", 3, "a"), span("a", 1), span("d", 4, "a", "open"), span("b", 2), span("e", 5, "c")])
    assert [(line.span.span_id, line.depth) for line in tree] == [("a", 0), ("d", 1), ("c", 1), ("e", 2), ("b", 0)]


def test_a_span_with_an_unknown_parent_is_a_root() -> None:
    assert [(line.span.span_id, line.depth) for line in lines([span("a", 1, "nobody")])] == [("a", 0)]


def test_spans_in_a_parent_cycle_are_shown_once_each() -> None:
    tree = lines([span("a", 1, "b"), span("b", 2, "a"), span("c", 3, "b"), span("own", 4, "own")])
    assert sorted(line.span.span_id for line in tree) == ["a", "b", "c", "own"]


def test_a_chain_of_thousands_of_spans_is_laid_out() -> None:
    tree = lines([span(str(n), n, str(n - 1)) for n in range(1, 20_000)])
    assert tree[-1].depth == 19_998


def test_a_line_below_its_children_says_how_many_are_left_out() -> None:
    tree = lines([span("a", 1), span("b", 2, "a"), span("c", 3, "b"), span("d", 4)], open_first=False)
    shown = [
        (line.span.span_id, line.depth, line.more, line.or_more)
        for line in with_omitted(tree, {"a": 4, "b": 1, "d": 1000})
    ]
    assert shown == [
        ("a", 0, 0, False),
        ("b", 1, 0, False),
        ("c", 2, 0, False),
        ("a", 1, 3, False),
        ("d", 0, 0, False),
        ("d", 1, 1000, True),
    ]
