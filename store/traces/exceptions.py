"""An exception, in the attributes of a span event or a log record, as fields of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXCEPTION = "exception"
"""The name of a span event that is an exception."""

ATTRIBUTES = ("exception.type", "exception.message", "exception.stacktrace", "exception.escaped")
"""The attributes that describe an exception."""


def exception_payload(attributes: Mapping[str, Any], message: str = "") -> dict[str, Any]:
    """Return the fields for an exception: `error_code` is its type, and `message` its traceback, after a log `message`.

    `reason` is the message of the exception alone.
    """
    kind, reason = _text(attributes, "exception.type"), _text(attributes, "exception.message")
    traceback = _text(attributes, "exception.stacktrace").rstrip("\n")
    name = kind.rpartition(".")[2] if kind.startswith("builtins.") else kind
    spoken = traceback or ": ".join(filter(None, (name, reason))) or "an exception without a description"
    rest = {name: value for name, value in attributes.items() if name not in ATTRIBUTES}
    return {
        "message": f"{message}\n{spoken}" if message else spoken,
        "error_code": name or "Exception",
        **({"reason": reason} if reason else {}),
        **({"attributes": rest} if rest else {}),
    }


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
