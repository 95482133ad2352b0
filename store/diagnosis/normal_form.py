"""The normal form of a text: whatever differs between two runs of the same program is replaced.

Times, ids and numbers become `<time>`, `<id>` and `<n>`, a rule such as `=====` gets one length, and white space
becomes a single space. Most words have nothing to replace, so each word is examined on its own; then the times of
several words are joined.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial

from signalbox.store.terminal_escapes import plain

MAX_CHARS = 4000
"""Characters of a text that its normal form covers."""

CACHED_WORDS = 20_000

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_CLOCK = r"\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[AaPp][Mm]|Z|[+-]\d\d:?\d\d)?"
_DATE = rf"(?:\d{{4}}[-/.]\d\d[-/.]\d\d|\d\d?[-/](?:{_MONTH}|\d\d?)[-/]\d{{4}}|\d\d?\.\d\d?\.\d{{4}})"
_UNIT = "(?:ns|[µu]s|ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_ID = r"""(?:
    [0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}
    |0x[0-9A-Fa-f]+
    |(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,}
    |(?=[0-9]*[A-F])(?=[A-F]*[0-9])[0-9A-F]{7,}
    |(?=(?:[A-Za-z]*\d){3})(?=\d*[A-Za-z])[A-Za-z0-9]{12,}
    |tmp[a-z0-9_]{8}
)"""
_NUMBER = r"\d+(?:[.,:]\d+)*"
_NAME = r"[\w@+=%~-][\w.@+=%~-]*"

_SPECIAL = re.compile(r"[\d/\\]|([^\w\s])\1{3}|tmp")
_IN_WORD = re.compile(
    rf"""
    (?P<url>\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'"<>)\]}}]+)
    |(?P<time>
        (?<![\w.-])(?:{_DATE}(?:[T:,]{_CLOCK})?|(?<!:){_CLOCK})(?!\w|:\d)
        |(?<![\w.])(?:\d+(?:\.\d+)?{_UNIT})+(?!\w)
    )
    |(?P<id>\b{_ID}\b)
    |(?P<path>
        (?<![\w/.<>~-])(?:[A-Za-z]:)?(?:~?[\\/]|\.{{1,2}}[\\/])(?:{_NAME}[\\/])*{_NAME}[\\/]?
        |(?<![\w/.<>~-])(?:{_NAME}/)+{_NAME}\.[A-Za-z]\w{{0,5}}\b
    )
    |(?P<number>{_NUMBER}(?:[eE][+-]?\d+\b)?(?:[kKMGT]i?B\b|B\b)?)
    |(?P<rule>(?P<mark>[^\w\s])(?P=mark){{3,}})
    """,
    re.VERBOSE,
)
_IN_NAME = re.compile(rf"(?P<id>(?<![A-Za-z0-9]){_ID}(?![A-Za-z0-9]))|(?P<number>{_NUMBER})", re.VERBOSE)
_SIZES = re.compile(r"<n> (?:[kKMGT]i?B|bytes|B)\b")
_MONTHS = frozenset(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"])
_DAYS = re.compile(rf"(?:{_WEEKDAY},? )?(?:{_MONTH} <n>(?:, <n>)?|<n> {_MONTH}(?: <n>)?)")
_TIMES = re.compile(
    rf"(?:<n> {_UNIT}(?!\w)|<time>)(?:,? (?:<n> {_UNIT}(?!\w)|<time>(?: <n>)?|UTC\b|GMT\b|[AP]M\b|[+-]<n>))*"
)


def normal_form(text: str) -> str:
    """Return the normal form of an error: also paths become `<path>`, and a URL keeps only its scheme and host."""
    return _replaced(text, names=False)


def normal_line(line: str) -> str:
    """Return the normal form of a line of output. Paths and URLs keep their names, without their numbers and ids.

    An absolute path loses its directories, which differ between two checkouts.
    """
    return _replaced(line, names=True)


def _replaced(text: str, *, names: bool) -> str:
    text = plain(text[:MAX_CHARS])
    words = text.split()
    if _SPECIAL.search(text) is None:
        return " ".join(words)
    joined = " ".join([_word(word, names) if _SPECIAL.search(word) else word for word in words])
    if not _MONTHS.isdisjoint([word[:3] for word in words]):
        joined = _DAYS.sub("<time>", joined)
    return _SIZES.sub("<n>", _TIMES.sub("<time>", joined))


@lru_cache(CACHED_WORDS)
def _word(word: str, names: bool) -> str:
    return _IN_WORD.sub(partial(_replacement, names=names), word)


def _replacement(found: re.Match[str], *, names: bool) -> str:
    match found.lastgroup:
        case "number":
            return "<n>"
        case "rule":
            return found["mark"] * 4
        case "path":
            return _path(found[0], names=names)
        case "url":
            return _url(found[0], names=names)
    return f"<{found.lastgroup}>"


def _path(path: str, *, names: bool) -> str:
    if not names:
        return "<path>"
    if path[0] in "/\\~" or path[1:2] == ":":
        *_, last = path.replace("\\", "/").rstrip("/").split("/")
        return f"<path>/{_name(last)}"
    return _name(path)


def _url(url: str, *, names: bool) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if names:
        return f"{scheme}://{_name(host)}{slash}{_name(path)}"
    return f"{scheme}://{_name(host)}<path>" if slash and path else f"{scheme}://{_name(host)}{slash}"


def _name(name: str) -> str:
    return _IN_NAME.sub(lambda found: "<id>" if found.lastgroup == "id" else "<n>", name)
