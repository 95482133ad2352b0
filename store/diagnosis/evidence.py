"""The lines of a run's output that say why it failed: the last traceback, the failed tests, the sum of a test run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from signalbox.store.diagnosis.reports import outcome_of, summary_of
from signalbox.store.diagnosis.tracebacks import error_lines, named_error

MAX_TESTS = 50
"""Failed tests that are kept, the first ones."""

MAX_SEQS = 60
"""Lines whose seqs are kept."""


class LogLine(msgspec.Struct, frozen=True):
    """A line of output without escape sequences, and the seq of its event."""

    seq: int
    text: str
    stderr: bool = False


class FailedTest(msgspec.Struct, frozen=True):
    """A test that failed, its reason if the report gives one, and the seq of the line that says so."""

    name: str
    message: str
    seq: int


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence in the output of a run.

    `error` is the error that the last traceback names, at `error_seq`. `tests` is the line that sums up a test run, at
    `tests_seq`; `failed_tests` are the first MAX_TESTS of `failed_total`. `seqs` are the seqs of all these lines.
    """

    error: str = ""
    error_seq: int = 0
    tests: str = ""
    tests_seq: int = 0
    failed_tests: list[FailedTest] = []
    failed_total: int = 0
    seqs: list[int] = []

    @property
    def first_seq(self) -> int:
        """The seq of the line to look at first, or 0: the error of the last traceback, else the first failed test."""
        return self.error_seq or (self.failed_tests[0].seq if self.failed_tests else self.tests_seq)


def evidence_in(lines: Sequence[LogLine]) -> Evidence:
    """Return the evidence in the last lines of a run's output, which are in the order of the log."""
    texts = [line.text for line in lines]
    tests, tests_seq = "", 0
    failed: dict[str, FailedTest] = {}
    for line in lines:
        if outcome := outcome_of(line.text):
            known = failed.get(outcome.name)
            if outcome.state == "failed":
                if known is None or (outcome.message and not known.message):
                    failed[outcome.name] = FailedTest(outcome.name, outcome.message, line.seq)
            elif known is not None:
                # A test that was run again and passed.
                del failed[outcome.name]
        elif summary := summary_of(line.text):
            tests, tests_seq = summary, line.seq
    errors = error_lines(texts)
    seqs = {lines[at].seq for at in errors} | {test.seq for test in failed.values()}
    if tests_seq and failed:
        seqs.add(tests_seq)
    return Evidence(
        error=named_error(texts[errors[-1]]) if errors else "",
        error_seq=lines[errors[-1]].seq if errors else 0,
        tests=tests,
        tests_seq=tests_seq,
        failed_tests=list(failed.values())[:MAX_TESTS],
        failed_total=len(failed),
        seqs=sorted(seqs)[-MAX_SEQS:],
    )
