"""The value of an answer as its card shows it: the chosen option, the changed arguments, or the value as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from signalbox.store.answers.expectation import is_same
from signalbox.store.state import Permission

MAX_VALUE_CHARS = 4000


@dataclass(frozen=True)
class Change:
    """A changed argument, as texts. `name` is empty for arguments that are not an object."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class AnsweredValue:
    """What an approval said: `choice` is the label of the chosen option, `text` is any other value.

    `unchanged` says that a person could have changed the arguments, and did not.
    """

    choice: str = ""
    text: str = ""
    changes: list[Change] = field(default_factory=list)
    unchanged: bool = False


def answered_value(permission: Permission) -> AnsweredValue | None:
    """Return what the approval of this request said besides yes; None if nothing."""
    value = permission.value
    if permission.state != "approved":
        return None
    if permission.choices is not None:
        label = next((one.label for one in permission.choices if is_same(one.value, value)), "")
        return AnsweredValue(choice=label or _text(value))
    if permission.editable and permission.arguments is not None:
        changes = _changes(permission.arguments, value)
        return AnsweredValue(changes=changes, unchanged=not changes)
    return None if permission.response_schema is None else AnsweredValue(text=_text(value))


def _changes(before: Any, after: Any) -> list[Change]:
    if is_same(before, after):
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [Change("", _text(before), _text(after))]
    keys = [*before, *(key for key in after if key not in before)]
    return [
        Change(key, _text(before.get(key, "")), _text(after.get(key, "")))
        for key in keys
        if not (key in before and key in after and is_same(before[key], after[key]))
    ]


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"
