"""The line of a traceback that names the error, for Python, JavaScript, Java, Go and Rust.

In Python it is the last line of the traceback, in the other languages the line before the frames. A traceback may end
with the cause of an earlier one; the last line that names an error counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PYTHON = "Traceback (most recent call last):"
_GROUP = re.compile(r"^[\s|+-]*")
_NAMED = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?::\s.*|:)?$")
_PYTEST = re.compile(r"^E\s{2,}((?:[\w.]+\.)?\w*(?:Error|Exception|Exit|Interrupt|Warning|Failed|Timeout)\b.*)$")
_FRAME = re.compile(r"^\s+at (?:async )?[\w.$<>\[\]#/ ]+(?:\(|:\d| \()|^\s+at (?:file|node|https?):")
_HEAD = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" |Caused by: |Uncaught |Unhandled exception\. |\[.*?\] )?"
    # The name of a class after a dot or a dollar sign. Without backtracking, because a name may be very long.
    r"(?P<error>(?=[A-Za-z_$])(?:[\w$]*+\.)*+(?>[A-Z]|[\w$]*?\$[A-Z])[\w$]*+(?: \[[A-Z_]+\])?(?::.*)?)$"
)
_GO = re.compile(r"^(?:panic|fatal error): .+")
_RUST = re.compile(r"^thread '.*'(?: \(\d+\))? panicked at (?:'(?P<said>.*)', )?")

LINES_ABOVE_FRAMES = 3
"""A message may have further lines between the line that names the error and the frames."""


def error_lines(lines: Sequence[str]) -> list[int]:
    """Return the indexes of the lines that name the error of a traceback, in order. Lines have no escape sequences."""
    found: list[int] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        first = line[:1]
        if _PYTHON in line and _GROUP.sub("", line) == _PYTHON:
            end = _end_of_python(lines, at + 1)
            if end is not None:
                found.append(end)
                at = end
        elif (first == "E" and _PYTEST.match(line)) or (first in ("p", "f") and _GO.match(line)):
            found.append(at)
        elif first == "t" and (rust := _RUST.match(line)):
            # Since Rust 1.73 the message is on the next line.
            if rust["said"] is None and at + 1 < len(lines) and lines[at + 1].strip():
                at += 1
            found.append(at)
        elif first.isspace() and _FRAME.match(line) and (at == 0 or not _FRAME.match(lines[at - 1])):
            above = _head_above(lines, at)
            if above is not None and above not in found:
                found.append(above)
        at += 1
    return found


def named_error(line: str) -> str:
    """Return the error that such a line names, without the marks of a test runner or a thread around it."""
    if pytest := _PYTEST.match(line):
        return pytest[1].strip()
    if (rust := _RUST.match(line)) and rust["said"] is not None:
        return rust["said"]
    head = _HEAD.match(_GROUP.sub("", line).strip())
    return head["error"] if head else _GROUP.sub("", line).strip()


def _end_of_python(lines: Sequence[str], start: int) -> int | None:
    """Return the index of the first line below the frames, which are indented."""
    margin = len(lines[start - 1]) - len(_GROUP.sub("", lines[start - 1]))
    for at in range(start, len(lines)):
        inner = lines[at][margin:]
        if inner and not inner[0].isspace():
            return at if _NAMED.match(inner) or ":" in inner else None
    return None


def _head_above(lines: Sequence[str], frame: int) -> int | None:
    for at in range(frame - 1, max(-1, frame - 1 - LINES_ABOVE_FRAMES), -1):
        if _HEAD.match(lines[at].strip()):
            return at
    return None
