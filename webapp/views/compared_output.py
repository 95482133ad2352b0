"""The output of two commands, line by line. Times, numbers and ids do not count as differences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Literal, NamedTuple

from signalbox.store import Event
from signalbox.store.diagnosis.normal_form import normal_line
from signalbox.store.terminal_escapes import plain
from signalbox.webapp.views.compared_tests import ComparedTests, TestReport, compared_tests
from signalbox.webapp.views.line_diff import Difference, differences
from signalbox.webapp.views.text import short_rules

MAX_LINES = 100_000
"""The lines of each run that are compared, the first ones."""

SHOWN_LINES = 600
"""Lines of the comparison that are shown."""

SHOWN_CHARS = 150_000
"""Characters of the lines that are shown."""

CONTEXT_LINES = 3
"""Equal lines that are shown before and after a difference."""

MAX_LINE_CHARS = 1000
"""Characters of a line that are kept."""


_DIGITS = re.compile(r"\d+")


class NumberedLine(NamedTuple):
    """A line of output without escape sequences, and the seq of its event."""

    seq: int
    text: str


class RunOutput:
    """The first MAX_LINES lines of a run's output. `cut` says that there are more."""

    def __init__(self) -> None:
        self.lines: list[NumberedLine] = []
        self.cut = False

    def add_all(self, events: Sequence[Event]) -> bool:
        """Add the lines of events. Returns False if there is no more room."""
        return all(map(self.add, events))

    def add(self, event: Event) -> bool:
        """Add the lines of an event. Returns False if there is no more room."""
        message = event.payload.get("message") if event.event_type == "log" else None
        if isinstance(message, str):
            for text in message.rstrip("\n").split("\n"):
                if len(self.lines) == MAX_LINES:
                    self.cut = True
                    return False
                self.lines.append(NumberedLine(event.seq, _shown(text)))
        return True


class ComparedLine(NamedTuple):
    """A line of the comparison: in the first run only, in the second only, or in both (then `text` is the second's)."""

    side: Literal["a", "b", "both"]
    seq_a: int | None
    seq_b: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """Differences with the equal lines around them. `equal_before` counts the equal lines that are not shown."""

    lines: list[ComparedLine]
    equal_before: int


@dataclass(frozen=True, kw_only=True)
class ComparedOutput:
    """The output of two runs. `only_a` and `only_b` count the lines that only one run has.

    `hunks` has the first SHOWN_LINES lines, and `omitted` counts the other lines that differ. `equal_after` counts the
    equal lines after the last hunk. `cut_a` and `cut_b` say that a run has more lines than MAX_LINES.
    """

    hunks: list[Hunk] = field(default_factory=list)
    only_a: int = 0
    only_b: int = 0
    omitted: int = 0
    equal_after: int = 0
    lines_a: int = 0
    lines_b: int = 0
    cut_a: bool = False
    cut_b: bool = False
    tests: ComparedTests | None = None

    @property
    def differs(self) -> bool:
        """Whether a line differs."""
        return bool(self.only_a or self.only_b)


def compared_output(a: RunOutput, b: RunOutput, pause_point: Callable[[], None] = lambda: None) -> ComparedOutput:
    """Compare two outputs. `pause_point` is called often, and may raise to end the comparison."""
    numbers: dict[str, int] = {}
    known: dict[str, int] = {}
    reports = TestReport(), TestReport()
    encoded: list[list[int]] = []
    for output, report in zip((a, b), reports, strict=True):
        sequence = []
        for at, line in enumerate(output.lines):
            if at % 500 == 0:
                pause_point()
            report.add(line.text, line.seq)
            # Most lines differ from an earlier one in digits only. Such a line has the same normal form.
            key = _DIGITS.sub("0", line.text)
            number = known.get(key)
            if number is None:
                number = known[key] = numbers.setdefault(normal_line(line.text), len(numbers))
            sequence.append(number)
        encoded.append(sequence)
    found = differences(encoded[0], encoded[1], pause_point)
    hunks, omitted, end = _hunks(a.lines, b.lines, found)
    return ComparedOutput(
        hunks=hunks,
        only_a=sum(each.a_end - each.a_start for each in found),
        only_b=sum(each.b_end - each.b_start for each in found),
        omitted=omitted,
        equal_after=len(b.lines) - end if not omitted else 0,
        lines_a=len(a.lines),
        lines_b=len(b.lines),
        cut_a=a.cut,
        cut_b=b.cut,
        tests=compared_tests(*reports),
    )


def _hunks(
    a: Sequence[NumberedLine], b: Sequence[NumberedLine], found: Sequence[Difference]
) -> tuple[list[Hunk], int, int]:
    """Return the hunks, the number of differing lines that are not shown, and the end of the last hunk in `b`."""
    hunks: list[Hunk] = []
    shown = at_b = chars = 0
    lines: list[ComparedLine] = []
    for number, each in enumerate(found):
        size = each.a_end - each.a_start + each.b_end - each.b_start
        room = SHOWN_LINES - shown
        if room <= 0 or chars >= SHOWN_CHARS:
            left = found[number:]
            return hunks, sum(one.a_end - one.a_start + one.b_end - one.b_start for one in left), at_b
        start = max(at_b, each.b_start - CONTEXT_LINES)
        if start > at_b or not hunks:
            lines = []
            hunks.append(Hunk(lines=lines, equal_before=start - at_b))
        offset = each.a_start - each.b_start
        before = [_both(a, b, at + offset, at) for at in range(start, each.b_start)]
        changed = [ComparedLine("a", line.seq, None, line.text) for line in a[each.a_start : each.a_end]]
        changed += [ComparedLine("b", None, line.seq, line.text) for line in b[each.b_start : each.b_end]]
        room = min(room, _fitting(changed, SHOWN_CHARS - chars))
        lines += [*before, *changed[:room]]
        shown += min(size, room)
        chars += sum(len(line.text) for line in (*before, *changed[:room]))
        if size > room:
            left = found[number + 1 :]
            rest = sum(one.a_end - one.a_start + one.b_end - one.b_start for one in left)
            return hunks, size - room + rest, each.b_end
        following = found[number + 1].b_start if number + 1 < len(found) else len(b)
        at_b = min(each.b_end + CONTEXT_LINES, following)
        offset = each.a_end - each.b_end
        lines += [_both(a, b, at + offset, at) for at in range(each.b_end, at_b)]
    return hunks, 0, at_b


def _fitting(lines: Sequence[ComparedLine], chars: int) -> int:
    """Return how many of the lines have at most so many characters together, but at least 1."""
    ends = accumulate(len(line.text) for line in lines)
    return max(1, sum(1 for _ in takewhile(lambda end: end <= chars, ends)))


def _shown(text: str) -> str:
    return short_rules(plain(text[: 2 * MAX_LINE_CHARS])[:MAX_LINE_CHARS].rstrip())


def _both(a: Sequence[NumberedLine], b: Sequence[NumberedLine], in_a: int, in_b: int) -> ComparedLine:
    return ComparedLine("both", a[in_a].seq, b[in_b].seq, b[in_b].text)
