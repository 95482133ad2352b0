"""The value of an answer as its card shows it: the chosen option, the changed arguments, or the value as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from signalbox.store.answers.equality import is_same
from signalbox.store.state import Permission
from signalbox.webapp.views.text import indented

MAX_VALUE_CHARS = 4000
ROW_CHARS = 100
MAX_CHANGES_CHARS = 10_000
"""Characters of the changes that a card shows. There is always at least one change."""


@dataclass(frozen=True)
class Change:
    """A changed argument, as texts. `name` is empty for arguments that are not an object."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class AnsweredValue:
    """What an approval said: `choice` is the label of the chosen option, `text` is any other value.

    `unchanged` says that a person could have changed the arguments, and did not. `more` counts the changes that are
    left out of `changes`.
    """

    choice: str = ""
    text: str = ""
    changes: list[Change] = field(default_factory=list)
    more: int = 0
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
        changes, more = _changes(permission.arguments, value)
        return AnsweredValue(changes=changes, more=more, unchanged=not changes)
    return None if permission.response_schema is None else AnsweredValue(text=_text(value))


def _changes(before: Any, after: Any) -> tuple[list[Change], int]:
    """Return the first changes, and the number of the others."""
    if is_same(before, after):
        return [], 0
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [Change("", _text(before), _text(after))], 0
    keys = [*before, *(key for key in after if key not in before)]
    changed = [key for key in keys if not (key in before and key in after and is_same(before[key], after[key]))]
    found: list[Change] = []
    left = MAX_CHANGES_CHARS
    for key in changed:
        if left <= 0:
            break
        found.append(Change(key, _text(before.get(key, "")), _text(after.get(key, ""))))
        left -= len(key) + len(found[-1].before) + len(found[-1].after) + ROW_CHARS
    return found, len(changed) - len(found)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else indented(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"
