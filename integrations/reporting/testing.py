"""A session of tests as events: a module is a phase, a test is a work item. Test runners share this.

A test that fails has its report and its captured output as lines before the event that closes it. The last lines are
the failed tests and the sum, by which pages recognise the report of a test runner.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "rerun"]

FAILED: tuple[Outcome, ...] = ("failed", "error")
_ORDER: tuple[Outcome, ...] = ("failed", "passed", "skipped", "xfailed", "xpassed", "error", "rerun")

MAX_LISTED = 200
"""Failed tests that the last lines list."""

MAX_TEXT_CHARS = 64 * 1024
"""Characters of a report or of captured output to keep. The end is kept, because it names the error."""

PROGRESS_INTERVAL_S = 0.25


@dataclass
class TestResult:
    """The outcome of one attempt of a test, and why: `message` is one line, `report` the whole text.

    `output` has the captured output as pairs of a name, such as `stderr`, and the text. `ended_at` and `started_at` are
    in seconds since 1970.
    """

    __test__ = False

    outcome: Outcome
    message: str = ""
    error_code: str = ""
    report: str = ""
    output: list[tuple[str, str]] = field(default_factory=list)
    seconds: float | None = None
    started_at: float | None = None
    ended_at: float | None = None


LineOf = Callable[[str, Outcome, str], str]


class ReportedTask(Protocol):
    """A task to which a session is reported. `ProgramTask` is one."""

    @property
    def is_own(self) -> bool: ...
    def append(self, event_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> None: ...
    def end(self, payload: dict[str, Any] | None = None) -> None: ...


class TestSession:
    """Reports the tests of one session to `task`.

    `line_of` returns the line that names a failed test, in a form that `store.diagnosis.reports` knows. `seconds` is
    the duration of a session that is over already: its events depend on its tests alone, not on the present time.
    """

    __test__ = False

    def __init__(self, task: ReportedTask, line_of: LineOf, seconds: float | None = None) -> None:
        self.task = task
        self._line_of = line_of
        self._seconds = seconds
        self.counts: Counter[str] = Counter()
        self.failures: dict[str, tuple[Outcome, str]] = {}
        self._began = time.monotonic()
        self._mark = "" if task.is_own else f"#{os.urandom(3).hex()}"
        self._modules: dict[str, _Module] = {}
        self._open: dict[str, str] = {}
        self._finished = self._total = 0
        self._next_progress = 0.0

    def expect(self, modules: dict[str, int]) -> None:
        """Say how many tests each module has, before the first one starts."""
        self._total = sum(modules.values())
        for name, tests in modules.items():
            self._modules.setdefault(name, _Module()).expected = tests
        self.task.append("status", {"status": "running", "message": f"{self._total:,} tests"})

    def start(self, test: str, module: str, at: float | None = None) -> None:
        """Report that a test begins. Another start of a test that has ended is another attempt."""
        phase = self._enter(module, at)
        self._open[test] = module
        self._append("work_item_start", test, module, {"work_type": "test"}, at, parent_span_id=phase)

    def finish(self, test: str, result: TestResult) -> None:
        """Report the end of a test, or with the outcome `rerun` of an attempt that is followed by another one."""
        module = self._open.pop(test, None)
        if module is None:
            return
        failed = result.outcome in (*FAILED, "rerun")
        if failed:
            self._report_failure(test, module, result)
        payload: dict[str, Any] = {"outcome": result.outcome}
        if result.message:
            payload["message"] = result.message
        if result.seconds is not None:
            payload["seconds"] = round(result.seconds, 6)
        if failed:
            payload["error_code"] = result.error_code or result.outcome
        self._append("work_item_failed" if failed else "work_item_complete", test, module, payload, result.ended_at)
        self.counts[result.outcome] += 1
        if result.outcome == "rerun":
            return
        if failed:
            self.failures[test] = (result.outcome, result.message)
        self._modules[module].count(result)
        self._finished += 1
        self._report_progress()
        if self._modules[module].is_complete:
            self._leave(module, result.ended_at)

    def not_collected(self, module: str, result: TestResult) -> None:
        """Report that the tests of a module could not be collected, or that the module skips itself."""
        self.start(module, module)
        finished = self._finished
        self.finish(module, result)
        self._finished = finished
        self._leave(module, None)

    def line(self, message: str, **fields: str) -> None:
        """Report a line that belongs to no test."""
        self.task.append("log", {"message": message, **fields})

    @property
    def sum(self) -> str:
        """The counts of the session in one line, such as `2 failed, 25 passed in 0.40s`."""
        counts = {outcome: self.counts[outcome] for outcome in _ORDER if self.counts[outcome]}
        words = [f"{number} {outcome}{'s'[: outcome == 'error' and number > 1]}" for outcome, number in counts.items()]
        seconds = time.monotonic() - self._began if self._seconds is None else self._seconds
        return f"{', '.join(words) or 'no tests ran'} in {seconds:.2f}s"

    def end(self, payload: dict[str, Any]) -> None:
        """Report the end of the session with the failed tests and the sum. `payload` is that of `runner_exit`."""
        for name, module in self._modules.items():
            if module.is_open:
                self._leave(name, None)
        self._report_progress(last=True)
        for number, (test, (outcome, message)) in enumerate(self.failures.items()):
            if number == MAX_LISTED:
                self.line(f"… and {len(self.failures) - MAX_LISTED:,} further failed tests")
                break
            self.line(self._line_of(test, outcome, message.partition("\n")[0]), level="error")
        self.line(f"=== {self.sum} ===")
        self.task.end({"message": self.sum, **payload})

    def _enter(self, name: str, at: float | None) -> str:
        module = self._modules.setdefault(name, _Module())
        if not module.is_open:
            module.is_open = True
            self.task.append("phase_enter", {}, span_id=self._phase_span(name), phase=name, occurred_at=at)
        return self._phase_span(name)

    def _leave(self, name: str, at: float | None) -> None:
        module = self._modules[name]
        module.is_open = False
        payload: dict[str, Any] = {}
        if module.failed:
            tests = "1 test" if module.finished == 1 else f"{module.finished:,} tests"
            payload = {"error_code": "failed", "message": f"{module.failed:,} of {tests} failed"}
        self.task.append("phase_exit", payload, span_id=self._phase_span(name), phase=name, occurred_at=at)

    def _report_failure(self, test: str, module: str, result: TestResult) -> None:
        texts = [*((name, text) for name, text in result.output if text.strip()), ("", result.report)]
        for name, text in texts:
            if not text.strip():
                continue
            payload = {"message": _end_of(text.rstrip("\n"))}
            if "stderr" in name or "stdout" in name:
                payload["stream"] = "stderr" if "stderr" in name else "stdout"
            elif not name:
                payload["level"] = "warning" if result.outcome == "rerun" else "error"
            span = {"span_id": self._test_span(test), "phase": module, "actor": "worker"}
            self.task.append("log", payload, occurred_at=result.ended_at, **span)

    def _report_progress(self, *, last: bool = False) -> None:
        now = time.monotonic()
        is_due = self._seconds is None and now >= self._next_progress
        if self._total and (last or is_due):
            self._next_progress = now + PROGRESS_INTERVAL_S
            done = {"current": self._finished, "total": self._total}
            self.task.append(
                "progress_update", {"progress": {**done, "percentage": 100 * self._finished / self._total}}
            )

    def _append(
        self, event_type: str, test: str, module: str, payload: dict[str, Any], at: float | None, **fields: Any
    ) -> None:
        place = {"span_id": self._test_span(test), "phase": module, "actor": "worker", **fields}
        self.task.append(event_type, {"work_item_id": test, "work_type": "test", **payload}, occurred_at=at, **place)

    def _test_span(self, test: str) -> str:
        return f"{test}{self._mark}"

    def _phase_span(self, module: str) -> str:
        return f"module {module}{self._mark}"


@dataclass
class _Module:
    expected: int = 0
    finished: int = 0
    failed: int = 0
    is_open: bool = False

    @property
    def is_complete(self) -> bool:
        return 0 < self.expected <= self.finished

    def count(self, result: TestResult) -> None:
        self.finished += 1
        self.failed += result.outcome in FAILED


def _end_of(text: str) -> str:
    return text if len(text) <= MAX_TEXT_CHARS else f"…{text[-MAX_TEXT_CHARS:]}"
