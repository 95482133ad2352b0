"""JUnit XML as values. The parser refuses document types, so a file cannot define entities."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of a file that a page reads."""

MAX_TESTS = 1000
"""Tests that a page shows."""

MAX_MESSAGE_CHARS = 4000
"""Characters of a failure or of the captured output that a page shows."""

_STATES = {"failure": "failed", "error": "error", "skipped": "skipped"}
_OUTPUTS = {"system-out": "stdout", "system-err": "stderr"}
_THOUSANDS = re.compile(r"\s*[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?\s*")


@dataclass
class JUnitTest:
    """One test: its `state` is passed, failed, error or skipped, and `seconds` its duration if the file has it.

    `message` has the message and the text of the failure; `error_type` is the type of its exception, if the file names
    it. `reruns` counts failed attempts before it passed. `output` has the captured output by stream. `file` and
    `testsuite` are the source file and the suite around it, or empty, and `suite` is its class.
    """

    suite: str
    name: str
    seconds: float | None
    state: str = "passed"
    message: str = ""
    error_type: str = ""
    reruns: int = 0
    output: dict[str, str] = field(default_factory=dict)
    file: str = ""
    testsuite: str = ""
    started_at: str = ""


@dataclass
class JUnitReport:
    """The tests of a file by state: first those that failed, then the others.

    `host` is the machine that the file names, or empty.
    """

    totals: dict[str, int] = field(default_factory=dict)
    tests: list[JUnitTest] = field(default_factory=list)
    host: str = ""

    @property
    def total(self) -> int:
        """The number of all tests."""
        return sum(self.totals.values())


class NotJUnit(ValueError):
    """The file is not JUnit XML, or has a document type."""


def junit_report(content: bytes) -> JUnitReport:
    """Return at most `MAX_TESTS` tests of a JUnit XML file, those that failed first. Raises NotJUnit.

    It takes about a second for a file of `MAX_BYTES` with as many tests as possible, so a thread calls it.
    """
    report = read_report(content, MAX_MESSAGE_CHARS, MAX_TESTS)
    report.tests = sorted(report.tests, key=_has_passed)[:MAX_TESTS]
    return report


def read_report(content: bytes, max_chars: int, max_tests: int | None = None) -> JUnitReport:
    """Return all tests of a JUnit XML file in its order, with at most `max_chars` of each text. Raises NotJUnit.

    With `max_tests`, only that many tests that failed and that many others are kept. `totals` counts all.
    """
    reader = _Reader(max_chars, max_tests)
    try:
        reader.parser.Parse(content, True)
    except NotJUnit:
        raise
    # Expat raises the last two for encodings that it does not know.
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotJUnit(str(error)) from None
    reader.keep_test()
    return JUnitReport(reader.totals, reader.tests, reader.host)


def _has_passed(test: JUnitTest) -> bool:
    return test.state not in ("failed", "error")


class _Reader:
    def __init__(self, max_chars: int, max_tests: int | None) -> None:
        self.totals: dict[str, int] = {}
        self.tests: list[JUnitTest] = []
        self.host = ""
        self._max_chars, self._max_tests = max_chars, max_tests
        self._kept = {True: 0, False: 0}
        self._suites: list[dict[str, str]] = []
        self._test: JUnitTest | None = None
        self._began = False
        self._text_of = ""
        self.parser = expat.ParserCreate()
        # Else each line of a text is a call, and each call copies the text before it.
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _refuse(self, *_: object) -> None:
        raise NotJUnit("it has a document type")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._began and tag not in ("testsuites", "testsuite"):
            raise NotJUnit(f"it begins with <{tag[:40]}>")
        self._began = True
        test = self._test
        if tag == "testsuite":
            self._suites.append(attributes)
            self.host = self.host or attributes.get("hostname", "")[:200]
        elif tag == "testcase":
            self.keep_test()
            self._test = self._new_test(attributes)
        elif test is not None and tag in _STATES:
            if test.state == "passed":
                test.state = _STATES[tag]
                test.error_type = attributes.get("type", "")[:200]
            message = attributes.get("message", "")[: self._max_chars]
            test.message = f"{message}\n" if message else ""
            self._text_of = "message"
        elif test is not None and tag in ("flakyFailure", "flakyError", "rerunFailure", "rerunError"):
            test.reruns += 1
        elif test is not None and tag in _OUTPUTS:
            self._text_of = _OUTPUTS[tag]

    def keep_test(self) -> None:
        """Count the test that was read last, and keep it unless there are enough of its kind."""
        test, self._test = self._test, None
        if test is not None:
            self.totals[test.state] = self.totals.get(test.state, 0) + 1
            passed = _has_passed(test)
            if self._max_tests is None or self._kept[passed] < self._max_tests:
                self._kept[passed] += 1
                self.tests.append(test)

    def _new_test(self, attributes: dict[str, str]) -> JUnitTest:
        suite = self._suites[-1] if self._suites else {}
        return JUnitTest(
            attributes.get("classname", "")[:500],
            attributes.get("name", "")[:500],
            _seconds(attributes.get("time")),
            file=(attributes.get("file") or suite.get("file") or suite.get("filepath") or "")[:500],
            testsuite=suite.get("name", "")[:500],
            started_at=(attributes.get("timestamp") or suite.get("timestamp") or "")[:64],
        )

    def _end(self, tag: str) -> None:
        if tag == "testsuite" and self._suites:
            self._suites.pop()
        elif tag == "testcase":
            self.keep_test()
        elif self._test is not None and tag in _STATES:
            self._test.message = self._test.message.strip()
        if tag in _STATES or tag in _OUTPUTS:
            self._text_of = ""

    def _text(self, text: str) -> None:
        test = self._test
        if test is None or not self._text_of:
            return
        if self._text_of == "message":
            if len(test.message) < self._max_chars:
                test.message = (test.message + text)[: self._max_chars]
        elif len(before := test.output.get(self._text_of, "")) < self._max_chars:
            test.output[self._text_of] = (before + text)[: self._max_chars]


def _seconds(text: str | None) -> float | None:
    """Return a duration: `1.5`, with commas between thousands as in `1,204.5`, or with a decimal comma as in `0,5`."""
    given = text or ""
    try:
        found = float(given.replace(",", "") if _THOUSANDS.fullmatch(given) else given.replace(",", "."))
    except ValueError:
        return None
    return found if 0 <= found < 1e9 else None
