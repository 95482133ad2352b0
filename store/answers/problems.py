"""The problems that a JSON Schema finds in a value, in words that follow the name of the part: `must be at least 1`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from signalbox.store.answers.errors import InvalidPart

MAX_SHOWN_CHARS = 200

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


_APPLYING = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"})


def problems_in(error: Any) -> Iterator[InvalidPart]:
    """Yield the problems of one error of the `jsonschema` library."""
    path, keyword, wanted, instance = tuple(error.absolute_path), error.validator, error.validator_value, error.instance
    if keyword == "required":
        for name in wanted:
            if name not in instance:
                yield InvalidPart((*path, name), "is required")
        return
    # What `unevaluatedProperties` allows may also be in parts of the schema that other keywords apply.
    named = keyword == "unevaluatedProperties" and not _APPLYING & error.schema.keys()
    if named or keyword == "additionalProperties":
        known = error.schema.get("properties") or {}
        unknown = [name for name in instance if name not in known]
        if wanted is False and unknown:
            yield from (InvalidPart((*path, name), "is not a part of this value") for name in unknown)
            return
    yield InvalidPart(path, _WORDS.get(keyword, lambda _: "is not accepted by the schema")(wanted))


def _type(wanted: Any) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return f"must be {' or '.join(_TYPES.get(name, str(name)) for name in names)}"


def _characters(count: Any) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _items(count: Any) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def shown(value: Any) -> str:
    """Return a value as short JSON."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


_WORDS: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "enum": lambda wanted: f"must be one of {', '.join(map(shown, wanted[:20]))}{' …' if len(wanted) > 20 else ''}",
    "const": lambda wanted: f"must be {shown(wanted)}",
    "minimum": lambda wanted: f"must be at least {wanted}",
    "maximum": lambda wanted: f"must be at most {wanted}",
    "exclusiveMinimum": lambda wanted: f"must be more than {wanted}",
    "exclusiveMaximum": lambda wanted: f"must be less than {wanted}",
    "multipleOf": lambda wanted: f"must be a multiple of {wanted}",
    "minLength": lambda wanted: f"must have at least {_characters(wanted)}",
    "maxLength": lambda wanted: f"must have at most {_characters(wanted)}",
    "pattern": lambda wanted: f"must match the pattern {shown(wanted)}",
    "minItems": lambda wanted: f"must have at least {_items(wanted)}",
    "maxItems": lambda wanted: f"must have at most {_items(wanted)}",
    "uniqueItems": lambda wanted: "must not have the same item twice",
    "minProperties": lambda wanted: f"must have at least {wanted} keys",
    "maxProperties": lambda wanted: f"must have at most {wanted} keys",
    "anyOf": lambda wanted: "has none of the allowed forms",
    "oneOf": lambda wanted: "must have exactly one of the allowed forms",
    "unevaluatedProperties": lambda wanted: "has a part that the schema does not accept",
    "not": lambda wanted: "has a form that is not allowed",
}
