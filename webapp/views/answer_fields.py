"""The fields of an answer's form, from the value that a permission request asks for.

Texts, numbers, yes or no, choices, lists of texts and objects of these have fields of their own. Any other value is
typed as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from signalbox.store.answers import Expectation
from signalbox.store.answers.errors import Path
from signalbox.store.answers.expectation import json_type

FieldKind = Literal["text", "long", "integer", "number", "boolean", "choice", "lines", "json", "group"]

MAX_FIELDS = 40
"""Fields of an object. One with more is typed as JSON."""

MAX_OPTIONS = 100
FEW_OPTIONS = 6
"""A choice between more options is a menu."""

LONG_CHARS = 80
"""A text longer than this has a field of several lines."""

MAX_REFERENCES = 8
NO_DEFAULT = msgspec.UNSET


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a choice. `text` is what the form sends."""

    text: str
    label: str
    value: Any


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the form. `path` leads to its part of the value, which is `default` if nobody changes it.

    An optional field that is left empty is left out of the value, or is null if it is `nullable`.
    """

    path: Path
    kind: FieldKind
    label: str
    hint: str = ""
    required: bool = True
    nullable: bool = False
    default: Any = NO_DEFAULT
    schema: dict[str, Any] = field(default_factory=dict)
    options: Sequence[Option] = ()
    fields: Sequence[Field] = ()

    @property
    def name(self) -> str:
        """The name of the form's field: `value`, or a JSON pointer below it, such as `value/branch`."""
        return "/".join(["value", *(str(part).replace("~", "~0").replace("/", "~1") for part in self.path)])

    @property
    def few(self) -> bool:
        """Whether all options are shown at once."""
        return len(self.options) <= FEW_OPTIONS


def fields_of(expected: Expectation, tool_name: str) -> list[Field]:
    """Return the fields of the form, none for a request that asks for no value."""
    if expected.fault is not None or expected.kind == "nothing":
        return []
    if expected.kind == "choice":
        options = options_of([(choice.value, choice.label) for choice in expected.choices])
        return [Field(path=(), kind="choice", label="Answer", options=options)]
    schema = expected.schema if isinstance(expected.schema, dict) else {}
    if expected.kind == "arguments":
        return _argument_fields(expected, schema, tool_name)
    whole = _resolved(schema, schema)
    if _is_object(whole):
        inner = _fields_of_object(schema, whole, ())
        if inner:
            return inner
    return [_field(schema, whole, (), _title(whole) or "Answer", required=True, default=NO_DEFAULT, nested=False)]


def _argument_fields(expected: Expectation, schema: dict[str, Any], tool_name: str) -> list[Field]:
    arguments = expected.arguments
    if expected.keys is None:
        part = {**_described(arguments), **_resolved(schema, schema)}
        return [_field(schema, part, (), "Arguments", required=True, default=arguments, nested=False)]
    properties = _resolved(schema, schema).get("properties")
    given = properties if isinstance(properties, dict) else {}
    keys = expected.keys[:MAX_FIELDS]
    found = []
    for key in keys:
        own = given.get(key)
        part = {**_described(arguments[key]), **(_resolved(schema, own) if isinstance(own, dict) else {})}
        default = arguments[key]
        found.append(_field(schema, part, (key,), _title(part) or key, required=True, default=default, nested=True))
    return found


def _described(value: Any) -> dict[str, Any]:
    """Return a schema for values of the same type."""
    if isinstance(value, list) and value and all(isinstance(one, str) and "\n" not in one for one in value):
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(value, dict):
        return {"type": "object", "properties": {key: _described(one) for key, one in value.items()}}
    return {"type": json_type(value)} if value is not None else {}


def _fields_of_object(root: dict[str, Any], part: dict[str, Any], path: Path, default: Any = None) -> list[Field]:
    properties = part["properties"]
    if not 0 < len(properties) <= MAX_FIELDS:
        return []
    required = part.get("required")
    names = set(required) if isinstance(required, list) else set()
    values = default if isinstance(default, dict) else {}
    return [
        _field(
            root,
            one := _resolved(root, given),
            (*path, key),
            _title(one) or key,
            required=key in names or key in values,
            default=values.get(key, one.get("default", NO_DEFAULT)),
            nested=not path,
        )
        for key, given in properties.items()
    ]


def _field(
    root: dict[str, Any], part: dict[str, Any], path: Path, label: str, *, required: bool, default: Any, nested: bool
) -> Field:
    """Return the field of a part of the value. With `nested` it may be a group, because groups have one level."""
    nullable = part.get("nullable") is True
    kind, options, inner = _kind_of(part, default), [], []
    if kind == "choice":
        options = options_of([(value, _text(value)) for value in part["enum"] if not (nullable and value is None)])
    elif kind == "group":
        inner = _fields_of_object(root, part, path, default) if nested else []
        kind = "group" if inner else "json"
    hint = part.get("description")
    return Field(
        path=path,
        kind=kind,
        label=label[:200],
        hint=hint[:1000] if isinstance(hint, str) else "",
        required=required and not nullable,
        nullable=nullable,
        default=default,
        schema=part,
        options=options,
        fields=inner,
    )


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


def _resolved(root: dict[str, Any], part: Any) -> dict[str, Any]:
    """Follow references, and unwrap the only form that is not null. The result has `nullable` if null is allowed."""
    found: dict[str, Any] = part if isinstance(part, dict) else {}
    for _ in range(MAX_REFERENCES):
        around = {name: value for name, value in found.items() if name not in ("$ref", "anyOf", "oneOf", "allOf")}
        if isinstance(found.get("$ref"), str):
            found = {**_pointed(root, found["$ref"]), **around}
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


def options_of(pairs: Sequence[tuple[Any, str]]) -> list[Option]:
    """Return the options of a choice. A text is sent as it is, other values as JSON, unless two would be the same.

    A text that a form would change, and a blank one, which would count as no answer, are sent as JSON too.
    """
    plain = [value if isinstance(value, str) and _is_kept(value) else _json(value) for value, _ in pairs]
    texts = plain if len(set(plain)) == len(plain) else [_json(value) for value, _ in pairs]
    return [Option(text=text, label=label, value=value) for text, (value, label) in zip(texts, pairs, strict=True)]


def _is_kept(text: str) -> bool:
    """Whether a form sends the text without a change. A browser changes line breaks and NUL."""
    return text.isprintable() and not text.isspace() and text != ""


def _title(part: dict[str, Any]) -> str:
    title = part.get("title")
    return title if isinstance(title, str) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
