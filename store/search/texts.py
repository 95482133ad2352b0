"""The texts of an event that a search over all runs finds, in the form in which they are compared."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from signalbox.store.composition import composed

TEXT_KEYS = ("message", "text", "content", "explanation", "error", "error_code", "title")
"""The keys of a payload whose texts are searched.

If a value is an object, as an error may be, its `message` is searched; if it is a list, as the content of a message may
be, its texts and the `text` of its objects are.
"""

MAX_TEXT_CHARS = 16_384
"""The characters of one event that are searched. The rest of a longer text is only found in the log of its task."""

_NUL = "\ufffd"


class Fields(msgspec.Struct, frozen=True):
    """The fields of a payload that a search reads."""

    message: Any = None
    text: Any = None
    content: Any = None
    explanation: Any = None
    error: Any = None
    error_code: Any = None
    title: Any = None
    level: Any = None
    stream: Any = None

    @property
    def texts(self) -> str:
        """The searched texts, one a line."""
        found = [_text_of(value) for value in _values_of(self) if value is not None]
        return "\n".join(filter(None, found))[:MAX_TEXT_CHARS]


_values_of = attrgetter(*TEXT_KEYS)
_decoder = msgspec.json.Decoder(Fields)
_NOTHING = Fields()


def fields_of(payload: str | bytes | None) -> Fields:
    """Return the fields of a payload's JSON without terminal escapes. Those of a damaged payload are empty."""
    if payload is None:  # compressed, and damaged
        return _NOTHING
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return _NOTHING


def folded(text: str) -> str:
    """Return `text` in the form in which texts are compared: canonically composed (NFC), and without case.

    A NUL becomes U+FFFD, because databases cannot store or match it.
    """
    if text.isascii():
        return text.lower().replace("\0", _NUL)
    return composed(text).casefold().replace("\0", _NUL)


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = value.get("message")
    elif isinstance(value, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in value)
        return "\n".join(part for part in parts if isinstance(part, str))
    return value if isinstance(value, str) else ""
