"""Terminal colours as classes: ANSI SGR in a log line becomes spans, every other escape is dropped.

The colours are the page's own sixteen (classes `f0` to `f15`, `g0` to `g15` behind the text), which read well on paper
and in the dark; 256-colour and true-colour codes take the nearest of them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from markupsafe import Markup, escape

from webapp.text import clean

_TOKEN = re.compile(
    r"\x1b\[([0-9;:]*)m"
    r"|\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
)
_ATTRIBUTES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
_BASE = (
    (0, 0, 0),
    (170, 0, 0),
    (0, 170, 0),
    (170, 85, 0),
    (0, 0, 170),
    (170, 0, 170),
    (0, 170, 170),
    (170, 170, 170),
    (85, 85, 85),
    (255, 85, 85),
    (85, 255, 85),
    (255, 255, 85),
    (85, 85, 255),
    (255, 85, 255),
    (85, 255, 255),
    (255, 255, 255),
)


def render(text: str) -> Markup:
    """`text` as HTML: escaped, SGR turned into `<span class>`, control characters made visible."""
    if "\x1b" not in text:
        return escape(clean(text))
    style = _Style()
    out: list[str] = []
    position = 0
    for token in _TOKEN.finditer(text):
        style.write(out, text[position : token.start()])
        position = token.end()
        if token[1] is not None:
            style.change(token[1])
    style.write(out, text[position:])
    return Markup("".join(out))


class _Style:
    """What the terminal would be drawing with."""

    def __init__(self) -> None:
        self.colours: dict[str, int] = {}
        self.attributes: dict[str, None] = {}

    def write(self, out: list[str], text: str) -> None:
        if not text:
            return
        html = str(escape(clean(text)))
        classes = [f"{ground}{colour}" for ground, colour in self.colours.items()] + list(self.attributes)
        out.append(f'<span class="{" ".join(classes)}">{html}</span>' if classes else html)

    def change(self, parameters: str) -> None:
        # Colons hold the parts of one code together, `38:2::r:g:b`; with semicolons its parts are codes like others.
        codes = [[int(part) for part in code.split(":") if part] or [0] for code in parameters[:200].split(";")]
        while codes:
            code, *parts = codes.pop(0)
            if code in (38, 48):
                self._set("f" if code == 38 else "g", _nested(parts) if parts else _extended(codes))
                continue
            if code == 0:
                self.colours.clear()
                self.attributes.clear()
            elif code in _ATTRIBUTES:
                self.attributes[_ATTRIBUTES[code]] = None
            elif code in _ENDS:
                for attribute in _ENDS[code]:
                    self.attributes.pop(attribute, None)
            elif code in (39, 49):
                self._set("f" if code == 39 else "g", None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self._set("f", code - 30 if code < 90 else code - 82)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self._set("g", code - 40 if code < 100 else code - 92)

    def _set(self, ground: str, colour: int | None) -> None:
        self.colours.pop(ground, None)
        if colour is not None:
            self.colours[ground] = colour


def _extended(codes: list[list[int]]) -> int | None:
    """Take `5;n` or `2;r;g;b` off the front of `codes`; the nearest of the sixteen. What is cut short takes all."""
    length = {5: 2, 2: 4}.get(codes[0][0], 1) if codes else 0
    taken, codes[:] = codes[:length], codes[length:] if len(codes) >= length else []
    return _nested([code for code, *_ in taken])


def _nested(parts: list[int]) -> int | None:
    match parts:
        case [5, index]:
            return _indexed(index)
        case [2, red, green, blue] | [2, _, red, green, blue]:
            return _nearest(red, green, blue)
    return None


def _indexed(index: int) -> int | None:
    if index < 16:
        return index
    if index < 232:
        steps = (0, 95, 135, 175, 215, 255)
        cube = index - 16
        return _nearest(steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6])
    if index < 256:
        return _nearest(*[8 + 10 * (index - 232)] * 3)
    return None


@lru_cache(maxsize=1024)
def _nearest(red: int, green: int, blue: int) -> int | None:
    if max(red, green, blue) > 255:
        return None
    return min(range(16), key=lambda n: sum((a - b) ** 2 for a, b in zip(_BASE[n], (red, green, blue), strict=True)))
