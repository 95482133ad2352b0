"""Test the time axis: positions are proportional to time, and long idle gaps are folded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.webapp.views.time_axis import FOLD_WIDTH, axis, idle

periods = st.lists(
    st.tuples(st.floats(0, 1000), st.floats(0, 200)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=12
)


@given(busy=periods, moments=st.lists(st.floats(0, 1200), min_size=2))
def test_positions_follow_time_and_stay_on_the_axis(busy: list[tuple[float, float]], moments: list[float]) -> None:
    drawn = axis(1200, busy)
    places = [drawn.left(at) for at in sorted(moments)]
    assert places == sorted(places)
    assert drawn.left(0) == 0
    assert drawn.left(1200) == pytest.approx(100)


def test_positions_are_proportional_to_time() -> None:
    drawn = axis(10, [(0, 10)])
    assert [drawn.left(at) for at in (0, 2.5, 5, 10)] == [0, 25, 50, 100]


def test_a_long_idle_gap_is_folded_and_other_proportions_are_kept() -> None:
    drawn = axis(100, [(0, 10), (90, 100)])
    (fold,) = drawn.folds
    assert (fold.start, fold.end, fold.width) == (10, 90, FOLD_WIDTH)
    half = (100 - FOLD_WIDTH) / 2
    assert [drawn.left(at) for at in (5, 10, 90, 95)] == pytest.approx(
        [half / 2, half, half + FOLD_WIDTH, half * 1.5 + FOLD_WIDTH]
    )


def test_a_short_idle_gap_is_not_folded() -> None:
    assert axis(100, [(0, 48), (52, 100)]).folds == ()


def test_folding_can_be_turned_off() -> None:
    assert axis(100, [(0, 10), (90, 100)], fold=False).folds == ()


def test_overlapping_work_leaves_no_idle_gap() -> None:
    assert idle([(0, 10), (5, 20), (18, 19), (30, 40)]) == [(20, 30)]


@given(length=st.floats(0.0001, 10_000_000), busy=periods)
def test_ticks_are_few_and_never_in_a_fold(length: float, busy: list[tuple[float, float]]) -> None:
    drawn = axis(length, [(min(a, length), min(b, length)) for a, b in busy])
    ticks = drawn.ticks()
    assert 1 <= len(ticks) <= 16
    assert all(not fold.start < tick.at < fold.end for tick in ticks for fold in drawn.folds)


def test_ticks_end_on_an_axis_of_many_years() -> None:
    """2,025 years before a time, 1 is too small to change the number of a tick that is a float."""
    length = 2025 * 366 * 86400.0
    drawn = axis(length, [(0, 0), (length - 20e-6, length)])
    assert drawn.drawn < 0.001
    assert len(drawn.ticks()) <= 16


def test_an_empty_axis_has_no_length() -> None:
    drawn = axis(0, [])
    assert drawn.left(0) == 0
    assert [tick.at for tick in drawn.ticks()] == [0]
