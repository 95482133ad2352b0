"""The reports of test runners: the outcome of a single test, and the line that sums up a run.

Known are pytest, unittest, jest, vitest, `go test`, `cargo test`, TAP, and the "Tests run:" of Maven and Gradle. Lines
have no escape sequences.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

State = Literal["passed", "failed", "skipped"]


class ReportedOutcome(NamedTuple):
    """The outcome of one test. `message` is the reason that the line gives, or empty."""

    name: str
    state: State
    message: str = ""


_STATES: dict[str, State] = {
    **dict.fromkeys(("PASSED", "PASS", "ok", "XFAIL", "XPASS", "✓", "✔", "√"), "passed"),
    **dict.fromkeys(("FAILED", "FAIL", "ERROR", "not ok", "✕", "✖", "×", "✗"), "failed"),
    **dict.fromkeys(("SKIPPED", "SKIP", "ignored", "skipped", "○", "↓", "expected failure"), "skipped"),
}
# Lines come from strangers, so no pattern may need much more than one look at each character. Where a line could be
# tried in many ways, an atomic group or a lookahead leaves one.
_TOOK = r"(?: {1,8}\(?\d{1,9}(?:\.\d{1,9})? ?m?s\)?)?"
_OUTCOMES = [
    # pytest: its short summary, and its verbose lines with and without pytest-xdist.
    r"(?P<state>FAILED|ERROR|PASSED|XFAIL|XPASS) (?P<name>(?>\S+?\.py(?=::| - |$))(?:::[^\[\s]++(?:\[.*?\])?)?)"
    r"(?: - (?P<message>.*))?",
    r"(?P<name>(?>\S+?\.py::).+?) (?P<state>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: \(.*\))?(?: +\[ *\d+%\])?",
    r"\[gw\d+\] \[ *\d+%\] (?P<state>PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (?P<name>\S+\.py::.+?)",
    # unittest
    r"(?P<name>\w+ \([\w.]+\))(?: \.\.\.)? (?P<state>ok|FAIL|ERROR|skipped|expected failure)(?: .*)?",
    r"(?P<state>FAIL|ERROR): (?P<name>\w+ \([\w.]+\))",
    # go test
    r"\s*--- (?P<state>PASS|FAIL|SKIP): (?P<name>\S+) \(\d+\.\d+s\)",
    # cargo test
    r"test (?P<name>\S+(?: - should panic)?) \.\.\. (?P<state>ok|FAILED|ignored)(?:,.*)?",
    # Maven and Gradle
    r"(?=.* <<< (?:FAILURE|ERROR)!$)"
    r"\[ERROR\] +(?P<name>[\w$.]+[.#]\w+(?:\(.*\))?)(?::\d+)?(?: --.*|  Time elapsed.*)? <<< (?P<state>FAILURE|ERROR)!",
    r"(?P<name>[\w$.]+ > .+?) (?P<state>PASSED|FAILED|SKIPPED)",
    # vitest: its failures in full, before the lines that it shares with jest
    r"\s*(?P<state>FAIL) +(?P<name>\S+\.[cm]?[jt]sx? > .+?)",
    rf"\s*(?P<state>[✓✔√✕✖×✗○↓]) +(?:skipped )?(?P<name>\S.*?){_TOOK}",
    # TAP
    r"(?P<state>not ok|ok) \d+ +-? *(?P<name>\S.*?)(?: # .*)?",
]
_OUTCOME = [re.compile(pattern) for pattern in _OUTCOMES]
_OUTCOME_HINT = re.compile(r"PASS|FAIL|ERROR|XPASS|SKIP|\bok\b|\.\.\. |[✓✔√✕✖×✗○↓]|skipped|ignored", re.ASCII)

_SUMMARY = [
    re.compile(pattern)
    for pattern in (
        # pytest
        r"=* ?((?:\d+ (?:failed|passed|skipped|deselected|xfailed|xpassed|warnings?|errors?|rerun)(?:, )?)+"
        r" in \d+\.\d+s(?: \(\d+:\d\d:\d\d\))?) ?=*",
        r"=* ?(no tests ran in \d+\.\d+s) ?=*",
        # unittest
        r"(FAILED \((?:(?:failures|errors|skipped|expected failures|unexpected successes)=\d+(?:, )?)+\))",
        # jest, vitest
        r"Tests: +(\d+ \w+,.* total)",
        r"\s*Tests  +((?:\d+ [a-z]+ \| )*\d+ [a-z]+ \(\d+\))",
        # cargo test
        r"test result: (?:ok|FAILED)\. (\d+ passed; \d+ failed;.*)",
        # Maven, Gradle
        r"(?:\[\w+\] )?(Tests run: \d+, Failures: \d+(?:, Errors: \d+)?(?:, Skipped: \d+)?)(?:,? .*)?",
        r"(\d+ tests? completed, \d+ failed(?:, \d+ skipped)?)",
        # go test
        r"(FAIL\t\S+\t\d+\.\d+s)",
        # RSpec, and TAP of node:test
        r"(\d+ examples?, \d+ failures?(?:, .*)?)",
        r"# (fail \d+)",
    )
]
_SUMMARY_HINT = re.compile(r"passed|failed|Fail|fail|FAIL|error|tests ran|total")

MAX_NAME_CHARS = 300
MAX_LINE_CHARS = 2000
"""Longer lines are not lines of a report."""


def outcome_of(line: str) -> ReportedOutcome | None:
    """Return the outcome of a test that a line reports, or None."""
    if len(line) > MAX_LINE_CHARS or _OUTCOME_HINT.search(line) is None:
        return None
    line = line.rstrip()
    for pattern in _OUTCOME:
        if found := pattern.fullmatch(line):
            groups = found.groupdict()
            state = _STATES.get(groups["state"], "failed")
            return ReportedOutcome(
                groups["name"].strip()[:MAX_NAME_CHARS], state, (groups.get("message") or "").strip()
            )
    return None


def summary_of(line: str) -> str | None:
    """Return the sum of a test run that a line gives, such as `2 failed, 25 passed in 0.40s`, or None."""
    if len(line) > MAX_LINE_CHARS or _SUMMARY_HINT.search(line) is None:
        return None
    line = line.rstrip()
    for pattern in _SUMMARY:
        if found := pattern.fullmatch(line):
            return found[1].replace("\t", " ")
    return None
