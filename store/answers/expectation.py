"""The value that a permission request asks for, and the value of an answer after its check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from signalbox.store.answers.equality import is_same
from signalbox.store.answers.errors import InvalidAnswer, InvalidPart, Path, UnusableSchema
from signalbox.store.answers.problems import shown
from signalbox.store.answers.schema import check_schema, problems_of
from signalbox.store.state import Choice, Permission

_TYPES: tuple[tuple[type[Any], str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The value that an approval of a request has.

    - `nothing`: no value;
    - `choice`: the value of one of `choices`;
    - `arguments`: the arguments, of which a person may change those in `keys` (None: the arguments as a whole, which
      are not an object);
    - `value`: any value that `schema` accepts.

    `schema` describes the whole value, or is True. `fault` says why the request cannot be approved at all.
    """

    kind: Literal["nothing", "choice", "arguments", "value"]
    choices: list[Choice]
    schema: Any = True
    arguments: Any = None
    keys: list[str] | None = None
    fault: str | None = None

    @property
    def may_be_remembered(self) -> bool:
        """Whether the same answer may be given to later requests of the tool, because it needs no value of a person."""
        return self.fault is None and (self.kind == "nothing" or (self.kind == "arguments" and self.schema is True))

    def accepted(self, value: Any = msgspec.UNSET) -> Any:
        """Return the value to store with an approval, UNSET for none. Blocks the calling thread during the check.

        Arguments of a person may be given in part: the others stay as they are. Raises InvalidAnswer.
        """
        given = value is not msgspec.UNSET
        if self.fault is not None:
            raise InvalidAnswer([InvalidPart((), f"cannot be given: {self.fault}")])
        if self.kind == "nothing":
            if given:
                raise InvalidAnswer([InvalidPart((), "must be left out: this request asks for none")])
            return value
        if self.kind == "arguments":
            value = self._changed_arguments(value) if given else self.arguments
        elif not given:
            raise InvalidAnswer([InvalidPart((), "is required: this request asks for one")])
        elif self.kind == "choice":
            chosen = next((choice for choice in self.choices if is_same(value, choice.value)), None)
            if chosen is None:
                allowed = ", ".join(shown(choice.value) for choice in self.choices[:20])
                raise InvalidAnswer([InvalidPart((), f"must be one of {allowed}")])
            return chosen.value
        if self.schema is not True:
            try:
                problems = problems_of(self.schema, value)
            except UnusableSchema as error:
                raise InvalidAnswer([InvalidPart((), f"cannot be checked: {error.reason}")]) from None
            if problems:
                raise InvalidAnswer(problems)
        return value

    def _changed_arguments(self, value: Any) -> Any:
        if self.keys is None:
            problem = _type_problem((), self.arguments, value)
            if problem:
                raise InvalidAnswer([problem])
            return value
        if not isinstance(value, dict):
            raise InvalidAnswer([InvalidPart((), "must be an object with the changed arguments")])
        problems, changeable, arguments = [], set(self.keys), dict(self.arguments)
        for key, changed in value.items():
            if key not in arguments:
                problems.append(InvalidPart((key,), "is not an argument of this request"))
            elif is_same(changed, arguments[key]):
                continue
            elif key in changeable:
                problems += filter(None, [_type_problem((key,), arguments[key], changed)])
                arguments[key] = changed
            else:
                problems.append(InvalidPart((key,), "must stay as it is"))
        if problems:
            raise InvalidAnswer(problems)
        return arguments


def expectation_of(permission: Permission) -> Expectation:
    """Return the value that an approval of this request has. `choices` precede `editable`, which precedes a schema."""
    schema = True if permission.response_schema is None else permission.response_schema
    if permission.choices is not None:
        fault = None if permission.choices else "the request offers no choices"
        return Expectation(kind="choice", choices=permission.choices, fault=fault)
    fault = None
    if schema is not True:
        try:
            check_schema(schema)
        except UnusableSchema as error:
            fault = str(error)
    arguments = permission.arguments
    if isinstance(arguments, dict) and permission.editable:
        given = arguments if permission.editable is True else permission.editable
        keys = [key for key in dict.fromkeys(given) if key in arguments]
        return Expectation(kind="arguments", choices=[], schema=schema, arguments=arguments, keys=keys, fault=fault)
    if permission.editable is True and arguments is not None:
        return Expectation(kind="arguments", choices=[], schema=schema, arguments=arguments, fault=fault)
    kind: Literal["nothing", "value"] = "nothing" if permission.response_schema is None else "value"
    return Expectation(kind=kind, choices=[], schema=schema, fault=fault)


def json_type(value: Any) -> str:
    """Return the name of a value's type in JSON Schema."""
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "null")


def _type_problem(path: Path, before: Any, after: Any) -> InvalidPart | None:
    """Return the problem of a changed argument whose type differs. An argument without a value takes any type."""
    if before is None:
        return None
    found = problems_of({"type": json_type(before)}, after)
    return InvalidPart(path, found[0].message) if found else None
