"""Styles of a terminal: colours and attributes (SGR) with a link (OSC 8). Each combination has a number.

Style 0 is the terminal's default.
"""

from __future__ import annotations

MAX_STYLES = 20_000
"""Maximum number of styles of one stream. Further styles become the default style."""

MAX_COLOUR = 40
"""Maximum characters of the parameters of a colour. A longer colour is the default colour."""

MAX_LINK = 2000
"""Maximum characters of a link's address. A longer one is dropped."""

_ON = {code: code for code in (1, 2, 3, 4, 5, 7, 8, 9)} | {6: 5, 21: 4}
_OFF = {22: (1, 2), 23: (3,), 24: (4,), 25: (5,), 27: (7,), 28: (8,), 29: (9,)}


class Styles:
    """The styles of one stream, and the current one."""

    def __init__(self) -> None:
        self._foreground = self._background = ""
        self._attributes: set[int] = set()
        self._link = ""
        self._numbers: dict[tuple[str, str], int] = {("", ""): 0}
        self._known: list[tuple[str, str]] = [("", "")]
        self.current = 0

    def select(self, parameters: str) -> None:
        """Apply the parameters of an SGR sequence, such as `1;31` or `38;2;255;0;0`."""
        codes = parameters.split(";")[:64]
        while codes:
            self._code(codes)
        self._settle()

    def link(self, address: str) -> None:
        """Start a link; an empty address ends it."""
        self._link = address if len(address) <= MAX_LINK and address.isprintable() else ""
        self._settle()

    def reset(self) -> None:
        """Return to the default style."""
        self._link = ""
        self.select("0")

    def between(self, before: int, after: int) -> str:
        """Return the escape sequences that lead from one style to another."""
        (colours, link), (new_colours, new_link) = self._known[before], self._known[after]
        out = ""
        if colours != new_colours:
            out = f"\x1b[{'0;' if colours and new_colours else ''}{new_colours or '0'}m"
        if link != new_link:
            out += f"\x1b]8;;{new_link}\x1b\\"
        return out

    def shows(self, style: int) -> bool:
        """Return whether a blank in this style looks different from an empty cell."""
        codes = self._known[style][0].split(";")
        return any(code in ("7", "4", "9") or code[:1] == "4" or code[:2] == "10" for code in codes)

    def _code(self, codes: list[str]) -> None:
        text = codes.pop(0)
        head = text.partition(":")[0]
        code = int(head[:9]) if head.isascii() and head.isdigit() else 0
        if code == 0:
            self._foreground = self._background = ""
            self._attributes.clear()
        elif code in (38, 48, 58):
            colour = text if ":" in text else _extended(text, codes)
            colour = colour if len(colour) <= MAX_COLOUR else ""
            if code == 38:
                self._foreground = colour
            elif code == 48:
                self._background = colour
        elif text in ("4:0", "24"):
            self._attributes.discard(4)
        elif code in _ON:
            self._attributes.add(_ON[code])
        elif code in _OFF:
            self._attributes.difference_update(_OFF[code])
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self._foreground = str(code)
        elif 40 <= code <= 47 or 100 <= code <= 107:
            self._background = str(code)
        elif code == 39:
            self._foreground = ""
        elif code == 49:
            self._background = ""

    def _settle(self) -> None:
        parts = [str(code) for code in sorted(self._attributes)]
        colours = ";".join(part for part in (*parts, self._foreground, self._background) if part)
        key = (colours, self._link)
        number = self._numbers.get(key)
        if number is None:
            number = 0
            if len(self._known) < MAX_STYLES:
                number = self._numbers[key] = len(self._known)
                self._known.append(key)
        self.current = number


def _extended(code: str, codes: list[str]) -> str:
    """Remove `5;n` or `2;r;g;b` from the front of `codes`; empty if it is incomplete."""
    length = {"5": 2, "2": 4}.get(codes[0], 1) if codes else 0
    taken, codes[:] = codes[:length], codes[length:]
    valid = length > 1 and len(taken) == length and all(part.isascii() and part.isdigit() for part in taken)
    return ";".join([code, *taken]) if valid else ""
