"""Reads the parameters of a request into a struct, from which the OpenAPI document is generated too.

    class Page(msgspec.Struct, frozen=True, kw_only=True):
        limit: Annotated[int, Meta(ge=1, le=500, description="The maximum number of items.")] = 50

`query_as(Page)` reads `?limit=`. A field may be an int or a float with bounds, a text with a `max_length`, a bool (`0`
or `1`), a `Literal`, or a tuple of texts or Literals, which is a repeatable parameter. The name of a parameter is the
encoded name of the field. `Meta(extra=…)` may contain:

- `read`: a function that takes the name and the text and returns the value; `extra_json_schema` is its schema
- `in`: `header` for a header
- `setting`: the name of the setting that has the default
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect
from quart import Quart, current_app, request
from quart.wrappers.base import BaseRequestWebsocket

from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.params import parse_choice, parse_flag, parse_float, parse_int

T = TypeVar("T")
Schema = dict[str, Any]
ReadParameter = Callable[[str, str], Any]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter: its name, the `field` of the struct that it fills, and the function that reads its text."""

    field: str
    name: str
    place: str
    many: bool
    read: ReadParameter
    default: Any
    setting: str | None
    required: bool
    schema: Schema
    description: str

    def default_in(self, app: Quart) -> Any:
        """Return the default of this parameter in `app`."""
        return self.default if self.setting is None else getattr(app.extensions["settings"], self.setting)


def query_as(kind: type[T], *, form: bool = False, asked: BaseRequestWebsocket | None = None) -> T:
    """Return the parameters of the request (or of `asked`) as `kind`. Raises BadRequest.

    With `form`, an empty text counts as absent, because browsers send every field of a form.
    """
    asked = asked or request
    values: dict[str, Any] = {}
    for one in parameters_of(kind):
        texts = asked.headers.getlist(one.name) if one.place == "header" else asked.args.getlist(one.name)
        if form:
            texts = [text for text in texts if text]
        if one.many:
            values[one.field] = tuple(one.read(one.name, part) for text in texts for part in _parts(one, text))
        elif len(texts) > 1:
            raise BadRequest(f"{one.name} must be given once, not {len(texts)} times", one.name)
        elif texts:
            values[one.field] = one.read(one.name, texts[0])
        elif one.required:
            raise BadRequest(f"{one.name} must be given", one.name)
        else:
            values[one.field] = one.default_in(current_app)
    return kind(**values)


def parameters_of(kind: Any) -> tuple[Parameter, ...]:
    """Return the parameters that the struct `kind` declares."""
    return _parameters_of(kind)


@cache
def _parameters_of(kind: Hashable) -> tuple[Parameter, ...]:
    hints = get_type_hints(kind)
    fields = cast(inspect.StructType, inspect.type_info(kind)).fields
    return tuple(_parameter(one, tuple(_words_of(hints[one.name]))) for one in fields)


def _words_of(hint: Any) -> Iterator[str]:
    """Yield the words of the Literals in a type, in their order in the source."""
    for part in get_args(hint):
        if get_origin(hint) is Literal:
            yield part
        else:
            yield from _words_of(part)


def _parameter(one: inspect.Field, words: tuple[str, ...]) -> Parameter:
    inner, described, extra = _plain(one.type)
    many = isinstance(inner, inspect.VarTupleType)
    if isinstance(inner, inspect.VarTupleType):
        inner, described_item, extra_of_item = _plain(inner.item_type)
        read, item = _reader(inner, extra_of_item, words)
        schema: Schema = {"type": "array", "items": item | described_item}
    else:
        read, schema = _reader(inner, extra, words)
    description = described.pop("description", "")
    default = one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory()
    required = default is msgspec.NODEFAULT
    schema = schema | described
    if not many and not required and default is not None:
        schema["default"] = int(default) if isinstance(default, bool) else default
    return Parameter(
        field=one.name,
        name=one.encode_name,
        place=extra.get("in", "query"),
        many=many,
        read=read,
        default=default,
        setting=extra.get("setting"),
        required=required,
        schema=schema,
        description=description,
    )


def _plain(kind: inspect.Type) -> tuple[inspect.Type, Schema, dict[str, Any]]:
    """Return a type without Optional and Meta, the schema that its Meta adds, and the Meta's `extra`."""
    described: Schema = {}
    extra: dict[str, Any] = {}
    while True:
        if isinstance(kind, inspect.Metadata):
            described |= kind.extra_json_schema or {}
            extra |= kind.extra or {}
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            (kind,) = (one for one in kind.types if not isinstance(one, inspect.NoneType))
        else:
            return kind, described, extra


def _reader(kind: inspect.Type, extra: dict[str, Any], words: tuple[str, ...]) -> tuple[ReadParameter, Schema]:
    """Return the function that reads a text of this type, and the type's schema."""
    if "read" in extra:
        return extra["read"], {}
    if isinstance(kind, inspect.BoolType):
        return parse_flag, {"type": "integer", "enum": [0, 1]}
    if isinstance(kind, inspect.LiteralType):
        return partial(_one_of, words), {"type": "string", "enum": list(words)}
    if isinstance(kind, inspect.IntType) and kind.ge is not None and kind.le is not None:
        return partial(_between, parse_int, kind.ge, kind.le), _bounds("integer", kind.ge, kind.le)
    if isinstance(kind, inspect.FloatType) and kind.ge is not None and kind.le is not None:
        return partial(_between, parse_float, kind.ge, kind.le), _bounds("number", kind.ge, kind.le)
    assert isinstance(kind, inspect.StrType), f"a parameter cannot be {kind}"
    return partial(_short, kind.max_length), {"type": "string"} | (
        {} if kind.max_length is None else {"maxLength": kind.max_length}
    )


def _bounds(name: str, low: float, high: float) -> Schema:
    return {"type": name, "minimum": low, "maximum": high}


def _parts(one: Parameter, text: str) -> list[str]:
    # The words of an enum have no commas, so a list of them may also be separated by commas.
    return text.split(",") if "enum" in one.schema["items"] else [text]


def _between(read: Callable[[str, str, Any, Any], Any], low: float, high: float, name: str, text: str) -> Any:
    return read(name, text, low, high)


def _one_of(choices: tuple[str, ...], name: str, text: str) -> str:
    return parse_choice(name, text, choices)


def _short(limit: int | None, name: str, text: str) -> str:
    if limit is not None and len(text) > limit:
        raise BadRequest(f"{name} must have at most {limit} characters, not {len(text)}", name)
    return text
