"""Two test runs, test by test: which tests fail now, pass now, appeared or disappeared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from signalbox.store.diagnosis.reports import ReportedOutcome, outcome_of, summary_of
from signalbox.webapp.views.budget import first_within

MAX_TESTS = 200
"""Tests that are shown of each kind of change."""

MAX_CHARS = 40_000
"""Characters of their names and messages."""

MAX_SHOWN_CHARS = 300
"""Characters of a name, or of a message, that the page shows."""


class ReportedTest(NamedTuple):
    """A test as the output of one run reports it, and the seq of the line."""

    state: str
    message: str
    seq: int


class TestReport:
    """The tests that the output of a run reports, by name, and the line that sums up the run."""

    __test__ = False

    def __init__(self) -> None:
        self.tests: dict[str, ReportedTest] = {}
        self.summary = ""

    def add(self, text: str, seq: int) -> None:
        """Read one line of output, which has no escape sequences."""
        outcome = outcome_of(text)
        if outcome is not None:
            self._add(outcome, seq)
        else:
            self.summary = summary_of(text) or self.summary

    def _add(self, outcome: ReportedOutcome, seq: int) -> None:
        known = self.tests.get(outcome.name)
        if known is None or known.state != outcome.state or (outcome.message and not known.message):
            self.tests[outcome.name] = ReportedTest(outcome.state, outcome.message, seq)

    @property
    def names_all(self) -> bool:
        """Whether the output names the tests that passed too. Many test runners name only the failed ones."""
        return any(test.state == "passed" for test in self.tests.values())

    def __bool__(self) -> bool:
        return bool(self.tests or self.summary)


class TestChange(NamedTuple):
    """A test in both runs; None for a run that does not report it."""

    name: str
    a: ReportedTest | None
    b: ReportedTest | None


TestChange.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, kw_only=True)
class ComparedTests:
    """The tests whose outcome differs, by the kind of the change. `summary_a` and `summary_b` sum up the runs.

    A run that does not name all tests names only the failed ones, so that another test has passed or was not run.
    Each list has at most MAX_TESTS tests, with MAX_CHARS; `omitted` counts the others.
    """

    newly_failing: list[TestChange] = field(default_factory=list)
    newly_passing: list[TestChange] = field(default_factory=list)
    still_failing: list[TestChange] = field(default_factory=list)
    appeared: list[TestChange] = field(default_factory=list)
    disappeared: list[TestChange] = field(default_factory=list)
    summary_a: str = ""
    summary_b: str = ""
    names_all_a: bool = True
    names_all_b: bool = True
    omitted: int = 0

    @property
    def groups(self) -> list[tuple[str, list[TestChange]]]:
        """The lists that have tests, each with its heading."""
        named = [
            ("Newly failing", self.newly_failing),
            ("Newly passing", self.newly_passing),
            ("Still failing", self.still_failing),
            ("Appeared", self.appeared),
            ("Disappeared", self.disappeared),
        ]
        return [(heading, tests) for heading, tests in named if tests]


def compared_tests(a: TestReport, b: TestReport) -> ComparedTests | None:
    """Return the tests whose outcome differs, or None if neither output is that of a test run."""
    if not (a and b):
        return None
    found: dict[str, list[TestChange]] = {}
    for name in _merged(a.tests, b.tests):
        in_a, in_b = a.tests.get(name), b.tests.get(name)
        kind = _kind(in_a, in_b, a.names_all, b.names_all)
        if kind:
            found.setdefault(kind, []).append(TestChange(name, in_a, in_b))
    shown = {kind: first_within(changes, MAX_TESTS, MAX_CHARS, _shown_chars) for kind, changes in found.items()}
    return ComparedTests(
        **shown,
        summary_a=a.summary,
        summary_b=b.summary,
        names_all_a=a.names_all,
        names_all_b=b.names_all,
        omitted=sum(map(len, found.values())) - sum(map(len, shown.values())),
    )


def _shown_chars(change: TestChange) -> int:
    name, a, b = change
    message = (b.message if b else "") or (a.message if a else "")
    return sum(min(len(text), MAX_SHOWN_CHARS) for text in (name, message))


def _kind(a: ReportedTest | None, b: ReportedTest | None, a_names_all: bool, b_names_all: bool) -> str:
    """Return the kind of the change, or an empty text if the outcome is the same."""
    failed_a, failed_b = a is not None and a.state == "failed", b is not None and b.state == "failed"
    if a is None and a_names_all:
        return "newly_failing" if failed_b else "appeared"
    if b is None and b_names_all:
        return "disappeared"
    if failed_a and failed_b:
        return "still_failing"
    if failed_b:
        return "newly_failing"
    # A run that names only its failed tests does not tell which tests are new.
    return "newly_passing" if failed_a and (b is None or b.state == "passed") else ""


def _merged(a: Iterable[str], b: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))
