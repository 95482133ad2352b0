"""Texts of a payload as HTML: diffs and terminal colours are coloured, addresses are links, long texts are cut."""

from __future__ import annotations

import re

import msgspec
from markupsafe import Markup, escape

from signalbox.webapp.drawing import ansi
from signalbox.webapp.drawing.diff import diff_block_html, diff_html, is_diff
from signalbox.webapp.drawing.links import linked
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.limits import PAGE
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.views.text import clean, count, plural

FOLDED_LINES = 20
"""Lines beyond which a text or a container is folded."""

LINE_CHARS = 100
MAX_GROWTH = 10
"""Indentation makes JSON at most so many times as long."""

_EXCERPT_CHARS = 300
_EXCERPTS = 20


def lines_of(text: str) -> int:
    """Return about how many lines a text fills."""
    return max(text.count("\n") + (not text.endswith("\n")), len(text) // LINE_CHARS + 1)


def is_block(text: str) -> bool:
    """Return whether a text is shown as a block of its own."""
    is_long = len(text) > (LINE_CHARS if text[:1] in ("{", "[") else 2 * LINE_CHARS)
    return is_long or "\n" in text.strip("\n")


def text_html(text: str, address: PayloadAddress, search: Search, start: int = 0, most: int = PAGE.text) -> Markup:
    """Return `most` characters of a text from `start` on, and a link to the next piece. A search shows its matches."""
    if search and not start and len(text) > 10 * _EXCERPT_CHARS:
        return excerpts(text, address, search)
    end = piece_end(text, start, most)
    piece = text[start:end]
    html = search.mark(_coloured(piece, within_diff=start > 0 and is_diff(text)))
    return html + more(text, address, end)


def piece_end(text: str, start: int, most: int) -> int:
    """Return the end of the piece that begins at `start`: if possible that of a line, `most` characters on at most."""
    end = start + most
    return end if end >= len(text) else text.rfind("\n", (start + end) // 2, end) + 1 or end


def more(text: str, address: PayloadAddress, end: int, view: str = "") -> Markup:
    """Return the link to the piece that begins at the character `end`, or nothing at the end of the text."""
    left = len(text) - end
    if left <= 0:
        return Markup("")
    some = f"{count(PAGE.text)} of " if left > PAGE.text else ""
    return address.piece(f"Show {some}{plural(left, 'more character')}", end, view)


def _coloured(text: str, *, within_diff: bool = False) -> Markup:
    if within_diff:
        return diff_block_html(text)
    if is_diff(text):
        return diff_html(text)
    return ansi.render(readable(text))


def readable(text: str) -> str:
    """Return a text that is JSON, such as the arguments in an answer of a model, with indentation."""
    is_json = text[:1] in ("{", "[") and "\n" not in text and len(text) > LINE_CHARS
    return indented(text) if is_json else text


def indented(json: str) -> str:
    """Return JSON with indentation. It is returned unchanged if it is invalid, or so deep that indentation fills it."""
    try:
        text = msgspec.json.format(json.encode(errors="surrogatepass"), indent=2).decode()
    except (ValueError, RecursionError):
        return json
    return text if len(text) <= MAX_GROWTH * len(json) else json


def excerpts(text: str, address: PayloadAddress, search: Search) -> Markup:
    """Return the surroundings of the first matches in a text, and the lengths of the parts between them."""
    spans = search.spans(text)
    windows: list[list[int]] = []
    for start, end in spans:
        if windows and start - _EXCERPT_CHARS <= windows[-1][1]:
            windows[-1][1] = min(end + _EXCERPT_CHARS, len(text))
        elif len(windows) < _EXCERPTS:
            windows.append([max(0, start - _EXCERPT_CHARS), min(end + _EXCERPT_CHARS, len(text))])
        else:
            break
    out, done = [], 0
    for start, end in windows:
        out += [_gap(start - done), search.mark(linked(text[start:end]))]
        done = end
    whole = Markup('<a href="{}">Show the whole text</a>').format(address.url())
    return Markup("").join([*out, _gap(len(text) - done), whole])


def _gap(characters: int) -> Markup:
    return Markup('<span class="gap">… {} characters …</span>').format(count(characters)) if characters else Markup("")


_UNSAFE = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def quoted(text: str) -> str:
    """Return a text as JSON on one line, with every character visible."""
    encoded = msgspec.json.encode(text).decode()
    return clean(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded))


def quoted_html(text: str) -> Markup:
    """Return a text as JSON on one line, with its addresses as links."""
    return linked(quoted(text)) if "://" in text else escape(quoted(text))
