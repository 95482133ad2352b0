"""The differences between two sequences of lines, in time that grows about linearly with their length.

Lines that occur once in both sequences are anchors: the longest increasing sequence of them splits the sequences, and
each part is split again. A part without anchors is compared by Myers' greedy algorithm, which commits itself to the
best path after some edits. Beyond a limit of work in all, the rest counts as replaced as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MAX_DEPTH = 24
"""How often a part is split by anchors."""

MAX_EDITS = 200
"""Edits after which the greedy algorithm commits itself to the path that has come furthest."""

MAX_WORK = 1_500_000
"""Steps of the greedy algorithm in all parts together."""


class Difference(NamedTuple):
    """The lines `a_start` to `a_end` of the first sequence stand where the second has `b_start` to `b_end`."""

    a_start: int
    a_end: int
    b_start: int
    b_end: int


def differences(a: Sequence[int], b: Sequence[int], pause_point: Callable[[], None] = lambda: None) -> list[Difference]:
    """Return the differences between two sequences of numbers that stand for lines, in order.

    `pause_point` is called often, and may raise to end the comparison.
    """
    found: list[Difference] = []
    work = MAX_WORK
    waiting = [(Difference(0, len(a), 0, len(b)), 0)]
    while waiting:
        pause_point()
        whole, depth = waiting.pop()
        part = _trimmed(a, b, whole)
        if part.a_start == part.a_end or part.b_start == part.b_end:
            if part.a_start < part.a_end or part.b_start < part.b_end:
                found.append(part)
            continue
        anchors = _anchors(a, b, part) if depth < MAX_DEPTH else []
        if anchors:
            # The last part first, because the stack returns it last.
            waiting += [(between, depth + 1) for between in reversed(list(_between(part, anchors)))]
            continue
        if work <= 0:
            found.append(part)
            continue
        edits, rest, steps = _greedy(a, b, part)
        work -= steps
        found += edits
        if rest is not None:
            waiting.append((rest, depth))
    return _joined(found)


def _trimmed(a: Sequence[int], b: Sequence[int], part: Difference) -> Difference:
    """Return the part without the lines at its start and end that are equal."""
    a_start, a_end, b_start, b_end = part
    while a_start < a_end and b_start < b_end and a[a_start] == b[b_start]:
        a_start, b_start = a_start + 1, b_start + 1
    while a_start < a_end and b_start < b_end and a[a_end - 1] == b[b_end - 1]:
        a_end, b_end = a_end - 1, b_end - 1
    return Difference(a_start, a_end, b_start, b_end)


def _anchors(a: Sequence[int], b: Sequence[int], part: Difference) -> list[tuple[int, int]]:
    """Return the places of the lines that occur once in both, as far as they are in the same order in both."""
    in_a, in_b = Counter(a[part.a_start : part.a_end]), Counter(b[part.b_start : part.b_end])
    places = {b[at]: at for at in range(part.b_start, part.b_end) if in_b[b[at]] == 1}
    pairs = [(at, places[a[at]]) for at in range(part.a_start, part.a_end) if in_a[a[at]] == 1 and a[at] in places]
    return _increasing(pairs)


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest sequence of pairs whose second numbers increase."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        length = bisect_left(ends, place)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place)
            last.append(at)
        else:
            ends[length], last[length] = place, at
    chain = []
    at = last[-1] if last else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]


def _between(part: Difference, anchors: Sequence[tuple[int, int]]) -> Iterator[Difference]:
    a_start, b_start = part.a_start, part.b_start
    for in_a, in_b in anchors:
        if in_a > a_start or in_b > b_start:
            yield Difference(a_start, in_a, b_start, in_b)
        a_start, b_start = in_a + 1, in_b + 1
    yield Difference(a_start, part.a_end, b_start, part.b_end)


def _greedy(a: Sequence[int], b: Sequence[int], part: Difference) -> tuple[list[Difference], Difference | None, int]:
    """Return the first differences of a part by Myers' algorithm, the rest of the part, and the number of steps.

    E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986.
    """
    size_a, size_b = part.a_end - part.a_start, part.b_end - part.b_start
    reach = {1: 0}
    history: list[dict[int, int]] = []
    steps = 0
    for edits in range(min(MAX_EDITS, size_a + size_b) + 1):
        history.append(dict(reach))
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
            x = reach[k + 1] if down else reach[k - 1] + 1
            y = x - k
            while x < size_a and y < size_b and a[part.a_start + x] == b[part.b_start + y]:
                x, y = x + 1, y + 1
                steps += 1
            steps += 1
            reach[k] = x
            if x >= size_a and y >= size_b:
                return list(_traced(history, part, size_a, size_b)), None, steps
    ends = [(min(reach[k], size_a), k) for k in range(-edits, edits + 1, 2) if reach[k] - k <= size_b]
    x, k = max((end for end in ends if reach[end[1]] <= size_a), key=lambda end: 2 * end[0] - end[1])
    rest = Difference(part.a_start + x, part.a_end, part.b_start + x - k, part.b_end)
    return list(_traced(history, part, x, x - k)), rest, steps


def _traced(history: Sequence[dict[int, int]], part: Difference, x: int, y: int) -> Iterator[Difference]:
    """Yield the single edits of the shortest path, the first one first."""
    edits = []
    for count in range(len(history) - 1, 0, -1):
        reach, k = history[count], x - y
        down = k == -count or (k != count and reach[k - 1] < reach[k + 1])
        above = k + 1 if down else k - 1
        x_before = reach[above]
        y_before = x_before - above
        at_a, at_b = part.a_start + x_before, part.b_start + y_before
        edits.append(Difference(at_a, at_a + (not down), at_b, at_b + down))
        x, y = x_before, y_before
    yield from reversed(edits)


def _joined(found: Sequence[Difference]) -> list[Difference]:
    """Join differences that follow each other without an equal line between them."""
    joined: list[Difference] = []
    for each in sorted(found):
        if joined and joined[-1].a_end == each.a_start and joined[-1].b_end == each.b_start:
            joined[-1] = Difference(joined[-1].a_start, each.a_end, joined[-1].b_start, each.b_end)
        else:
            joined.append(each)
    return joined
