"""A command's output as the lines that a terminal would show."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Callable

import msgspec

from signalbox.webapp.process.row import Row, Run
from signalbox.webapp.process.screen import Screen

MAX_LINE = 16 * 1024
"""Characters of one log event, colours included; a longer line becomes several."""

HEIGHT, WIDTH = 40, 120
"""Rows and columns where there is no terminal that has them."""

HOLD = 0.15
"""Seconds that a complete line waits for a cursor movement that would change it again."""

HOLD_DRAWING = 1.0
"""The same while the command redraws lines, or hides the cursor to do so."""

HOLD_REDRAWN = 5.0
"""Seconds after which a line that was redrawn counts as left for good."""

LIVE_LINES, LIVE_LINE = 10, 1000
"""How much is shown of what is not complete."""

_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Line(msgspec.Struct, frozen=True, eq=False):
    """One line without its end, its colours complete in itself.

    `partial`: the line goes on in the next one. `redrawn`: it was logged before with another text. `at`: when the
    cursor left it, by which the lines of two streams are put in order.
    """

    text: str
    partial: bool = False
    redrawn: bool = False
    at: float = 0.0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return (self.text, self.partial, self.redrawn) == (other.text, other.partial, other.redrawn)

    def __hash__(self) -> int:
        return hash((self.text, self.partial, self.redrawn))


class LineReader:
    """Bytes in any pieces to lines.

    Text without control characters goes around the screen: it only adds rows at the bottom. A line is given out when it
    scrolls out, when `settle` finds that the cursor has left it, or at the end.
    """

    def __init__(
        self, columns: int | None = None, height: int = HEIGHT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._clock = clock
        self._screen = Screen(columns or MAX_LINE, height, self._log, reach=None if columns else WIDTH)
        self._plain = True
        self._out: list[Line] = []
        self._joined: list[Run] = []
        self._changed = self._redrawn = False
        self._fed = self._at = 0.0

    def feed(self, data: bytes, *, final: bool = False) -> list[Line]:
        """The lines that are complete with `data`; with `final` also what stands on the screen."""
        screen, text = self._screen, self._decoder.decode(data, final)
        screen.now = self._clock()
        if text:
            self._fed = screen.now
            lines = self._lines(text) if self._plain else None
            if lines is not None:
                self._add(lines)
            else:
                screen.fold()
                screen.feed(text)
                self._plain = screen.at_end
        if final:
            self._finish()
        return self._given()

    def settle(self, before: float = 0.0) -> list[Line]:
        """The lines that have become complete by time alone; see `due`.

        Those that the cursor left until `before` do not wait, unless they are part of a display that is redrawn.
        """
        now = self._screen.now = self._clock()
        for row in self._left():
            if changed(row):
                hold = self._hold(row)
                if now < row.at + hold and not (hold == HOLD and row.at <= before):
                    break
                self._log(row)
        return self._given()

    @property
    def due(self) -> float | None:
        """Seconds until `settle` may have lines; None while nothing waits."""
        for row in self._left():
            if changed(row):
                return max(0.0, row.at + self._hold(row) - self._clock())
        return None

    @property
    def live(self) -> str:
        """What stands on the screen and is not in the log: the unfinished line, or the last lines of a display."""
        rows, above = self._screen.rows, self._left()
        held = [row for row in above if changed(row) and self._hold(row) != HOLD]
        lines: list[list[Run]] = [[]]
        for row in held + rows[len(above) :]:
            lines[-1] += row.runs()
            if not row.wrapped:
                lines.append([])
        texts = [self._pieces(line)[0].text[:LIVE_LINE] for line in map(self._trimmed, lines[:-1])]
        while texts and not texts[-1]:
            texts.pop()
        return "\n".join(texts[-LIVE_LINES:])

    def resize(self, columns: int, height: int) -> list[Line]:
        """The command's terminal has another size. Gives the lines that scroll out."""
        self._screen.resize(columns, height)
        self._plain = self._screen.at_end
        return self._given()

    def _lines(self, text: str) -> list[str] | None:
        """The rows that plain `text` makes, with the one that it continues; None if the screen must see it."""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if _SPECIAL.search(text):
            return None
        lines = ((self._screen.rows[-1].plain or "") + text).split("\n")
        if "\t" not in text:
            return lines
        return [line.expandtabs() for line in lines] if text.isascii() and lines[0].isascii() else None

    def _add(self, lines: list[str]) -> None:
        screen = self._screen
        rows, now, height = screen.rows, screen.now, screen.height
        last = rows[-1]
        last.set_plain(lines[0])
        if len(lines) > 1:
            last.at = now
        if len(lines) > height:
            for row in rows:
                self._log(row)
            self._at = now
            give = self._out.append
            for line in lines[1:-height]:
                if len(line) <= MAX_LINE:
                    give(Line(line.rstrip(" "), at=now))
                else:
                    self._out += self._pieces(self._trimmed([(0, line)]))
            rows[:] = [Row(line, now) for line in lines[-height:]]
        else:
            rows += [Row(line, now) for line in lines[1:]]
            for row in rows[: max(0, len(rows) - height)]:
                self._log(row)
            del rows[: max(0, len(rows) - height)]
        last = rows[-1]
        tail = last.plain or ""
        if len(tail) > MAX_LINE:
            for row in rows[:-1]:
                self._log(row)
            cut, self._at = len(tail) // MAX_LINE * MAX_LINE, now
            self._join([(0, tail[:cut])], changed=True)
            last.set_plain(tail[cut:])
        screen.y, screen.x = len(rows) - 1, last.width

    def _left(self) -> list[Row]:
        """The rows above the line that the cursor is in."""
        rows, end = self._screen.rows, self._screen.y
        while end and rows[end - 1].wrapped:
            end -= 1
        return [] if self._screen.alternate else rows[:end]

    def _hold(self, row: Row) -> float:
        if row.passed:
            return HOLD_REDRAWN
        screen = self._screen
        drawing = screen.hidden or screen.now - screen.moved_up < HOLD_REDRAWN
        return HOLD_DRAWING if drawing else HOLD

    def _finish(self) -> None:
        screen = self._screen
        screen.leave_alternate()
        rows = screen.rows
        rows[screen.y].at = self._fed
        written = [index for index, row in enumerate(rows) if row.runs()]
        for row in rows[: max(screen.y, written[-1] + 1 if written else 0)]:
            self._log(row)
        if self._joined:
            self._give()
        screen.rows = [Row()]
        screen.x = screen.y = 0

    def _log(self, row: Row) -> None:
        """Give out a row, or keep it until the line that it begins is complete."""
        runs, self._at = row.runs(), row.at
        self._redrawn = self._redrawn or (row.logged is not None and row.logged != runs)
        self._join(runs, changed=row.logged != runs)
        row.logged, row.passed = runs, False
        if not row.wrapped:
            self._give()

    def _join(self, runs: list[Run], *, changed: bool) -> None:
        self._joined += runs
        self._changed = self._changed or changed
        if sum(len(text) for _, text in self._joined) > MAX_LINE:
            *pieces, rest = self._cut(self._joined)
            self._out += [Line(self._text(piece), partial=True, at=self._at) for piece in pieces]
            self._joined = rest

    def _give(self) -> None:
        """Give out the line that is complete now."""
        runs = self._trimmed(self._joined)
        if self._changed and (runs or not self._redrawn):
            *pieces, last = self._pieces(runs)
            self._out += pieces
            self._out.append(msgspec.structs.replace(last, redrawn=True) if self._redrawn else last)
        self._joined = []
        self._changed = self._redrawn = False

    def _given(self) -> list[Line]:
        out, self._out = self._out, []
        return out

    # runs as text

    def _trimmed(self, runs: list[Run]) -> list[Run]:
        """`runs` without blanks at the end that nobody can see."""
        runs = list(runs)
        while runs and not self._screen.styles.shows(runs[-1][0]):
            style, text = runs.pop()
            if text := text.rstrip(" "):
                runs.append((style, text))
                break
        return runs

    def _pieces(self, runs: list[Run]) -> list[Line]:
        *before, last = self._cut(runs)
        lines = [Line(self._text(piece), partial=True, at=self._at) for piece in before]
        return [*lines, Line(self._text(last), at=self._at)]

    def _cut(self, runs: list[Run]) -> list[list[Run]]:
        """`runs` in pieces that have at most MAX_LINE characters with their escape sequences."""
        pieces: list[list[Run]] = [[]]
        size = style = 0
        for new, text in runs:
            while text:
                sequence = len(self._screen.styles.between(style, new))
                room = MAX_LINE - size - sequence
                if room <= 0:
                    pieces.append([])
                    size = style = 0
                    continue
                pieces[-1].append((new, text[:room]))
                size += sequence + len(text[:room])
                text, style = text[room:], new
        return pieces

    def _text(self, runs: list[Run]) -> str:
        style, out = 0, []
        for new, text in runs:
            if new != style:
                out.append(self._screen.styles.between(style, new))
                style = new
            out.append(text)
        if style:
            out.append(self._screen.styles.between(style, 0))
        return "".join(out)


def changed(row: Row) -> bool:
    """Whether the log lacks what the row shows. A blank row that replaces a logged one is nothing new."""
    if row.logged is None:
        return True
    runs = row.runs()
    return runs != row.logged and bool(runs)
