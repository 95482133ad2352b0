"""The fields of an answer's form, from the value that a permission request asks for.

Texts, numbers, yes or no, choices, lists of texts and objects of these have fields of their own. Any other value is
typed as JSON.
"""

from __future__ import annotations

from typing import Any

from signalbox.store.answers import Expectation
from signalbox.store.answers.errors import Path
from signalbox.store.answers.expectation import json_type
from signalbox.webapp.views.answer_field import NO_DEFAULT, Field, FieldKind, options_of
from signalbox.webapp.views.text import compact

MAX_FIELDS = 40
"""Fields of an object. One with more is typed as JSON."""

MAX_OPTIONS = 100
LONG_CHARS = 80
"""A text longer than this has a field of several lines."""

MAX_REFERENCES = 8
MAX_LABEL_CHARS, MAX_HINT_CHARS = 200, 1000
MAX_FORM_CHARS = 300_000
"""Characters of a form with its markup. A small schema can describe a much longer one, which is typed as JSON."""

LEFT_OUT = "Arguments that you leave out stay as they are."


class _TooLong(Exception):
    """The form would have more than MAX_FORM_CHARS characters."""


class _Source:
    """The schema of a form, and the characters that its fields may still have."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._left = MAX_FORM_CHARS

    def counted(self, one: Field) -> Field:
        """Return the field. Raises _TooLong if it makes the form too long."""
        self._left -= one.chars
        if self._left < 0:
            raise _TooLong
        return one


def fields_of(expected: Expectation) -> list[Field]:
    """Return the fields of the form, none for a request that asks for no value."""
    if expected.fault is not None or expected.kind == "nothing":
        return []
    if expected.kind == "choice":
        options = options_of([(choice.value, choice.label) for choice in expected.choices])
        return [Field(path=(), kind="choice", label="Answer", options=options)]
    source = _Source(expected.schema if isinstance(expected.schema, dict) else {})
    try:
        return _argument_fields(source, expected) if expected.kind == "arguments" else _value_fields(source)
    except _TooLong:
        return [_as_json(source, expected)]


def _value_fields(source: _Source) -> list[Field]:
    whole = _resolved(source, source.schema)
    if _is_object(whole):
        inner = _fields_of_object(source, whole, ())
        if inner:
            return inner
    return [_field(source, whole, (), _title(whole) or "Answer", required=True, default=NO_DEFAULT, nested=False)]


def _argument_fields(source: _Source, expected: Expectation) -> list[Field]:
    arguments = expected.arguments
    if expected.keys is None:
        part = {**_described(arguments), **_resolved(source, source.schema)}
        return [_field(source, part, (), "Arguments", required=True, default=arguments, nested=False)]
    if len(expected.keys) > MAX_FIELDS:
        return [_as_json(source, expected)]
    properties = _resolved(source, source.schema).get("properties")
    given = properties if isinstance(properties, dict) else {}
    found = []
    for key in expected.keys:
        own = given.get(key)
        part = {**_described(arguments[key]), **(_resolved(source, own) if isinstance(own, dict) else {})}
        default = arguments[key]
        found.append(_field(source, part, (key,), _title(part) or key, required=True, default=default, nested=True))
    return found


def _as_json(source: _Source, expected: Expectation) -> Field:
    """Return the only field of a form that would have too many fields, or too long ones."""
    if expected.kind == "value":
        whole = _resolved(source, source.schema)
        return Field(path=(), kind="json", label=_title(whole)[:MAX_LABEL_CHARS] or "Answer", hint=_hint(whole))
    if expected.keys is None:
        return Field(path=(), kind="json", label="Arguments", default=expected.arguments)
    changeable = {key: expected.arguments[key] for key in expected.keys}
    return Field(path=(), kind="json", label="Arguments", hint=LEFT_OUT, default=changeable)


def _described(value: Any) -> dict[str, Any]:
    """Return a schema for values of the same type."""
    if isinstance(value, list) and value and all(isinstance(one, str) and "\n" not in one for one in value):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(value, dict):
        return {"type": "object", "properties": {key: _described(one) for key, one in value.items()}}
    return {"type": json_type(value)} if value is not None else {}


def _fields_of_object(source: _Source, part: dict[str, Any], path: Path, default: Any = None) -> list[Field]:
    properties = part["properties"]
    if not 0 < len(properties) <= MAX_FIELDS:
        return []
    required = part.get("required")
    names = set(required) if isinstance(required, list) else set()
    values = default if isinstance(default, dict) else {}
    return [
        _field(
            source,
            one := _resolved(source, given),
            (*path, key),
            _title(one) or key,
            required=key in names or key in values,
            default=values.get(key, one.get("default", NO_DEFAULT)),
            nested=not path,
        )
        for key, given in properties.items()
    ]


def _field(
    source: _Source, part: dict[str, Any], path: Path, label: str, *, required: bool, default: Any, nested: bool
) -> Field:
    """Return the field of a part of the value. With `nested` it may be a group, because groups have one level."""
    nullable = part.get("nullable") is True
    kind, options, inner = _kind_of(part, default), [], []
    if kind == "boolean" and nullable:
        kind, options = "choice", options_of([(True, "yes"), (False, "no")])
    elif kind == "choice":
        options = options_of([(value, _text(value)) for value in part["enum"] if not (nullable and value is None)])
    elif kind == "group":
        inner = _fields_of_object(source, part, path, default) if nested else []
        kind = "group" if inner else "json"
    found = Field(
        path=path,
        kind=kind,
        label=label[:MAX_LABEL_CHARS],
        hint=_hint(part),
        required=required and not nullable,
        nullable=nullable,
        default=default,
        schema=part,
        options=options,
        fields=inner,
    )
    return source.counted(found)


def _kind_of(part: dict[str, Any], default: Any) -> FieldKind:
    enum = part.get("enum")
    if isinstance(enum, list) and 0 < len(enum) <= MAX_OPTIONS:
        return "choice"
    kind = part.get("type")
    if kind == "string":
        limit = part.get("maxLength")
        long = isinstance(limit, int) and limit > 4 * LONG_CHARS
        written = isinstance(default, str) and ("\n" in default or len(default) > LONG_CHARS)
        return "long" if long or written else "text"
    if kind in ("integer", "number", "boolean"):
        chosen: FieldKind = kind
        return chosen
    items = part.get("items")
    if kind == "array" and isinstance(items, dict) and items.get("type") == "string" and not items.get("enum"):
        return "lines"
    return "group" if _is_object(part) else "json"


def _is_object(part: dict[str, Any]) -> bool:
    return part.get("type", "object") == "object" and isinstance(part.get("properties"), dict)


def _resolved(source: _Source, part: Any) -> dict[str, Any]:
    """Follow references, and unwrap the only form that is not null. The result has `nullable` if null is allowed."""
    found: dict[str, Any] = part if isinstance(part, dict) else {}
    for _ in range(MAX_REFERENCES):
        around = {name: value for name, value in found.items() if name not in ("$ref", "anyOf", "oneOf", "allOf")}
        if isinstance(found.get("$ref"), str):
            found = {**_pointed(source.schema, found["$ref"]), **around}
            continue
        forms: list[Any] = next(
            (found[name] for name in ("anyOf", "oneOf", "allOf") if isinstance(found.get(name), list)), []
        )
        rest = [form for form in forms if not (isinstance(form, dict) and form.get("type") == "null")]
        if len(rest) != 1 or not isinstance(rest[0], dict):
            break
        found = {**rest[0], **around, **({"nullable": True} if len(forms) > 1 else {})}
    types = found.get("type")
    if isinstance(types, list) and "null" in types:
        rest = [name for name in types if name != "null"]
        found = {**found, "type": rest[0] if len(rest) == 1 else rest, "nullable": True}
    return found


def _pointed(root: dict[str, Any], reference: str) -> dict[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _hint(part: dict[str, Any]) -> str:
    hint = part.get("description")
    return hint[:MAX_HINT_CHARS] if isinstance(hint, str) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _title(part: dict[str, Any]) -> str:
    title = part.get("title")
    return title if isinstance(title, str) else ""
