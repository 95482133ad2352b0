"""Checks of values against a JSON Schema of a run. The library is loaded when a schema is first used.

A schema may refer only to itself. Its size and depth are limited, and so is the number of steps of one check, because
references inside a small schema can multiply the work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import msgspec

from signalbox.store.answers import patterns
from signalbox.store.answers.equality import canonical
from signalbox.store.answers.errors import InvalidPart, Path, UnusableSchema
from signalbox.store.answers.problems import problems_in

MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMA_DEPTH = 20
MAX_STEPS = 20_000
"""Keywords of the schema, and parts of it, that one check evaluates, with repetitions."""

MAX_PATTERNS = 20
"""Regular expressions that one check evaluates, with repetitions: each takes about 20 ms."""

MAX_UNEVALUATED = 200
"""Items or keys of a value in which the parts are sought that no other keyword evaluates. The time grows squared."""

MAX_PROBLEMS = 50
_QUADRATIC = ("unevaluatedItems", "unevaluatedProperties")
_REFUSED = ("patternProperties", "$dynamicRef", "$recursiveRef")


class _TooCostly(Exception):
    """The check has used up its steps."""


class _Budget:
    """The steps, parts of the schema and patterns that a check may still evaluate."""

    def __init__(self) -> None:
        self.steps, self.parts, self.patterns = MAX_STEPS, MAX_STEPS, MAX_PATTERNS

    def spend(self, keyword: str, instance: Any) -> None:
        self.steps -= 1
        self.patterns -= keyword == "pattern"
        if self.steps < 0 or self.patterns < 0:
            raise _TooCostly
        if keyword in _QUADRATIC and isinstance(instance, list | dict) and len(instance) > MAX_UNEVALUATED:
            raise _TooCostly

    def spend_part(self) -> None:
        self.parts -= 1
        if self.parts < 0:
            raise _TooCostly


_budget: ContextVar[_Budget] = ContextVar("signalbox_schema_budget")


def check_schema(schema: Any) -> None:
    """Raise UnusableSchema unless `schema` is a JSON Schema that requests may use."""
    try:
        encoded = msgspec.json.encode(schema)
    except Exception as error:  # msgspec also runs code of the values
        raise UnusableSchema(f"it cannot be written as JSON: {error}") from None
    reason = _fault(encoded)
    if reason:
        raise UnusableSchema(reason)


@lru_cache(200)
def _fault(encoded: bytes) -> str | None:
    """Return why this schema cannot be used, or None."""
    if len(encoded) > MAX_SCHEMA_BYTES:
        return f"it must be at most {MAX_SCHEMA_BYTES} bytes of JSON, not {len(encoded)}"
    schema = msgspec.json.decode(encoded)
    if not isinstance(schema, dict | bool):
        return "it must be an object, true or false"
    reason = _refused_part(schema, 1)
    if reason:
        return reason
    for error in _schema_validator(_dialect(schema)).iter_errors(schema):
        where = "/".join(map(str, error.absolute_path))
        return f"{where or 'the schema'}: {error.message[:200]}"
    return None


def _refused_part(part: Any, depth: int) -> str | None:
    if depth > MAX_SCHEMA_DEPTH:
        return f"it must be nested at most {MAX_SCHEMA_DEPTH} levels deep"
    if isinstance(part, list):
        return next(filter(None, (_refused_part(one, depth + 1) for one in part)), None)
    if not isinstance(part, dict):
        return None
    for name in _REFUSED:
        if name in part:
            return f"it must not use {name}"
    reference = part.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        return f"$ref must begin with #, not {reference[:100]!r}: a schema may refer only to itself"
    pattern = part.get("pattern")
    if isinstance(pattern, str):
        if len(pattern) > patterns.MAX_PATTERN_CHARS:
            return f"pattern must have at most {patterns.MAX_PATTERN_CHARS} characters, not {len(pattern)}"
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as error:
            return f"pattern {pattern[:100]!r} is not a regular expression: {error}"
    return next(filter(None, (_refused_part(one, depth + 1) for one in part.values())), None)


def problems_of(schema: Any, value: Any) -> list[InvalidPart]:
    """Return the problems that the schema finds in the value, at most 50, one for each part of the value.

    Blocks the calling thread, for up to a second per pattern. Raises UnusableSchema, also if the check costs too much.
    """
    check_schema(schema)
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    spent = _budget.set(_Budget())
    found: dict[Path, InvalidPart] = {}
    try:
        for error in _validator_class(_dialect(schema))(schema, registry=Registry()).iter_errors(value):
            for problem in problems_in(error):
                found.setdefault(problem.path, problem)
            if len(found) >= MAX_PROBLEMS:
                break
    except (_TooCostly, RecursionError):
        raise UnusableSchema("its check takes too many steps") from None
    except patterns.PatternTimeout:
        raise UnusableSchema("one of its patterns takes too long") from None
    except ArithmeticError:
        raise UnusableSchema("it cannot be applied to numbers of this size") from None
    except Unresolvable as error:
        raise UnusableSchema(str(error)[:200]) from None
    finally:
        _budget.reset(spent)
    return list(found.values())


def _dialect(schema: Any) -> str:
    named = schema.get("$schema") if isinstance(schema, dict) else None
    return named if isinstance(named, str) else ""


@lru_cache(20)
def _validator_class(dialect: str) -> Any:
    """Return the validator for the schemas of a dialect, by default 2020-12, which spends the budget of the check."""
    from jsonschema.validators import extend

    base = _library_class(dialect)
    keywords = {name: _counted(name, check) for name, check in base.VALIDATORS.items()}
    own = {"pattern": _counted("pattern", _pattern), "uniqueItems": _counted("uniqueItems", _unique_items)}
    return _staying(extend(base, {**keywords, **own}), lambda: _budget.get().spend_part())


@lru_cache(20)
def _schema_validator(dialect: str) -> Any:
    """Return what checks the schemas of a dialect themselves."""
    from jsonschema.validators import extend, validator_for

    described = _library_class(dialect).META_SCHEMA
    base = validator_for(described, default=_library_class(dialect))
    checks = _staying(extend(base, {"uniqueItems": _unique_items}), lambda: None)
    return checks(described, format_checker=base.FORMAT_CHECKER)


def _library_class(dialect: str) -> Any:
    from jsonschema.validators import Draft202012Validator, validator_for

    return validator_for({"$schema": dialect}, default=Draft202012Validator)


def _staying(validator: Any, spend: Callable[[], None]) -> Any:
    """Let a class of validators check every part of a schema, and call `spend` for each.

    For a part with a `$schema`, the library would take a class of its own, which has no budget.
    """
    from attrs import fields

    names = [(field.alias, field.name) for field in fields(validator) if field.init]

    def evolve(self: Any, **changes: Any) -> Any:
        spend()
        return validator(**{alias: getattr(self, name) for alias, name in names} | changes)

    validator.evolve = evolve
    return validator


def _counted(keyword: str, check: Callable[..., Iterable[Any] | None]) -> Callable[..., Iterator[Any]]:
    def counted(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _budget.get().spend(keyword, instance)
        yield from check(validator, wanted, instance, schema) or ()

    return counted


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not patterns.is_found(pattern, instance):
        yield ValidationError("does not match")


def _unique_items(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    # The library compares each item with each other one: 5,000 items take minutes.
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(instance, list) and len(set(map(canonical, instance))) < len(instance):
        yield ValidationError("has equal items")
