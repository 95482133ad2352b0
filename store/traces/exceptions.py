"""An exception, in the attributes of a span event or a log record, as fields of a payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXCEPTION = "exception"
"""The name of a span event that is an exception."""

ATTRIBUTES = ("exception.type", "exception.message", "exception.stacktrace", "exception.escaped")
"""The attributes that describe an exception."""


def exception_payload(attributes: Mapping[str, Any], message: str = "") -> dict[str, Any]:
    """Return the fields for an exception: its type, and as `message` its traceback, after the `message` of a log."""
    name, reason = named_exception(attributes)
    traceback = _text(attributes, "exception.stacktrace").rstrip("\n")
    spoken = traceback or ": ".join(filter(None, (name, reason))) or "an exception without a description"
    rest = {name: value for name, value in attributes.items() if name not in ATTRIBUTES}
    return {
        "message": f"{message}\n{spoken}" if message else spoken,
        "exception": name or "Exception",
        **({"attributes": rest} if rest else {}),
    }


def named_exception(attributes: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type and the message of an exception. Either may be empty."""
    kind = _text(attributes, "exception.type")
    return kind.removeprefix("builtins."), _text(attributes, "exception.message")


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
