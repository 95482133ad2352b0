"""A command's output as lines of text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

import msgspec

MAX_LINE = 16 * 1024
"""Characters of one log event; a longer line becomes several."""


class Line(msgspec.Struct, frozen=True):
    """One line without its end; `partial` when the line goes on in the next one."""

    text: str
    partial: bool = False


class LineReader:
    """Bytes in any pieces to lines. Of a line that is rewritten with carriage returns only the last state is kept."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[Line]:
        """The lines that are complete with `data`; with `final` also the one that no newline ended."""
        *complete, self._pending = (self._pending + self._decoder.decode(data, final)).split("\n")
        for line in complete:
            *parts, last = _pieces(_last_state(line).rstrip("\r"))
            yield from (Line(part, partial=True) for part in parts)
            yield Line(last)
        # A carriage return at the very end may be half of a CRLF, so it stays.
        *parts, self._pending = _pieces(_last_state(self._pending))
        yield from (Line(part, partial=True) for part in parts)
        if final and self._pending.rstrip("\r"):
            yield Line(self._pending.rstrip("\r"))
            self._pending = ""


def _last_state(line: str) -> str:
    """What stands after the last carriage return that something follows."""
    start = line.rfind("\r", 0, len(line.rstrip("\r")))
    return line[start + 1 :]


def _pieces(line: str) -> list[str]:
    return [line[at : at + MAX_LINE] for at in range(0, len(line), MAX_LINE)] or [""]
