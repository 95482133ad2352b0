"""Addresses in texts of runs as links: http and https only, no referrer, without the punctuation around them.

A link opens in the same tab, like every other link of a page: the back button returns, and the reader can ask the
browser for a new tab. The text of a link is always its address, so a link cannot pretend to lead elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from markupsafe import Markup, escape

from signalbox.webapp.views.text import clean

MAX_LINK_CHARS = 2048
MAX_LINKS = 200
"""Links in one text. Further addresses in a text with more of them are plain."""
MAX_ROW_LINKS = 40
"""The same for a text in a row of a log, because a page has hundreds of rows."""

EXTERNAL_ATTRIBUTES = {"rel": "noopener noreferrer nofollow", "referrerpolicy": "no-referrer"}
"""The attributes of a link that leads away from this server."""

_ATTRIBUTES = " ".join(f'{name}="{value}"' for name, value in EXTERNAL_ATTRIBUTES.items())
_END = ".,:;!?'*_~"
_BRACKETS = {")": "(", "]": "["}
# Printable ASCII except the characters that enclose addresses in prose, JSON, shells and tables, and letters of
# alphabets that separate words by spaces.
_CHARS = r"[!#-&(-;=?-Z\[\]_a-z~\u00c0-\u061b\u061d-\u167f\u1681-\u1fff]"
_ADDRESS = re.compile(rf"(?<![A-Za-z0-9])https?://(?=[^\W_]|\[)(?:(?!,https?://){_CHARS})+", re.IGNORECASE)
_TAG = re.compile(r"(<[^>]*>)")


def addresses(text: str, most: int = MAX_LINKS) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each address in `text`: at most `most`, none over MAX_LINK_CHARS."""
    found = 0
    for match in _ADDRESS.finditer(text):
        end = _end(text, match.start(), match.end())
        host = text[match.start() : end].split("/", 3)[2]
        # An address with a user name shows one host and leads to another.
        if end - match.start() > MAX_LINK_CHARS or not host or "@" in host:
            continue
        yield match.start(), end
        found += 1
        if found == most:
            return


def _end(text: str, start: int, end: int) -> int:
    """Return the end of an address without trailing punctuation and without brackets that it does not open."""
    unopened = {
        close: text.count(close, start, end) - text.count(opening, start, end) for close, opening in _BRACKETS.items()
    }
    while end > start:
        last = text[end - 1]
        if last in _BRACKETS and unopened[last] > 0:
            unopened[last] -= 1
        elif last not in _END:
            break
        end -= 1
    return end


def opening_tag(address: str, title: str = "") -> str:
    """Return the start tag of a link to `address`."""
    more = f' title="{escape(title)}"' if title else ""
    return f'<a href="{escape(address)}"{more} {_ATTRIBUTES}>'


def linked(text: str, most: int = MAX_LINKS) -> Markup:
    """Return plain text as HTML with at most `most` links. Control characters become visible."""
    if "://" not in text:
        return escape(clean(text))
    out, position = [], 0
    for start, end in addresses(text, most):
        address = text[start:end]
        out += [escape(clean(text[position:start])), opening_tag(address), escape(address), "</a>"]
        position = end
    out.append(escape(clean(text[position:])))
    return Markup("".join(out))


def linked_html(html: str) -> str:
    """Return the escaped HTML of a row, which has no links yet, with the addresses in its texts as links."""
    if "://" not in html:
        return html
    parts, room = _TAG.split(html), MAX_ROW_LINKS
    for number in range(0, len(parts), 2):
        if room > 0 and "://" in parts[number]:
            parts[number] = linked(unescape(parts[number]), room)
            room -= parts[number].count("<a ")
    return "".join(parts)
