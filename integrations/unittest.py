"""A runner for unittest, which reports a session as a task: `python -m signalbox.integrations.unittest discover`.

The arguments are those of `python -m unittest`. A program that calls `unittest.main` passes it the runner:
`unittest.main(testRunner=SignalboxTestRunner)`.
"""

from __future__ import annotations

import shlex
import sys
import time
import unittest
from contextlib import suppress
from types import TracebackType
from typing import Any

from signalbox.integrations.reporting.program import ProgramTask
from signalbox.integrations.reporting.snapshot import text_of
from signalbox.integrations.reporting.target import target
from signalbox.integrations.reporting.testing import Outcome, TestResult, TestSession

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class SignalboxTestResult(unittest.TextTestResult):
    """Prints as unittest does, and reports each test to `session`. Errors of the report are ignored."""

    session: TestSession | None = None

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._began, self._result = time.monotonic(), TestResult("passed")
        if self.session is not None:
            with suppress(Exception):
                self.session.start(test.id(), _module(test.id()))

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if self.session is not None:
            with suppress(Exception):
                self._result.seconds = time.monotonic() - self._began
                self.session.finish(test.id(), self._result)

    def addFailure(self, test: unittest.TestCase, err: ExceptionInfo) -> None:
        super().addFailure(test, err)
        self._add("failed", test, err)

    def addError(self, test: unittest.TestCase, err: ExceptionInfo) -> None:
        super().addError(test, err)
        self._add("error", test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._add("failed" if issubclass(err[0], test.failureException) else "error", subtest, err)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        if isinstance(test, unittest.TestCase):
            self._result = TestResult("skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: ExceptionInfo) -> None:
        super().addExpectedFailure(test, err)
        self._result = TestResult("xfailed", _last_line(err))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        message = "it passed, but is marked as an expected failure"
        self._result = TestResult("failed", message, error_code="unexpected success")

    def _add(self, outcome: Outcome, test: unittest.TestCase, err: ExceptionInfo) -> None:
        with suppress(Exception):
            report = self._exc_info_to_string(err, test)  # type: ignore[attr-defined]  # as TextTestResult shows it
            name = err[0].__name__ if err[0] is not None else ""
            if not isinstance(test, unittest.TestCase):
                # An error of setUpClass or setUpModule has no test.
                if self.session is not None:
                    where = str(test)
                    result = TestResult(outcome, _last_line(err), error_code=name, report=report)
                    self.session.not_collected(where, result)
                return
            earlier = f"{self._result.report}\n" if self._result.report else ""
            message = self._result.message or _last_line(err)
            self._result = TestResult(outcome, message, error_code=name, report=f"{earlier}{report}")


class SignalboxTestRunner(unittest.TextTestRunner):
    """Runs a suite as a task of the kind `unittest`.

    `store`, `server`, `token`, `project` and `title` say where: see `docs/integrations.md`.
    """

    resultclass = SignalboxTestResult  # type: ignore[assignment]

    def __init__(
        self,
        *args: Any,
        store: str | None = None,
        server: str | None = None,
        token: str | None = None,
        project: str | None = None,
        title: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        where = target(store, server=server, token=token, project=project)
        command = " ".join(shlex.join(["unittest", *sys.argv[1:]]).split())[:200]
        self.task = ProgramTask(where, title=title or command, kind="unittest")

    def run(self, test: unittest.TestSuite | unittest.TestCase) -> SignalboxTestResult:
        """Run the tests, and report them."""
        session = TestSession(self.task, _line_of)
        modules: dict[str, int] = {}
        for name in _names(test):
            modules[_module(name)] = modules.get(_module(name), 0) + 1
        session.expect(modules)
        self._session = session
        try:
            result = super().run(test)
        except KeyboardInterrupt:
            session.end({"status": "cancelled", "message": f"interrupted after {session.sum}"})
            raise
        passed = result.wasSuccessful()
        session.end({"exit_code": 0 if passed else 1, "status": "done" if passed else "failed"})
        self.task.writer.flush()
        return result  # type: ignore[return-value]

    def _makeResult(self) -> SignalboxTestResult:
        result = super()._makeResult()
        assert isinstance(result, SignalboxTestResult)
        result.session = self._session
        return result


def _names(test: unittest.TestSuite | unittest.TestCase) -> list[str]:
    if isinstance(test, unittest.TestCase):
        return [test.id()]
    return [name for part in test for name in _names(part)]


def _line_of(test: str, outcome: Outcome, message: str) -> str:
    where, _, name = test.rpartition(".")
    return f"{'ERROR' if outcome == 'error' else 'FAIL'}: {name} ({where})"


def _module(test: str) -> str:
    """Return the module of a test with this id, which is `package.module.Class.test`."""
    return test.rpartition(".")[0].rpartition(".")[0] or test


def _last_line(err: ExceptionInfo) -> str:
    error = err[1]
    message = text_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


if __name__ == "__main__":
    unittest.main(module=None, testRunner=SignalboxTestRunner)
