"""Attributes of a payload as one nested object, however the emitter wrote them.

`{"gen_ai.usage.input_tokens": 3}`, `{"gen_ai": {"usage": {"input_tokens": 3}}}`, both below `attributes`, and the list
of keys and values that OTLP/JSON has there all become the same object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

PREFIXES = ("gen_ai.", "llm.", "tool.", "tool_call.", "input.", "output.", "openinference.", "traceloop.")
"""The beginnings of dotted keys that are attributes of a model call."""

MAX_PARTS = 12
"""Parts of a dotted name. A longer name is no attribute of the conventions that are read here."""

_INTEGER = re.compile("-?[0-9]{1,19}")

Nested = dict[str, Any]


def attributes_of(payload: Mapping[str, Any]) -> Nested:
    """Return the attributes of a payload as nested objects, without its other keys."""
    found: Nested = {}
    for source in (payload, _listed(payload.get("attributes"))):
        for name, value in source.items():
            if name.startswith(PREFIXES):
                _put(found, name.split(".", MAX_PARTS), value)
            elif f"{name}." in PREFIXES and isinstance(value, dict):
                for inner, one in value.items():
                    _put(found, [name, *inner.split(".", MAX_PARTS)], one)
    return found


def at(nested: object, *names: str) -> Any:
    """Return the value under nested names, or None. Dotted keys below the first name are found too."""
    for depth, name in enumerate(names):
        if not isinstance(nested, dict):
            return None
        if name not in nested:
            return nested.get(".".join(names[depth:]))
        nested = nested[name]
    return nested


def first(nested: object, *paths: str) -> Any:
    """Return the first value that is not None under one of these dotted paths."""
    for path in paths:
        value = at(nested, *path.split("."))
        if value is not None:
            return value
    return None


def items(value: object) -> list[Any]:
    """Return a list of values: from a list, from an object with the keys 0, 1, …, or from either as JSON."""
    value = decoded(value)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(isinstance(key, str) and key.isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=lambda key: int(key[:9]))]
    return []


def decoded(value: object) -> object:
    """Return the value of a text that is a JSON object or list. Return any other value unchanged."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value


def line(value: object) -> str | None:
    """Return a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def _listed(attributes: object) -> Nested:
    """Return `attributes` as an object. OTLP/JSON has a list of `{"key": …, "value": {"stringValue": …}}`."""
    if isinstance(attributes, dict):
        return attributes
    if not isinstance(attributes, list):
        return {}
    pairs = (pair for pair in attributes if isinstance(pair, dict) and isinstance(pair.get("key"), str))
    return {pair["key"]: _any_value(pair.get("value")) for pair in pairs}


def _any_value(value: object) -> object:
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((kind, inner),) = value.items()
    if kind == "intValue":
        return int(inner) if isinstance(inner, str) and _INTEGER.fullmatch(inner) else inner
    if kind in ("stringValue", "doubleValue", "boolValue"):
        return inner
    values = inner.get("values") if isinstance(inner, dict) else None
    if kind == "arrayValue" and isinstance(values, list):
        return [_any_value(one) for one in values]
    if kind == "kvlistValue":
        return _listed(values)
    return value


def _put(into: Nested, names: Iterable[str], value: object) -> None:
    *above, last = names
    for name in above:
        inner = into.get(name)
        if not isinstance(inner, dict):
            inner = into[name] = {}
        into = inner
    known = into.get(last)
    if isinstance(value, dict) and isinstance(known, dict):
        for name, one in value.items():
            _put(known, [name], one)
    else:
        into[last] = _copied(value)


def _copied(value: object) -> object:
    """Return a value whose objects may be changed. The payload must stay as it is."""
    return {name: _copied(one) for name, one in value.items()} if isinstance(value, dict) else value
