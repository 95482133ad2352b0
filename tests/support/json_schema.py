"""JSON Schema for tests of the OpenAPI document: generate valid values, and find errors in a value.

Only the keywords that the document uses are supported; any other keyword fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_KNOWN = frozenset(
    {
        "$ref",
        "additionalProperties",
        "anyOf",
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "minItems",
    }
    | {"maxLength", "maxProperties", "maximum", "minLength", "minimum", "multipleOf", "pattern"}
    | {"properties", "propertyNames", "required", "title", "type"}
)
_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


class Schemas:
    """The schemas of a document by name."""

    def __init__(self, document: Schema) -> None:
        self._named: dict[str, Schema] = document["components"]["schemas"]

    def problem(self, value: Any, schema: Schema, path: str = "$") -> str | None:
        """Return the first error of a value, or None if the schema allows it."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            problems = [self.problem(value, part, path) for part in schema["anyOf"]]
            return None if None in problems else " and ".join(map(str, problems))
        if "enum" in schema and value not in schema["enum"]:
            return f"{path} is {value!r}, not one of {schema['enum']}"
        kind = schema.get("type")
        if kind is not None and not _TYPES[kind](value):
            return f"{path} is {value!r}, no {kind}"
        if isinstance(value, str):
            return _problem_of_text(value, schema, path)
        if isinstance(value, list) and len(value) < schema.get("minItems", 0):
            return f"{path} has {len(value)} items"
        if isinstance(value, list) and "items" in schema:
            parts = [self.problem(part, schema["items"], f"{path}[{n}]") for n, part in enumerate(value)]
            return next(filter(None, parts), None)
        if isinstance(value, dict):
            return self._problem_of_object(value, schema, path)
        if isinstance(value, float) and "multipleOf" in schema and value % schema["multipleOf"]:
            return f"{path} is {value}, no multiple of {schema['multipleOf']}"
        if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            return f"{path} is {value}, out of bounds"
        return None

    def _problem_of_object(self, value: dict[str, Any], schema: Schema, path: str) -> str | None:
        missing = set(schema.get("required", ())) - value.keys()
        if missing:
            return f"{path} has no {', '.join(sorted(missing))}"
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is False and value.keys() - known.keys():
            return f"{path} has {', '.join(sorted(value.keys() - known.keys()))}, which it may not have"
        if len(value) > schema.get("maxProperties", len(value)):
            return f"{path} has {len(value)} names"
        parts = [
            self.problem(value[name], value_schema, f"{path}.{name}")
            for name, value_schema in known.items()
            if name in value
        ]
        more = schema.get("additionalProperties")
        for name in value.keys() - known.keys():
            parts.append(self.problem(name, schema.get("propertyNames", {}), f"the name {name!r} of {path}"))
            parts.append(self.problem(value[name], more, f"{path}.{name}") if isinstance(more, dict) else None)
        return next(filter(None, parts), None)

    def values(self, schema: Schema) -> st.SearchStrategy[Any]:
        """Return a strategy for values that a schema allows."""
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return st.one_of([self.values(part) for part in schema["anyOf"]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            return self._objects(schema)
        if kind == "array":
            return st.lists(
                self.values(schema.get("items", {})),
                min_size=schema.get("minItems", 0),
                max_size=min(3, schema.get("maxItems", 3)),
            )
        if kind == "string":
            return _texts(schema)
        if kind == "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        if kind == "number" and schema.get("multipleOf") == 1:
            whole = st.integers(schema.get("minimum"), schema.get("maximum"))
            return whole | whole.map(float)
        if kind == "number":
            return st.floats(schema.get("minimum"), schema.get("maximum"), allow_nan=False, allow_infinity=False)
        return {"boolean": st.booleans(), "null": st.none()}.get(str(kind), ANYTHING)

    def _objects(self, schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
        known = {name: self.values(value_schema) for name, value_schema in schema.get("properties", {}).items()}
        required = {name: known[name] for name in schema.get("required", ())}
        more = schema.get("additionalProperties")
        if not known and more is not False:
            names = self.values({"type": "string", **schema["propertyNames"]}) if "propertyNames" in schema else _text
            return st.dictionaries(names, self.values(more) if isinstance(more, dict) else ANYTHING, max_size=3)
        return st.fixed_dictionaries(required, optional={n: v for n, v in known.items() if n not in required})

    def _resolved(self, schema: Schema) -> Schema:
        assert schema.keys() <= _KNOWN, f"the document uses {sorted(schema.keys() - _KNOWN)}"
        if "$ref" in schema:
            return self._named[schema["$ref"].rpartition("/")[2]]
        return schema


def _problem_of_text(value: str, schema: Schema, path: str) -> str | None:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{path} has {len(value)} characters"
    if "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
        return f"{path} is {value!r}, which is not {schema['pattern']}"
    return None


def _texts(schema: Schema) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("format") == "date-time":
        return _TIMES.filter(re.compile(schema.get("pattern", "")).search)
    if "pattern" not in schema:
        return st.text(
            st.characters(exclude_categories=("Cs",)), min_size=low, max_size=40 if high is None else min(high, 40)
        )
    # In JSON Schema `$` matches only the end of the text; in Python it also matches before a final newline.
    alphabet = st.characters(exclude_categories=("Cs",))
    texts = st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=alphabet)
    return texts.filter(partial(_of_length, low, high))


def _of_length(low: int, high: int | None, text: str) -> bool:
    return low <= len(text) and (high is None or len(text) <= high)


_TIMES = st.builds(
    "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
    st.integers(0, 9999),
    st.integers(1, 12),
    st.integers(1, 28),
    st.sampled_from("Tt"),
    st.integers(0, 23),
    st.integers(0, 59),
    st.integers(0, 60),
    st.sampled_from(["", ".5", ".123456789"]),
    st.sampled_from(["Z", "z", "+00:00", "-23:59", "+23:59"]),
)
"""Times of RFC 3339, including its year 0 and its leap seconds."""
