"""Test the comparison of the output of two commands: line by line, and test by test."""

from __future__ import annotations

import time

import msgspec
import pytest

from signalbox.store import Event
from signalbox.webapp.views import compared_output as outputs
from signalbox.webapp.views.compared_output import ComparedOutput, RunOutput, compared_output


def output_of(*lines: str) -> RunOutput:
    output = RunOutput()
    for seq, line in enumerate(lines, 2):
        payload = msgspec.Raw(msgspec.json.encode({"message": line}))
        at = "2026-11-27T10:00:00.000000Z"
        output.add(
            Event(
                event_id=seq,
                task_id="run",
                seq=seq,
                event_type="log",
                phase=None,
                actor="runner",
                span_id="main",
                parent_span_id=None,
                payload_json=payload,
                created_at=at,
            )
        )
    return output


def compared(a: list[str], b: list[str]) -> ComparedOutput:
    return compared_output(output_of(*a), output_of(*b))


def lines(found: ComparedOutput) -> list[str]:
    signs = {"a": "-", "b": "+", "both": " "}
    return [signs[line.side] + line.text for hunk in found.hunks for line in hunk.lines]


def changes(found: ComparedOutput) -> dict[str, list[str]]:
    assert found.tests is not None
    return {heading: [change.name for change in tests] for heading, tests in found.tests.groups}


def test_times_numbers_ids_and_colours_are_ignored() -> None:
    found = compared(
        ["10:02:11 loaded 17 rows in 3 ms", "commit a1b2c3d4", "wrote /var/a/out.csv", "ok"],
        ["23:59:59 loaded 2,031 rows in 1.5 s", "commit 99f8e7d6", "wrote /srv/b/out.csv", "\x1b[32mok\x1b[0m"],
    )
    assert not found.differs
    assert found.hunks == []
    assert found.equal_after == 4


def test_differences_are_shown_with_the_lines_around_them() -> None:
    same = [f"step {'abcdefghij'[n]}" for n in range(10)]
    found = compared([*same, "old", *same], [*same, "new", "more", *same])
    assert lines(found) == [
        *(f" {line}" for line in same[-3:]),
        "-old",
        "+new",
        "+more",
        *(f" {line}" for line in same[:3]),
    ]
    assert (found.only_a, found.only_b, found.hunks[0].equal_before, found.equal_after) == (1, 2, 7, 7)
    assert [(line.seq_a, line.seq_b) for line in found.hunks[0].lines[2:5]] == [(11, 11), (12, None), (None, 12)]


def test_an_output_without_lines_differs_in_every_line() -> None:
    assert lines(compared([], ["one", "two"])) == ["+one", "+two"]
    assert lines(compared(["one"], [])) == ["-one"]
    assert not compared([], []).differs


def test_long_outputs_are_cut_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MAX_LINES", 50)
    found = compared([f"line {chr(97 + n % 26)}" for n in range(60)], ["other"])
    assert (found.lines_a, found.cut_a, found.cut_b) == (50, True, False)


def test_only_the_first_differing_lines_are_shown() -> None:
    words = [f"word {chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}" for n in range(2000)]
    found = compared(words, [f"not {word}" for word in words])
    assert len(lines(found)) == outputs.SHOWN_LINES
    assert found.omitted == 4000 - outputs.SHOWN_LINES


def test_few_long_lines_and_tests_are_shown() -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)} {'x' * 900}" for n in range(500)]
    found = compared(words, [f"not {word}" for word in words])
    assert 100 < len(lines(found)) < 200
    assert len(lines(found)) + found.omitted == 1000
    failed = [f"FAILED tests/{n}_{'x' * 200}.py::test - {'y' * 250}" for n in range(150)]
    tests = compared(
        [f"{'=' * 20} 1 passed in 1.00s {'=' * 20}"], [*failed, f"{'=' * 20} 150 failed in 1.00s {'=' * 20}"]
    ).tests
    assert tests is not None
    assert 20 < len(tests.newly_failing) < 100
    assert len(tests.newly_failing) + tests.omitted == 150


def test_a_test_run_that_names_all_tests_is_compared_test_by_test() -> None:
    found = compared(
        [
            "t.py::test_a PASSED",
            "t.py::test_b FAILED",
            "t.py::test_c PASSED",
            "t.py::test_d FAILED",
            "t.py::test_e PASSED",
        ],
        [
            "t.py::test_a FAILED",
            "t.py::test_b PASSED",
            "t.py::test_c PASSED",
            "t.py::test_d FAILED",
            "t.py::test_f PASSED",
        ],
    )
    assert changes(found) == {
        "Newly failing": ["t.py::test_a"],
        "Newly passing": ["t.py::test_b"],
        "Still failing": ["t.py::test_d"],
        "Appeared": ["t.py::test_f"],
        "Disappeared": ["t.py::test_e"],
    }


def test_a_test_run_that_names_only_failed_tests_is_compared_too() -> None:
    found = compared(
        ["FAILED t.py::test_a - one", "FAILED t.py::test_b - two", "== 2 failed, 7 passed in 1.00s =="],
        ["FAILED t.py::test_b - two", "FAILED t.py::test_c - three", "== 2 failed, 7 passed in 2.00s =="],
    )
    assert changes(found) == {
        "Newly failing": ["t.py::test_c"],
        "Newly passing": ["t.py::test_a"],
        "Still failing": ["t.py::test_b"],
    }
    assert found.tests
    assert (found.tests.names_all_a, found.tests.summary_b) == (False, "2 failed, 7 passed in 2.00s")


def test_other_commands_have_no_tests() -> None:
    assert compared(["one"], ["t.py::test_a PASSED"]).tests is None


@pytest.mark.long
def test_twenty_thousand_lines_are_compared_in_seconds() -> None:
    a = [
        f"10:00:{n % 60:02} worker {n % 8} processed item {n} of file-{n % 977}.csv in {n % 50} ms"
        for n in range(20_000)
    ]
    b = [line.replace("processed", "skipped") if n % 500 == 0 else line for n, line in enumerate(a)]
    started = time.process_time()
    found = compared(a, b)
    assert (found.only_a, found.only_b) == (40, 40)
    assert time.process_time() - started < 5
