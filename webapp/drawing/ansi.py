"""Terminal colours as HTML: ANSI SGR becomes spans with classes, OSC 8 and web addresses become links, and other
sequences are dropped.

Text on the page's own background has the page's colours (classes `f0` to `f15`), readable in light and dark.
A background (`g0` to `g15`) has the terminal's own colour, and its text (`t0` to `t15`) one that is readable on it.
Reversed text is drawn in the same way. 256-colour and true-colour codes use the nearest of the sixteen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup, escape

from signalbox.store.terminal_escapes import CSI, ESCAPE, STRING_END
from signalbox.webapp.drawing.links import MAX_LINK_CHARS, MAX_LINKS, addresses, linked, opening_tag
from signalbox.webapp.drawing.palette import GREY, indexed, nearest, text_on
from signalbox.webapp.views.text import clean

CHANGES = 500
"""Spans in one text. The rest of a text with more of them is plain."""

_COLOURS = re.compile(f"{CSI}([0-9;:]*)m")
_LINK = re.compile(f"(?:\x1b\\]|\x9d)8;[^;\x07\x1b\x9c\n]*;([^\x07\x1b\x9c\n]*){STRING_END}")
_ADDRESS = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_ATTRIBUTES = {
    1: "bold",
    2: "dim",
    3: "italic",
    4: "underline",
    7: "inverse",
    8: "conceal",
    9: "strike",
    21: "underline",
}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 28: ("conceal",), 29: ("strike",)}

_NAMES = [name for name in dict.fromkeys(_ATTRIBUTES.values()) if name != "inverse"]

Change = tuple[str, int | str | None]
"""The effect of an SGR code: `f` or `g` with a colour, `on` or `off` with an attribute, or `reset`."""


def render(text: str, links: int = MAX_LINKS) -> Markup:
    """Return `text` as HTML: escaped, with SGR as `<span class>`, with visible control characters and at most `links`
    web addresses as links.
    """
    if "\x1b" not in text and "\x9b" not in text and "\x9d" not in text:
        return linked(text, links)
    plain = ESCAPE.sub("", text) if "://" in text else ""
    drawing = _Drawing(plain, addresses(plain, links))
    write = drawing.write if plain else drawing.piece
    position = 0
    for number, token in enumerate(ESCAPE.finditer(text)):
        if drawing.pieces > CHANGES or number > 4 * CHANGES:
            break
        write(text[position : token.start()])
        position = token.end()
        if colours := _COLOURS.fullmatch(token[0]):
            drawing.change(colours[1])
        elif link := _LINK.fullmatch(token[0]):
            drawing.link(link[1])
    drawing.rest(ESCAPE.sub("", text[position:]))
    return Markup("".join(drawing.out))


class _Drawing:
    """The current style and link, and the HTML so far. `found` has the start and end of each address in `text`."""

    def __init__(self, text: str = "", found: Iterable[tuple[int, int]] = ()) -> None:
        self.out: list[str] = []
        self.pieces = 0
        self._style = _Style()
        self._address = ""
        self._linked = ""
        self._text, self._found = text, list(found)[::-1]
        self._position = 0
        self._within = False

    def write(self, text: str) -> None:
        start, self._position = self._position, self._position + len(text)
        if not self._found or self._address:
            self.piece(text)
        else:
            self._around_addresses(start)

    def _around_addresses(self, start: int) -> None:
        """Write the text from `start` to the current position. An address in it may have begun, or end, elsewhere."""
        while start < self._position:
            while self._found and self._found[-1][1] <= start:
                self._found.pop()
            first, last = self._found[-1] if self._found else (self._position, self._position)
            end = min(self._position, last if first <= start else first)
            if start == first < end:
                self.out.append(opening_tag(self._text[first:last]))
                self._within = True
            self.piece(self._text[start:end])
            if end == last:
                self._end_address()
            start = end

    def _end_address(self) -> None:
        if self._within:
            self.out.append("</a>")
            self._within = False

    def piece(self, text: str) -> None:
        if not text:
            return
        self.pieces += 1
        if self._address and not self._linked and _is_link(self._address):
            self.out.append(opening_tag(self._address, title=self._address))
        if self._address:
            self._linked += text
        html = str(escape(clean(text)))
        classes = self._style.classes
        self.out.append(f'<span class="{classes}">{html}</span>' if classes else html)

    def change(self, codes: str) -> None:
        self._style.change(codes)

    def link(self, address: str) -> None:
        """Begin a link; an empty address ends it. An address that is no web page appears as text."""
        self._end_address()
        if self._linked:
            link = _is_link(self._address)
            if link:
                self.out.append("</a>")
            # A link text that looks like another address would deceive the reader.
            if not link or ("://" in self._linked and self._linked.strip() != self._address):
                self.out.append(f' <i class="address">({escape(clean(self._address[:MAX_LINK_CHARS]))})</i>')
        self._address, self._linked = address, ""

    def rest(self, text: str) -> None:
        self.write(text)
        self.link("")


def _is_link(address: str) -> bool:
    return len(address) <= MAX_LINK_CHARS and _ADDRESS.fullmatch(address) is not None


class _Style:
    """Colours and attributes, and their CSS classes."""

    def __init__(self) -> None:
        self._text: int | None = None
        self._ground: int | None = None
        self._attributes: frozenset[str] = frozenset()
        self.classes = ""

    def change(self, codes: str) -> None:
        for what, value in _changes(codes[:200]):
            if what == "reset":
                self._text = self._ground = None
                self._attributes = frozenset()
            elif what == "f":
                self._text = value if isinstance(value, int) else None
            elif what == "g":
                self._ground = value if isinstance(value, int) else None
            elif what == "on":
                self._attributes |= {str(value)}
            else:
                self._attributes -= {str(value)}
        self.classes = _classes(self._text, self._ground, self._attributes)


@lru_cache(maxsize=4096)
def _classes(text: int | None, ground: int | None, attributes: frozenset[str]) -> str:
    reverse = "inverse" in attributes
    found = []
    if reverse and (text is not None or ground is not None):
        text, ground = ground, GREY if text is None else text
    elif reverse:
        found.append("inverse")
    if ground is not None:
        found += [f"g{ground}", f"t{text_on(ground, text)}"]
    elif text is not None:
        found.append(f"f{text}")
    return " ".join([*found, *(name for name in _NAMES if name in attributes)])


@lru_cache(maxsize=1024)
def _changes(parameters: str) -> tuple[Change, ...]:
    # Colons separate the parts of one code, `38:2::r:g:b`. With semicolons its parts look like further codes.
    codes = [[int(part) for part in code.split(":") if part] or [0] for code in parameters.split(";")]
    found: list[Change] = []
    while codes:
        code, *parts = codes.pop(0)
        if code in (38, 48, 58):
            colour = _nested(parts) if parts else _extended(codes)
            if code != 58:
                found.append(("f" if code == 38 else "g", colour))
        elif code == 0:
            found.append(("reset", None))
        elif code == 4 and parts == [0]:
            found.append(("off", "underline"))
        elif code in _ATTRIBUTES:
            found.append(("on", _ATTRIBUTES[code]))
        elif code in _ENDS:
            found += [("off", attribute) for attribute in _ENDS[code]]
        elif code in (39, 49):
            found.append(("f" if code == 39 else "g", None))
        elif 30 <= code <= 37 or 90 <= code <= 97:
            found.append(("f", code - 30 if code < 90 else code - 82))
        elif 40 <= code <= 47 or 100 <= code <= 107:
            found.append(("g", code - 40 if code < 100 else code - 92))
    return tuple(found)


def _extended(codes: list[list[int]]) -> int | None:
    """Remove `5;n` or `2;r;g;b` from the front of `codes`, and return the nearest of the sixteen colours.

    An incomplete code removes all of `codes`."""
    length = {5: 2, 2: 4}.get(codes[0][0], 1) if codes else 0
    taken, codes[:] = codes[:length], codes[length:] if len(codes) >= length else []
    return _nested([code for code, *_ in taken])


def _nested(parts: list[int]) -> int | None:
    match parts:
        case [5, index]:
            return indexed(index)
        case [2, red, green, blue] | [2, _, red, green, blue]:
            return nearest(red, green, blue)
    return None
