"""The form of an answer: what its fields show, the value that it sends, and the problems beside its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from signalbox.store.answers import Expectation, InvalidAnswer, InvalidPart, expectation_of
from signalbox.store.answers.errors import Path
from signalbox.store.state import Permission
from signalbox.webapp.views.answer_field import NO_DEFAULT, Field, every_field
from signalbox.webapp.views.answer_fields import fields_of
from signalbox.webapp.views.text import clean

MAX_CARD_CHARS = 20_000
"""Characters of a form on a page with several requests. A longer one is only on the page of its request."""

SENT = "form"
"""The hidden field of a form with fields. A post without it gives no value."""

_LEFT_OUT = object()


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """The form of one request, fresh or with what a person `sent` and the `problems` of it."""

    expected: Expectation
    fields: Sequence[Field]
    sent: Mapping[str, str] | None = None
    problems: Sequence[InvalidPart] = ()
    reason: str = ""
    always: bool = False

    @property
    def long(self) -> bool:
        """Whether the form has fields besides the reason."""
        return bool(self.fields)

    def text(self, one: Field) -> str:
        """Return the text in a field."""
        if self.sent is not None:
            return self.sent.get(one.name, "")
        return one.default_text

    def is_on(self, one: Field) -> bool:
        """Return whether a checkbox is on."""
        return one.name in self.sent if self.sent is not None else one.default is True

    @property
    def chars(self) -> int:
        """About the characters of the fields with their markup."""
        return sum(one.chars for one in every_field(self.fields))

    def problem(self, one: Field) -> str:
        """Return the problem of a field, or "". A problem of a part without a field of its own is its parent's."""
        return "; ".join(_words(problem, one.path) for problem in self._problems_by_field.get(one.path, []))

    @property
    def general_problems(self) -> list[str]:
        """The problems that belong to no field."""
        return [f"The value {problem.message}" for problem in self._problems_by_field.get(None, [])]

    @cached_property
    def _problems_by_field(self) -> dict[Path | None, list[InvalidPart]]:
        known = {one.path for one in every_field(self.fields)}
        found: dict[Path | None, list[InvalidPart]] = {}
        for problem in self.problems:
            path = problem.path
            place = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in known), None)
            found.setdefault(place, []).append(problem)
        return found


def answer_form(permission: Permission) -> AnswerForm:
    """Return the fresh form of a request."""
    expected = expectation_of(permission)
    return AnswerForm(expected=expected, fields=fields_of(expected))


def fixed_arguments(permission: Permission) -> Any:
    """Return the arguments that the form does not show as fields; None if there are none."""
    arguments = permission.arguments
    expected = expectation_of(permission)
    if permission.state != "open" or expected.kind != "arguments" or expected.fault is not None:
        return arguments
    if expected.keys is None:
        return None
    changeable = set(expected.keys)
    return {key: value for key, value in arguments.items() if key not in changeable} or None


def value_in(form: AnswerForm, sent: Mapping[str, str]) -> Any:
    """Return the value that the sent fields give, UNSET for none. Raises InvalidAnswer for unreadable fields."""
    if SENT not in sent or not form.fields:
        return msgspec.UNSET
    problems: list[InvalidPart] = []
    values = {one.path: _value(one, sent, problems) for one in form.fields}
    if problems:
        raise InvalidAnswer(problems)
    if () in values:
        return msgspec.UNSET if values[()] is _LEFT_OUT else values[()]
    return {path[-1]: value for path, value in values.items() if value is not _LEFT_OUT}


def _value(one: Field, sent: Mapping[str, str], problems: list[InvalidPart]) -> Any:
    if one.kind == "group":
        inner = {part.path[-1]: _value(part, sent, problems) for part in one.fields}
        found = {key: value for key, value in inner.items() if value is not _LEFT_OUT}
        return found if found or one.required else _LEFT_OUT
    if one.kind == "boolean":
        return one.name in sent
    if one.default is not NO_DEFAULT and one.name not in sent:
        return one.default
    text = sent.get(one.name, "").replace("\r\n", "\n")
    if one.default is not NO_DEFAULT and text == clean(one.default_text).replace("\r\n", "\n"):
        # An unchanged text keeps the line breaks, control characters and spelling of the original.
        return one.default
    if not text.strip() and not (one.kind in ("text", "long", "lines") and one.required):
        if one.nullable:
            return None
        if one.required:
            problems.append(InvalidPart(one.path, "is required"))
        return _LEFT_OUT
    try:
        return _parsed(one, text)
    except ValueError as error:
        problems.append(InvalidPart(one.path, str(error)))
        return _LEFT_OUT


def _parsed(one: Field, text: str) -> Any:
    """Return the value of a field. Raises ValueError with the problem."""
    match one.kind:
        case "integer":
            try:
                return int(text) if len(text) <= 100 else int("")
            except ValueError:
                raise ValueError("must be a whole number") from None
        case "number":
            return _number(text)
        case "choice":
            for option in one.options:
                if option.text == text:
                    return option.value
            raise ValueError("must be one of the options")
        case "lines":
            return [line for line in text.split("\n") if line]
        case "json":
            try:
                return msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                raise ValueError(f"must be JSON: {error}") from None
    return text


def _number(text: str) -> float | int:
    try:
        value = msgspec.json.decode(text.strip(), type=float | int)
    except msgspec.DecodeError:
        raise ValueError("must be a number") from None
    return value


def _words(problem: InvalidPart, path: Path) -> str:
    inner = problem.path[len(path) :]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in inner).lstrip(".")
    text = f"{where} {problem.message}".strip()
    return text[:1].upper() + text[1:] if not where else text
