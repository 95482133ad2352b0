"""Test the forecast from earlier runs: the next phase, when it is due, and how many runs it rests on."""

from __future__ import annotations

import msgspec

from signalbox.store.state import Phase
from signalbox.webapp.views.forecast import expected


def phase(name: str, start: int, end: int | None = None, number: int = 1) -> Phase:
    at = "2026-11-21T14:{:02}:{:02}.000000Z"
    return Phase(
        phase=name,
        first_seq=number,
        state="open" if end is None else "done",
        entered_at=at.format(*divmod(start, 60)),
        exited_at=None if end is None else at.format(*divmod(end, 60)),
        changed_seq=1,
    )


def run(*ends: int) -> list[Phase]:
    starts = (0, *ends)
    names = ("planning", "executing", "verifying")
    return [phase(name, start, end) for name, start, end in zip(names, starts, ends, strict=False)]


EARLIER = [run(10, 50, 60), run(5, 65, 70), run(8, 58, 61)]


def test_the_forecast_names_the_next_phase_and_when_it_is_due() -> None:
    forecast = expected([phase("planning", 0, 20), phase("executing", 20)], EARLIER, current="executing")
    assert (forecast.runs, forecast.phase, forecast.next) == (3, "executing", "verifying")
    assert (forecast.usual, forecast.shortest, forecast.longest) == (50, 40, 60)
    assert forecast.due == "2026-11-21T14:01:10.000000Z"


def test_after_the_last_phase_the_forecast_is_the_end_of_the_run() -> None:
    forecast = expected([phase("verifying", 0)], EARLIER, current="verifying")
    assert (forecast.next, forecast.runs) == (None, 3)


def test_before_the_first_phase_the_forecast_is_the_usual_first_phase() -> None:
    forecast = expected([], EARLIER, current=None)
    assert (forecast.phase, forecast.next, forecast.runs) == (None, "planning", 3)


def test_runs_that_never_had_the_phase_do_not_count() -> None:
    forecast = expected([phase("deploying", 0)], EARLIER, current="deploying")
    assert (forecast.runs, forecast.phase) == (0, "deploying")


def test_a_nested_phase_is_not_the_next_phase() -> None:
    nested = [phase("executing", 0, 60), phase("recovery", 20, 30), phase("verifying", 60, 70)]
    assert expected([phase("executing", 0)], [nested], current="executing").next == "verifying"


def test_without_earlier_runs_there_is_no_forecast() -> None:
    assert expected([phase("executing", 0)], [], current="executing").runs == 0
    assert expected([], [], current=None).runs == 0


def test_a_phase_that_ends_after_the_last_year_is_never_due() -> None:
    late = msgspec.structs.replace(phase("executing", 20), entered_at="9999-12-31T23:59:59.000000Z")
    forecast = expected([late], EARLIER, current="executing")
    assert (forecast.next, forecast.usual, forecast.due) == ("verifying", 50, None)
