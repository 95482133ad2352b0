"""Reads fields of OTLP/JSON objects. A value of a wrong type raises BadRequest, which names the field.

OTLP/JSON follows the JSON mapping of protobuf, except that ids are hexadecimal, enums are integers, and only names in
lowerCamelCase are keys. Unknown keys are ignored, and null stands for the default.
"""

from __future__ import annotations

import math
import re
from typing import Any

from signalbox.webapp.http.bad_request import BadRequest

Object = dict[str, Any]

_DIGITS = re.compile(r"-?[0-9]{1,20}")

MAX_DEPTH = 100
"""Levels of nested attribute values. Protobuf has the same limit."""


def objects(parent: Object, name: str, path: str) -> list[tuple[Object, str]]:
    """Return the objects in the list `name`, each with its path."""
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(f"{path}{name}", "a list", value)
    found = []
    for place, one in enumerate(value):
        if not isinstance(one, dict):
            raise wrong(f"{path}{name}[{place}]", "an object", one)
        found.append((one, f"{path}{name}[{place}]."))
    return found


def object_in(parent: Object, name: str, path: str) -> Object:
    """Return the object `name`, or an empty one."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(f"{path}{name}", "an object", value)
    return value


def text(parent: Object, name: str, path: str) -> str:
    """Return the text `name`, or an empty one."""
    value = parent.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(f"{path}{name}", "text", value)
    return value


def identifier(parent: Object, name: str, path: str) -> str:
    """Return the hexadecimal id `name` in lower case, or an empty text."""
    return text(parent, name, path).lower()


def integer(parent: Object, name: str, path: str, *, low: int = 0, high: int = 2**64 - 1) -> int:
    """Return the integer `name`: a number, or decimal digits as text. The default is 0."""
    value = parent.get(name)
    if value is None:
        return 0
    return integer_of(value, f"{path}{name}", low, high)


def enum(parent: Object, name: str, path: str) -> int:
    """Return the enum `name`, which must be an integer."""
    value = parent.get(name)
    if isinstance(value, str):
        raise BadRequest(f"{path}{name} must be the integer of the enum value, not {value[:60]!r}", name)
    return integer(parent, name, path, low=-(2**31), high=2**31 - 1)


def integer_of(value: object, path: str, low: int, high: int) -> int:
    """Return a number, or decimal digits as text, as an integer within these bounds."""
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif (isinstance(value, float) and value.is_integer()) or (isinstance(value, str) and _DIGITS.fullmatch(value)):
        number = int(value)
    if number is None or not low <= number <= high:
        raise wrong(path, f"an integer from {low} to {high}", value)
    return number


def attributes(parent: Object, name: str, path: str, depth: int = 0) -> dict[str, Any]:
    """Return the list of keys and values `name` as an object."""
    return {
        text(pair, "key", where): any_value(object_in(pair, "value", where), f"{where}value.", depth + 1)
        for pair, where in objects(parent, name, path)
    }


def any_value(value: Object, path: str, depth: int = 0) -> Any:
    """Return an attribute value as a JSON value. Bytes stay base64."""
    if depth > MAX_DEPTH:
        raise BadRequest(f"attribute values may be nested at most {MAX_DEPTH} levels deep")
    for kind, inner in value.items():
        if inner is None:
            continue
        if kind in ("stringValue", "bytesValue"):
            return text(value, kind, path)
        if kind == "intValue":
            return integer_of(inner, f"{path}{kind}", -(2**63), 2**63 - 1)
        if kind == "boolValue":
            if not isinstance(inner, bool):
                raise wrong(f"{path}{kind}", "true or false", inner)
            return inner
        if kind == "doubleValue":
            return _double(inner, f"{path}{kind}")
        if kind == "arrayValue":
            listed = objects(object_in(value, kind, path), "values", f"{path}{kind}.")
            return [any_value(one, where, depth + 1) for one, where in listed]
        if kind == "kvlistValue":
            return attributes(object_in(value, kind, path), "values", f"{path}{kind}.", depth)
    return None


def _double(value: object, path: str) -> float | str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if value in ("NaN", "Infinity", "-Infinity"):
        return str(value)
    try:
        number = float(value) if isinstance(value, str) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise wrong(path, "a number", value)
    return number


def wrong(path: str, wanted: str, value: object) -> BadRequest:
    """Return the error of a value that is not what is wanted at this path."""
    shown = "true" if value is True else "false" if value is False else repr(value)
    return BadRequest(f"{path} must be {wanted}, not {shown[:60]}", path)
