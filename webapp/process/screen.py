"""A small terminal: it interprets text, control characters and escape sequences as changes of a grid."""

from __future__ import annotations

import re

from signalbox.webapp.process.row import Row
from signalbox.webapp.process.terminal_grid import Grid

_TOKEN = re.compile(
    r"[^\x00-\x1f\x7f-\x9f]+"
    r"|(?:\x1b\[|\x9b)([<-?]?)([0-9;:]*)([ -/]*)([@-~])"
    r"|\x1b\]([^\x07\x1b\x9c]*)(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[PX^_][^\x1b\x9c]*(?:\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-~]"
    r"|[\x00-\x1f\x7f-\x9f]"
)
_CUT = re.compile(
    r"(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|\x1b\][^\x07\x1b\x9c]*\x1b?|\x1b[PX^_][^\x1b\x9c]*\x1b?|\x1b[ -/]*)\Z"
)
MAX_REPEATS = 200
"""Maximum number of repetitions of one character."""

MAX_SEQUENCE = 64 * 1024
"""Maximum characters of an unfinished escape sequence. A longer one is dropped."""


class Screen(Grid):
    """A grid that interprets output. An incomplete escape sequence waits for its rest."""

    _unfinished_sequence = ""

    @property
    def at_end(self) -> bool:
        """Whether plain text would only extend the last row."""
        row = self.rows[-1]
        return (
            self.y == len(self.rows) - 1
            and not (self.styles.current or self._unfinished_sequence or self._main or self._margins or self._inserts)
            and row.plain is not None
            and self.x == row.width
        )

    def feed(self, text: str) -> None:
        """Interpret output. A sequence that is incomplete at the end waits for the rest."""
        text = self._unfinished_sequence + text
        self._unfinished_sequence = ""
        if cut := _CUT.search(text):
            text, rest = text[: cut.start()], cut[0]
            self._unfinished_sequence = rest if len(rest) <= MAX_SEQUENCE else ""
        for token in _TOKEN.finditer(text):
            first = token[0][0]
            if first >= " " and not "\x7f" <= first <= "\x9f":
                self._draw(token[0])
            elif token[4]:
                self._control(token[1], token[2], token[3], token[4])
            elif token[5] is not None:
                self._command(token[5])
            elif len(token[0]) <= 2:
                self._single(token[0])

    def _single(self, token: str) -> None:
        match token:
            case "\n":
                self.x = 0
                self.rows[self.y].wrapped = False
                self._down()
            case "\x0b" | "\x0c" | "\x1bD" | "\x84":
                self._down()
            case "\r":
                self.x = 0
            case "\b":
                self.x = max(0, min(self.x, self.columns - 1) - 1)
            case "\t":
                self._tab()
            case "\x1bE" | "\x85":
                self.x = 0
                self._down()
            case "\x1bM" | "\x8d":
                if self.y == self._top:
                    self._insert_lines(1)
                else:
                    self._up(1)
            case "\x1b7":
                self._saved = (self.y, self.x)
            case "\x1b8":
                self._to_row(self._saved[0])
                self._to_column(self._saved[1])
            case "\x1bH" | "\x88":
                self._set_tab_stop(on=True)
            case "\x1bc":
                self.styles.reset()
                self._margins, self._stops = None, None
                self._wraps, self._inserts, self.hidden = True, False, False
                self._erase_display(2)
                self._to_row(0)
                self.x = 0

    def _control(self, private: str, parameters: str, between: str, final: str) -> None:
        if final == "m" and not private and not between:
            self.styles.select(parameters)
            return
        if between or (private and private != "?"):
            if between == "!" and final == "p":
                self._margins, self._wraps, self._inserts, self.hidden = None, True, False, False
            return
        numbers = [int(part[:9]) if part.isdigit() else 0 for part in parameters.replace(":", ";").split(";")]
        if private:
            for number in numbers:
                self._mode(number, final)
            return
        first = numbers[0]
        count = first or 1
        match final:
            case "A":
                self._up(count)
            case "B" | "e":
                self._move_down(count)
            case "C" | "a":
                self._to_column(self.x + count)
            case "D":
                self._to_column(min(self.x, self.columns - (self.x >= self.columns)) - count)
            case "E":
                self._move_down(count)
                self.x = 0
            case "F":
                self._up(count)
                self.x = 0
            case "G" | "`":
                self._to_column(count - 1)
            case "d":
                self._to_row(count - 1)
            case "H" | "f":
                self._to_row(count - 1)
                self._to_column((numbers[1] or 1) - 1 if len(numbers) > 1 else 0)
            case "I":
                self._tab(count)
            case "Z":
                self._back_tab(count)
            case "J":
                self._erase_display(first)
            case "K":
                self._erase_line(first)
            case "L":
                self._insert_lines(count)
                self.x = 0
            case "M":
                self._delete_lines(count)
                self.x = 0
            case "P":
                self.rows[self.y].delete(self.x, count)
            case "@":
                self.rows[self.y].insert(self.x, min(count, self.columns), self.columns)
            case "X":
                self.rows[self.y].erase(self.x, min(self.x + count, self.columns))
            case "S":
                for _ in range(min(count, self.height)):
                    self._scroll()
            case "T":
                y, self.y = self.y, self._top
                self._insert_lines(count)
                self.y = min(y, len(self.rows) - 1)
            case "b":
                self._draw(self._last * min(count, MAX_REPEATS))
            case "g":
                if first == 0:
                    self._set_tab_stop(on=False)
                elif first == 3:
                    self._stops = []
            case "h" | "l":
                self._inserts = (final == "h") if 4 in numbers else self._inserts
            case "r":
                self._set_margins(numbers)
            case "s":
                self._saved = (self.y, self.x)
            case "u":
                self._to_row(self._saved[0])
                self._to_column(self._saved[1])

    def _mode(self, number: int, final: str) -> None:
        if final not in "hl":
            return
        on = final == "h"
        if number == 25:
            self.hidden = not on
        elif number == 7:
            self._wraps = on
        elif number in (47, 1047, 1049):
            if on and self._main is None:
                self._main = (self.rows, self.y, self.x)
                self.rows, self.x, self.y = [Row()], 0, 0
            elif not on:
                self.leave_alternate()

    def _command(self, text: str) -> None:
        kind, _, rest = text.partition(";")
        if kind == "8":
            self.styles.link(rest.partition(";")[2])
