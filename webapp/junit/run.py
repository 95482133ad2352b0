"""A run of JUnit XML: the events of a session of tests that is over."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from signalbox.integrations.reporting.testing import Outcome, TestResult, TestSession
from signalbox.store import NewEvent
from signalbox.store.emitter.fit_payload import fitting
from signalbox.store.times import epoch_seconds, timestamp
from signalbox.webapp.junit.report import JUnitReport, JUnitTest

OUTCOMES: dict[str, Outcome] = {"passed": "passed", "failed": "failed", "error": "error", "skipped": "skipped"}

MAX_MESSAGE_CHARS = 4000
"""Characters of the first line of a failure."""


def run_of(reports: Sequence[JUnitReport], ended_at: float) -> list[NewEvent]:
    """Return the events of a run with the tests of these reports.

    A test begins when the one before it in its suite ended, because JUnit XML has only durations and the times at which
    suites began. Without these times the run ends at `ended_at`, in seconds since 1970.
    """
    tests = [test for report in reports for test in report.tests]
    seconds = sum(test.seconds or 0.0 for test in tests)
    clock = _Clock(ended_at - seconds)
    timed = [(test, *clock.times_of(test)) for test in tests]
    began = min((at for _, at, _ in timed), default=ended_at)
    events = _Events(began)
    host = next((report.host for report in reports if report.host), None)
    events.append("runner_spawn", {"source": "JUnit XML", **({"host": host} if host else {})}, occurred_at=began)
    session = TestSession(events, _line_of, seconds)
    names = _names(tests)
    modules: dict[str, int] = {}
    for test in tests:
        modules[_module(test)] = modules.get(_module(test), 0) + 1
    session.expect(modules)
    for (test, start, end), name in zip(timed, names, strict=True):
        session.start(name, _module(test), start)
        for _ in range(test.reruns):
            session.finish(name, TestResult("rerun", "it failed and was run again", ended_at=end))
            session.start(name, _module(test), start)
        session.finish(name, _result(test, end))
    failed = bool(session.failures)
    session.end({"exit_code": int(failed), "status": "failed" if failed else "done"})
    return events.collected


def key_of(contents: Sequence[bytes]) -> str:
    """Return a text that is the same for the same files."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:24]


def with_keys(events: Sequence[NewEvent], key: str) -> list[NewEvent]:
    """Return `events` with keys, so that importing the same files again into the same task writes nothing."""
    return [msgspec.structs.replace(event, key=f"junit-{key}-{number}") for number, event in enumerate(events)]


class _Clock:
    """The times of tests, in seconds since 1970: each suite has a clock of its own if it says when it began."""

    def __init__(self, began: float) -> None:
        self._now = {"": began}

    def times_of(self, test: JUnitTest) -> tuple[float, float]:
        began = _epoch(test.started_at)
        suite = f"{test.testsuite} {test.started_at}" if began is not None else ""
        start = self._now.get(suite, began or 0.0)
        self._now[suite] = start + (test.seconds or 0.0)
        return start, self._now[suite]


class _Events:
    """Collects the events of a `TestSession`. One without a time happened at the latest time before it."""

    is_own = True

    def __init__(self, began_at: float) -> None:
        self.collected: list[NewEvent] = []
        self._latest = began_at

    def append(self, event_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> None:
        given = fields.pop("occurred_at", None)
        at = self._latest if given is None else given
        self._latest = max(self._latest, at)
        event = NewEvent(event_type=event_type, payload=payload or {}, occurred_at=timestamp(at), **fields)
        self.collected.append(fitting(event))

    def end(self, payload: dict[str, Any] | None = None) -> None:
        self.append("runner_exit", payload)


def _result(test: JUnitTest, ended_at: float) -> TestResult:
    first, _, _ = test.message.partition("\n")
    return TestResult(
        OUTCOMES[test.state],
        first[:MAX_MESSAGE_CHARS],
        error_code=test.error_type.rpartition(".")[2],
        report=test.message,
        output=list(test.output.items()),
        seconds=test.seconds,
        ended_at=ended_at,
    )


def _line_of(test: str, outcome: Outcome, message: str) -> str:
    return f"{test} FAILED"  # as Gradle writes it


def _module(test: JUnitTest) -> str:
    return test.file or test.suite or test.testsuite or "tests"


def _names(tests: Sequence[JUnitTest]) -> list[str]:
    """Return a name of each test. Tests with the same name get a number."""
    seen: dict[str, int] = {}
    names = []
    for test in tests:
        name = f"{test.suite} > {test.name}" if test.suite else test.name or "test"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return names


def _epoch(text: str) -> float | None:
    """Return a time of JUnit XML in seconds since 1970. One without a zone counts as UTC.

    One before 1970 counts as none: .NET writes the year 1 for a time that it does not know.
    """
    try:
        at = datetime.fromisoformat(text)
        seconds = epoch_seconds((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds >= 0 else None
