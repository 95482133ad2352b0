"""Terminal escape sequences (ECMA-48, and xterm's operating system commands), and their removal from texts."""

from __future__ import annotations

import re
from typing import Any

import msgspec

CSI = "(?:\x1b\\[|\x9b)"
STRING_END = "(?:\x07|\x1b\\\\|\x9c)"

_CSI_BODY = "[0-?]*[ -/]*[@-~]?"
_STRING_BODY = f"[^\x07\x1b\x9c\n]*{STRING_END}?"

# A single character set at the start lets the regex engine skip other text quickly.
ESCAPE = re.compile(
    "[\x1b\x90\x98\x9b\x9d-\x9f]"
    f"(?:(?<=\x1b)(?:\\[{_CSI_BODY}|[\\]PX^_]{_STRING_BODY}|[ -/]*[0-~]?)"
    f"|(?<=\x9b){_CSI_BODY}|(?<=[\x90\x98\x9d-\x9f]){_STRING_BODY})"
)
"""Matches an escape sequence, even a truncated one. Searching takes linear time for any text."""

_BEGINS = ("\x1b", "\x9b", "\x9d", "\x90")


def plain(text: str) -> str:
    """Return `text` without its escape sequences."""
    return ESCAPE.sub("", text) if any(begin in text for begin in _BEGINS) else text


def plain_json(payload: str) -> str | None:
    """Return a payload's JSON with the escape sequences removed from its texts, or None if it has none."""
    if "\\u001b" not in payload and (payload.isascii() or not any(begin in payload for begin in _BEGINS)):
        return None
    try:
        value = msgspec.json.decode(payload)
        encoded = msgspec.json.encode(_plain(value)).decode()
    except (ValueError, RecursionError):
        return None
    return encoded if encoded != payload else None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
