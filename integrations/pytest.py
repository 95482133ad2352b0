"""A plugin for pytest, which reports a session as a task: `pytest -p signalbox.integrations.pytest`.

With pytest-xdist only the controller reports, so everything is reported once.
"""

from __future__ import annotations

import os
import shlex
from typing import Any

import pytest

from signalbox.integrations.reporting.program import ProgramTask
from signalbox.integrations.reporting.target import ReportTarget, target
from signalbox.integrations.reporting.testing import Outcome, TestResult, TestSession

NAME = "signalbox-session"

DONE = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("signalbox", "reporting to Signalbox")
    group.addoption("--signalbox-store", metavar="URL", help="a store or a server, instead of the environment's")
    group.addoption("--signalbox-project", metavar="ID", help="the project of the task")
    group.addoption("--signalbox-title", metavar="TEXT", help="the title of the task; by default the command line")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if not is_worker and not config.option.collectonly:
        config.pluginmanager.register(SessionReporter(config), NAME)


class SessionReporter:
    """The hooks of one session."""

    def __init__(self, config: pytest.Config) -> None:
        option = config.option
        self._target: ReportTarget = target(option.signalbox_store, project=option.signalbox_project)
        title = option.signalbox_title or _command(config.invocation_params.args)
        metadata = {"pytest": pytest.__version__}
        self._task = ProgramTask(self._target, title=title, kind="pytest", metadata=metadata, joins=True)
        self._session = TestSession(self._task, _line_of)
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._to_rerun: set[str] = set()
        self._collected: set[str] = set()
        self._expected: dict[str, int] = {}
        self._end: dict[str, Any] = {}

    # the session

    def pytest_sessionstart(self) -> None:
        self._task.begin()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        # Every worker collects the same tests.
        if not self._expected:
            self._expect(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not (report.failed or report.skipped) or report.nodeid in self._collected:
            return
        self._collected.add(report.nodeid)
        result = _result([report], "error" if report.failed else "skipped")
        self._session.not_collected(_module(report.nodeid or "collection"), result)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        if isinstance(excinfo.value, KeyboardInterrupt):
            self._end = {"status": "cancelled", "message": f"interrupted after {self._session.sum}"}
        else:
            self._end = {"status": "failed", "error_code": "Exit", "message": str(excinfo.value)}

    def pytest_internalerror(self, excrepr: Any) -> None:
        self._session.line(str(excrepr), level="error")
        last = str(excrepr).strip().rpartition("\n")[2].removeprefix("E").strip()
        self._end = {"status": "failed", "error_code": "internal error", "message": last}

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        for test in list(self._reports):
            self._finish(test)
        status = "done" if exitstatus in DONE else "failed"
        self._session.end({"exit_code": int(exitstatus), "status": status, **self._end})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        stored, counts = self._task.writer.flush(), self._task.writer.counts
        shown = f"task {self._task.task_id} at {self._target.shown_url}"
        if self._target.is_server:
            shown = f"{self._target.url.rstrip('/')}/tasks/{self._task.task_id}"
        terminalreporter.write_line(f"signalbox: {shown}")
        if counts["kept"]:
            kept = "on disk until the server is back: see `signalbox spool`"
            terminalreporter.write_line(f"signalbox: {counts['kept']:,} events are kept {kept}", yellow=True)
        if lost := counts["dropped"] + counts["refused"] + (0 if stored else counts["waiting"]):
            terminalreporter.write_line(f"signalbox: {lost:,} events are not stored", yellow=True)

    # the tests

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if nodeid not in self._reports:
            self._reports[nodeid] = []
            self._session.start(nodeid, _module(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid
        if test in self._to_rerun and report.when != "setup":
            return  # the teardown of the attempt that failed
        self._to_rerun.discard(test)
        # A rerun, or a worker of pytest-xdist that crashed before the test began, sends no start.
        self.pytest_runtest_logstart(test)
        self._reports[test].append(report)
        if str(report.outcome) == "rerun":
            self._session.finish(test, _result(self._reports.pop(test), "rerun"))
            self._to_rerun.add(test)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._finish(nodeid)

    def _finish(self, test: str) -> None:
        reports = self._reports.pop(test, None)
        if reports:
            outcome = _outcome(reports)
            self._session.finish(test, _result(reports, outcome))
            if outcome == "error" and any(report.when == "call" and report.passed for report in reports):
                self._session.counts["passed"] += 1  # pytest counts such a test twice, too

    def _expect(self, tests: list[str]) -> None:
        for test in tests:
            self._expected[_module(test)] = self._expected.get(_module(test), 0) + 1
        self._session.expect(self._expected)


def _command(arguments: tuple[str | os.PathLike[str], ...]) -> str:
    """Return the command line in one line, without the option that loads this plugin."""
    words = ["pytest", *map(str, arguments)]
    for at, word in enumerate(words):
        if word == "-p" and words[at + 1 :][:1] == [__name__]:
            del words[at : at + 2]
            break
    return " ".join(shlex.join(words).split())[:200]


def _line_of(test: str, outcome: Outcome, message: str) -> str:
    word = "ERROR" if outcome == "error" else "FAILED"
    return f"{word} {test} - {message}" if message else f"{word} {test}"


def _module(test: str) -> str:
    return test.partition("::")[0] or "tests"


def _outcome(reports: list[pytest.TestReport]) -> Outcome:
    failed = next((report for report in reports if report.failed), None)
    if failed is not None:
        return "failed" if failed.when not in ("setup", "teardown") else "error"
    for report in reports:
        if report.skipped:
            return "xfailed" if hasattr(report, "wasxfail") else "skipped"
        if report.when == "call" and hasattr(report, "wasxfail"):
            return "xpassed"
    return "passed"


def _result(reports: list[Any], outcome: Outcome) -> TestResult:
    """Return the result of an attempt from the reports of its setup, its call and its teardown."""
    ended = getattr(reports[-1], "stop", None)
    result = TestResult(
        outcome, seconds=sum(getattr(report, "duration", 0.0) for report in reports), ended_at=ended or None
    )
    decisive = next((one for one in reports if one.outcome in ("failed", "rerun", "skipped")), None)
    if decisive is None:
        result.message = str(getattr(reports[-1], "wasxfail", ""))
        return result
    if outcome in ("failed", "error", "rerun"):
        crash = getattr(getattr(decisive.longrepr, "reprcrash", None), "message", "") or _last_error(decisive)
        result.report = decisive.longreprtext
        result.message = _shortened(crash)
        result.error_code = _error_name(crash)
        # The report of the teardown has the output of all three.
        result.output = list(reports[-1].sections)
    else:
        result.message = _reason(decisive)
    return result


def _last_error(report: Any) -> str:
    """Return the last line that names an error, or the whole report if none does."""
    errors = [line for line in report.longreprtext.splitlines() if line.startswith("E  ")]
    return str(errors[-1][1:].strip() if errors else report.longreprtext)


def _reason(report: Any) -> str:
    xfail = getattr(report, "wasxfail", None)
    if xfail is not None:
        return str(xfail).removeprefix("reason: ")
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return str(reason).removeprefix("Skipped: ")


def _error_name(crash: str) -> str:
    if crash.startswith("assert "):
        return "AssertionError"
    name = crash.partition(":")[0].strip()
    return name.rpartition(".")[2] if name.replace(".", "").isidentifier() else ""


def _shortened(text: str) -> str:
    return text if len(text) <= 4000 else f"{text[:4000]}…"
