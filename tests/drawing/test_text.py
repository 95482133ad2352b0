"""The text of times, durations, numbers and values."""

from __future__ import annotations

import pytest

from signalbox.webapp.views.text import (
    between,
    clean,
    clock,
    count,
    display_text,
    duration,
    moment,
    percent,
    plural,
    size,
)

START = "2026-11-21T14:02:07.123456Z"


def test_a_timestamp_is_shown_as_a_time_of_day_or_with_its_date() -> None:
    assert clock(START) == "14:02:07.123"
    assert moment(START) == "2026-11-21 14:02:07"
    assert moment("soon") == "soon"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("2026-11-21T14:02:07.123456Z", "0 ms"),
        ("2026-11-21T14:02:07.973456Z", "850 ms"),
        ("2026-11-21T14:02:10.323456Z", "3.2 s"),
        ("2026-11-21T14:06:19.000000Z", "4 m 11 s"),
        ("2026-11-21T16:05:08.000000Z", "2 h 03 m"),
        ("2026-11-24T21:05:08.000000Z", "3 d 7 h"),
        ("2026-11-21T14:00:00.000000Z", "0 ms"),
    ],
)
def test_elapsed_time_is_shown_in_the_two_largest_units(end: str, words: str) -> None:
    assert between(START, end) == words


def test_durations_are_cut_to_whole_seconds_or_minutes() -> None:
    assert [duration(s) for s in (7.9, 59.99, 60, 3599, 3600, 86399)] == [
        "7 s",
        "59 s",
        "1 m 00 s",
        "59 m 59 s",
        "1 h 00 m",
        "23 h 59 m",
    ]


def test_numbers_have_separators_and_units() -> None:
    assert [size(n) for n in (0, 1, 999, 1000)] == ["0 bytes", "1 byte", "999 bytes", "1 KB"]
    assert [count(n) for n in (0, 1523, 14.0, 2.5, -5)] == ["0", "1,523", "14", "2.5", "-5"]
    assert [count(n) for n in (0.001, 0.5, 1.999, 3.004)] == ["0.001", "0.5", "2", "3"]
    assert [count(n) for n in (1e300, 2 * 10**400, 10**20)] == ["1.00e+300", "2.00e+400", "100,000,000,000,000,000,000"]
    assert [percent(n) for n in (0, 61.4, 99.97, 100)] == ["0 %", "61 %", "99 %", "100 %"]
    assert [plural(n, "event") for n in (0, 1, 2000)] == ["0 events", "1 event", "2,000 events"]


def test_payload_values_are_shown_as_text_or_json() -> None:
    assert [display_text(v) for v in (None, "\x1b[1mbold\x1b[0m", 3, True, {"b": 1, "a": [None]})] == [
        "",
        "bold",
        "3",
        "true",
        '{"b":1,"a":[null]}',
    ]


def test_control_characters_are_shown_and_line_ends_are_line_feeds() -> None:
    assert clean("a\r\nb\rc\x00\x7f\x85\u202e\td\ne") == "a\nb\u240dc\u2400\u2421\ufffd\ufffd\td\ne"
