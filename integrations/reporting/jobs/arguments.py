"""The arguments and the result of a job: cut to a size that a page can show, and without secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from signalbox.integrations.reporting.snapshot import text_of
from signalbox.store.redaction.rules import DEFAULT_RULES, InvalidRule, Redaction
from signalbox.store.redaction.writes import RULES_VARIABLE

MAX_TEXT_CHARS, MAX_ITEMS, MAX_DEPTH = 500, 50, 6
"""Limits of the arguments: characters of a text, items of a collection, levels of nesting."""

MAX_VALUES = 2000
"""Values of an argument or a result. Objects that refer to each other would otherwise be copied again and again."""

MAX_RESULT_CHARS = 4000
"""Characters of a text in a result."""

MAX_CALL_CHARS = 120
"""Characters of a call in a title."""

Redact = Callable[[str, Any], Any]
"""Gets the name of an argument (`args[0]` for one without a name) and its value, and returns the value to show."""


def shown_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], redact: Redact | None = None) -> dict[str, Any]:
    """Return the arguments in JSON types. Secrets are hidden as in exports; `redact` may change more."""
    shown: dict[str, Any] = {}
    if args:
        shown["args"] = [_argument(f"args[{number}]", value, redact) for number, value in enumerate(args[:MAX_ITEMS])]
    if kwargs:
        items = list(kwargs.items())[:MAX_ITEMS]
        shown["kwargs"] = {str(name): _argument(str(name), value, redact) for name, value in items}
    hidden: dict[str, Any] = _redaction().value(shown) if shown else shown
    return hidden


def shown_result(value: Any) -> Any:
    """Return the result of a job in JSON types, with secrets hidden."""
    return _redaction().value({"result": bounded(value, characters=MAX_RESULT_CHARS)})["result"]


def shown_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as a title: `send_mail('ada', retries=3)`."""
    words = [_word(value) for value in arguments.get("args", ())]
    words += [f"{key}={_word(value)}" for key, value in arguments.get("kwargs", {}).items()]
    call = f"{name}({', '.join(words)})" if words else name
    return call if len(call) <= MAX_CALL_CHARS else f"{call[: MAX_CALL_CHARS - 1]}…"


def bounded(
    value: Any, *, characters: int = MAX_TEXT_CHARS, depth: int = MAX_DEPTH, left: list[int] | None = None
) -> Any:
    """Return `value` in JSON types and cut. Other types become text.

    `left` has the number of values that may still be copied, by default `MAX_VALUES`.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    left = left or [MAX_VALUES]
    left[0] -= 1
    if not isinstance(value, Mapping | list | tuple | set | frozenset):
        return _cut(text_of(value), characters)
    if depth == 0 or left[0] <= 0:
        return "…"
    inside = partial(bounded, characters=characters, depth=depth - 1, left=left)
    try:
        if isinstance(value, Mapping):
            return {_cut(text_of(key), 100): inside(item) for key, item in list(value.items())[:MAX_ITEMS]}
        return [inside(item) for item in list(value)[:MAX_ITEMS]]
    except Exception:  # a row of a database session that is closed, for example
        return f"<{type(value).__name__}>"


def _argument(name: str, value: Any, redact: Redact | None) -> Any:
    return bounded(redact(name, value) if redact is not None else value)


def _word(value: Any) -> str:
    return _cut(repr(value) if isinstance(value, str | int | float | bool | None) else str(value), 40)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@lru_cache(maxsize=1)
def _redaction() -> Redaction:
    try:
        return Redaction(os.environ.get(RULES_VARIABLE, DEFAULT_RULES))
    except InvalidRule:
        return Redaction(DEFAULT_RULES)  # the server refuses such rules with a message
