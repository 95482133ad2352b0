"""Secrets that follow a name in a text: NAME=value, "name": "value", Name: value, --name value, <name>value</name>.

One pass finds each name with its sign, and reads the value only if it is the name of a secret. Names within the values
of other names are therefore found too, and the time is linear.
"""

from __future__ import annotations

import re

from signalbox.store.redaction.names import Names
from signalbox.store.redaction.shapes import HIDDEN

_NAME = r"[A-Za-z_](?:[\w-]|\.(?=\w)){0,199}+"
_QUOTE = r"(?:\\{0,15}+[\"'])"
_SIGN = re.compile(
    rf"(?<![\w.-])(?P<flag>--?)?(?P<name>{_NAME})"
    rf"(?:(?P<closed>{_QUOTE}?)[ \t]{{0,40}}+(?P<sign>:=|=>|==|=|:(?!//)|,(?=\s{{0,4}}[bru]{{0,2}}\\{{0,15}}[\"']))|"
    rf"(?P<gap>[ \t]{{1,8}}+)(?=[^-\s])|(?P<tag>(?:\s[^<>]{{0,200}})?>))"
)
_WIDE = re.compile(r"(?i)(?:proxy-)?authorization|(?:set-)?cookie2?")
_SPACE = re.compile(r"[ \t]{0,40}+(?:\n[ \t]{1,40}+(?=[\"']))?")
_QUOTED = re.compile(
    r"(?P<prefix>[bru]{0,2})(?P<open>(?P<slashes>\\{0,15}+)(?P<quote>[\"']))",
)
_PLAIN = re.compile(r"[^\s\"',;&<>\\]++|[^\s\"',;&\\]++")
_LINE = re.compile(r"[^\r\n\"'\\]*+")
_REST = re.compile(r"[^\r\n]*+")
_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey|digest|negotiate)[ \t]{1,8}+(?=\S)")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*\r?\n(?:[ \t]++[^\r\n]*+(?:\r?\n|$)|[ \t]*+\r?\n)++")
_INSIDE = re.compile(r"[^<]++")
_PAIRED = re.compile(
    rf"(?i)(?<![\w.-])(?:name|key|header)(?:{_QUOTE}?)\s{{0,8}}+[:=]\s{{0,8}}+(?:{_QUOTE}?)(?P<name>{_NAME})(?:{_QUOTE}?)"
    rf"\s{{0,8}}+,?\s{{0,200}}+{_QUOTE}?(?:value|val|content){_QUOTE}?\s{{0,8}}+[:=]\s{{0,8}}+"
)


class Assignments:
    """Hides the values of the names in one list of rules."""

    def __init__(self, names: Names) -> None:
        self._names = names
        several = ["[-_ ]?".join(parts) for parts in names.words if len(parts) > 1]
        self._spaced = re.compile(rf"(?i)\b(?:{'|'.join(several)})\s{{0,4}}[:=]\s{{0,4}}") if several else None

    def hidden(self, text: str) -> str:
        """Return `text` with the values of secrets hidden."""
        text = self._pass(text, _SIGN)
        text = self._pass(text, _PAIRED)
        return self._pass(text, self._spaced) if self._spaced else text

    def _pass(self, text: str, pattern: re.Pattern[str]) -> str:
        kept: list[str] = []
        at = done = 0
        while found := pattern.search(text, at):
            at = found.end()
            if pattern is not self._spaced and not self._names.is_secret(found["name"]):
                # The text after this name may start with another name, so search from there.
                if pattern is _PAIRED:
                    at = found.end("name")
                continue
            span = self._value(text, found) if pattern is _SIGN else _span(text, at)
            if span is None or span[0] >= span[1]:
                continue
            kept += [text[done : span[0]], HIDDEN]
            at = done = span[1]
        return "".join([*kept, text[done:]]) if kept else text

    def _value(self, text: str, found: re.Match[str]) -> tuple[int, int] | None:
        """Return the start and end of the value that follows a name."""
        at = found.end()
        if found["tag"] is not None:
            if text[found.start() - 1 : found.start()] != "<":
                return None
            inside = _INSIDE.match(text, at)
            return inside.span() if inside else None
        if found["gap"] is not None:
            return _span(text, at) if found["flag"] else None
        if found["sign"] == ",":
            return _second_of_pair(text, found)
        begins = _SPACE.match(text, at).end()  # type: ignore[union-attr]
        first = _begins_line(text, found.start())
        if found["sign"] == ":" and first:
            block = _BLOCK.match(text, begins)
            if block:
                return begins, block.end() - (text[block.end() - 1 : block.end()] == "\n")
        wide = _WIDE.fullmatch(found["name"]) or (found["sign"] == ":" and first and not _is_object(text, begins))
        if wide and _QUOTED.match(text, begins) is None:
            # A header or a line of YAML: hide the rest of the line, or of the quoted text that contains it.
            scheme = _SCHEME.match(text, begins)
            digest = scheme is not None and scheme[0][:6].lower() == "digest"
            rest = _REST if digest or (first and not found["closed"]) else _LINE
            start = scheme.end() if scheme else begins
            return start, rest.match(text, start).end()  # type: ignore[union-attr]
        return _span(text, begins)


def _is_object(text: str, at: int) -> bool:
    return text[at : at + 1] in ("{", "[")


def _span(text: str, at: int) -> tuple[int, int] | None:
    """Return the start and end of a quoted value or of one word. An unclosed quotation ends with its line."""
    scheme = _SCHEME.match(text, at)
    if scheme:
        at = scheme.end()
    quoted = _QUOTED.match(text, at)
    if quoted is None:
        if _is_object(text, at):
            return None
        plain = _PLAIN.match(text, at)
        return plain.span() if plain else None
    begins = quoted.end()
    scheme = _SCHEME.match(text, begins)
    start = scheme.end() if scheme else begins
    closing = quoted["open"]
    end = text.find(closing, start)
    # An escaped quotation mark does not end the value.
    while end >= 0 and (slashes := _slashes_before(text, end)) and (quoted["slashes"] or slashes % 2):
        end = text.find(closing, end + 1)
    if end < 0:
        line = text.find("\n", start)
        end = line if line >= 0 else len(text)
    return start, end


def _slashes_before(text: str, at: int) -> int:
    count = 0
    while count < at and count < 64 and text[at - 1 - count] == "\\":
        count += 1
    return count


def _begins_line(text: str, at: int) -> bool:
    before = text[max(0, at - 80) : at]
    line = before.rpartition("\n")
    return not line[2].strip(" \t-") and (bool(line[1]) or at <= 80)


def _second_of_pair(text: str, found: re.Match[str]) -> tuple[int, int] | None:
    """Return the start and end of the second item of ("name", "value"), the form of headers in a list."""
    before = text[max(0, found.start() - 20) : found.start()].rstrip("\\\"'bru")
    if not found["closed"] or not before.rstrip().endswith(("[", "(")):
        return None
    span = _span(text, _SPACE.match(text, found.end()).end())  # type: ignore[union-attr]
    if span is None or not text[span[1] : span[1] + 20].lstrip("\\\"' \t\n").startswith(("]", ")")):
        return None
    return span
