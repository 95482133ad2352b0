"""JUnit XML as a table of tests. The parser refuses document types, so a file cannot define entities."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.parsers import expat

MAX_BYTES = 4 * 1024 * 1024
MAX_TESTS = 1000
MAX_MESSAGE_CHARS = 4000

_STATES = {"failure": "failed", "error": "error", "skipped": "skipped"}


@dataclass
class JUnitTest:
    """One test: its `state` is passed, failed, error or skipped, and `seconds` its duration if the file has it."""

    suite: str
    name: str
    seconds: float | None
    state: str = "passed"
    message: str = ""


@dataclass
class JUnitReport:
    """The tests of a file by state. `tests` has at most `MAX_TESTS`: first those that failed, then the others."""

    totals: dict[str, int] = field(default_factory=dict)
    tests: list[JUnitTest] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of all tests."""
        return sum(self.totals.values())


class NotJUnit(ValueError):
    """The file is not JUnit XML, or has a document type."""


def junit_report(content: bytes) -> JUnitReport:
    """Return the tests of a JUnit XML file. Raises NotJUnit."""
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        raise NotJUnit(str(error)) from None
    tests = sorted(reader.tests, key=lambda test: test.state not in ("failed", "error"))
    totals: dict[str, int] = {}
    for test in tests:
        totals[test.state] = totals.get(test.state, 0) + 1
    return JUnitReport(totals, tests[:MAX_TESTS])


class _Reader:
    def __init__(self) -> None:
        self.tests: list[JUnitTest] = []
        self._test: JUnitTest | None = None
        self._reads_message = self._began = False
        self.parser = expat.ParserCreate()
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
        if tag == "testcase":
            name, suite = attributes.get("name", ""), attributes.get("classname", "")
            self._test = JUnitTest(suite[:500], name[:500], _seconds(attributes.get("time")))
            self.tests.append(self._test)
        elif self._test is not None and tag in _STATES:
            if self._test.state == "passed":
                self._test.state = _STATES[tag]
            message = attributes.get("message", "")[:MAX_MESSAGE_CHARS]
            self._test.message = f"{message}\n" if message else ""
            self._reads_message = True

    def _end(self, tag: str) -> None:
        if tag == "testcase":
            self._test = None
        elif self._test is not None and tag in _STATES:
            self._test.message = self._test.message.strip()
            self._reads_message = False

    def _text(self, text: str) -> None:
        test = self._test
        if test is not None and self._reads_message and len(test.message) < MAX_MESSAGE_CHARS:
            test.message = (test.message + text)[:MAX_MESSAGE_CHARS]


def _seconds(text: str | None) -> float | None:
    try:
        found = float((text or "").replace(",", ""))
    except ValueError:
        return None
    return found if 0 <= found < 1e9 else None
