"""Test that differences between lines are found, few, and found in about linear time."""

from __future__ import annotations

import random
import time

import pytest

from signalbox.webapp.views.line_diff import Difference, differences


def apply(a: list[int], b: list[int], found: list[Difference]) -> list[int]:
    """Return `a` with the differences applied, which is `b` if they are right."""
    result: list[int] = []
    at = 0
    for each in found:
        result += a[at : each.a_start] + b[each.b_start : each.b_end]
        at = each.a_end
    return result + a[at:]


def size(found: list[Difference]) -> int:
    return sum(each.a_end - each.a_start + each.b_end - each.b_start for each in found)


@pytest.mark.parametrize(
    ("a", "b", "found"),
    [
        ([], [], []),
        ([1, 2], [1, 2], []),
        ([], [1], [(0, 0, 0, 1)]),
        ([1, 2, 3], [1, 9, 3], [(1, 2, 1, 2)]),
        ([1, 2, 3], [1, 3], [(1, 2, 1, 1)]),
        ([1, 1, 1, 1], [1, 1, 1], [(3, 4, 3, 3)]),
        ([1, 2, 1, 2], [2, 1, 2, 1], [(0, 1, 0, 0), (4, 4, 3, 4)]),
        ([1, 2], [3, 4], [(0, 2, 0, 2)]),
    ],
)
def test_small_sequences(a: list[int], b: list[int], found: list[tuple[int, ...]]) -> None:
    assert differences(a, b) == found


def test_differences_always_lead_from_one_sequence_to_the_other() -> None:
    chance = random.Random(7)
    for number in range(400):
        words = chance.choice([2, 5, 1000])
        a = [chance.randrange(words) for _ in range(chance.randrange(60))]
        b = [chance.randrange(words) if chance.random() < 0.2 else one for one in a if chance.random() < 0.9]
        if number % 3 == 0:
            chance.shuffle(b)
        assert apply(a, b, differences(a, b)) == b


def test_a_few_changes_in_a_long_sequence_are_few_differences() -> None:
    a = [n % 700 for n in range(20_000)]
    b = [*a[:5000], -1, *a[5000:12_000], *a[12_010:]]
    assert size(differences(a, b)) == 11


def test_many_changes_among_equal_lines_are_found() -> None:
    a = [0] * 30_000
    b = [1 if n % 50 == 7 else 0 for n in range(30_000)]
    found = differences(a, b)
    assert apply(a, b, found) == b
    assert size(found) == 1200


@pytest.mark.long
@pytest.mark.parametrize("kind", ["unique", "repeated", "two lines", "shuffled", "periodic"])
def test_thirty_thousand_lines_of_any_kind_take_seconds_at_most(kind: str) -> None:
    chance = random.Random(3)
    lines = 30_000
    a, b = {
        "unique": lambda: (list(range(lines)), [n for n in range(lines) if n % 10] + list(range(-50, 0))),
        "repeated": lambda: (
            [chance.randrange(50) for _ in range(lines)],
            [chance.randrange(50) for _ in range(lines)],
        ),
        "two lines": lambda: ([n % 2 for n in range(lines)], [n % 3 for n in range(lines)]),
        "shuffled": lambda: (list(range(lines)), chance.sample(range(lines), lines)),
        "periodic": lambda: ([n % 997 for n in range(lines)], [n % 991 for n in range(lines)]),
    }[kind]()
    started = time.process_time()
    found = differences(a, b)
    assert time.process_time() - started < 4
    assert apply(a, b, found) == b


def test_a_comparison_can_be_ended() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        differences([1, 2], [2, 1], stop)
