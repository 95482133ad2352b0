"""Secrets out of what leaves the house.

A rule is a word or a `/regular expression/`. A word names payload keys (`token` means `token`, `access_token` and
`accessToken`, not `tokens_used`), and hides what follows it in texts: `token=…`, `Token: …`, `--token …`. An expression
hides whatever it finds in texts.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from store import Event

HIDDEN = "[redacted]"
_RULE = re.compile(r"\s*(/(?:[^/\\]|\\.)+/(?=\s*(?:,|$))|[^,]+)")
_PARTS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")

FREE = frozenset(
    (
        *("title", "metadata", "name", "work_item_id", "message", "error"),
        *("arguments", "reason", "answer_reason", "by", "evidence_refs"),
    )
)
"""The fields of projections that say what a run said."""

S = TypeVar("S", bound=msgspec.Struct)


class InvalidRule(ValueError):
    """A redaction rule that is no regular expression; the message names it."""


class Redaction:
    """The rules of one list, such as `token,password,/sk-[a-z0-9]{20,}/`. Raises InvalidRule."""

    def __init__(self, rules: str) -> None:
        given = [rule.strip() for rule in _RULE.findall(rules) if rule.strip()]
        words = [rule for rule in given if not _is_pattern(rule)]
        self._names = [_parts(word) for word in words]
        self._patterns = [_compiled(rule) for rule in given if _is_pattern(rule)]
        self._hint = None if self._patterns else _hint(self._names)
        self._patterns += _following(words)

    def event(self, event: Event) -> Event:
        """`event` with its payload redacted."""
        if self._hint and not self._hint.search(bytes(event.payload_json).decode()):
            return event
        payload = self.value(event.payload)
        if payload == event.payload:
            return event
        return msgspec.structs.replace(event, payload_json=msgspec.Raw(msgspec.json.encode(payload)))

    def struct(self, value: S) -> S:
        """A projection's value with what came from payloads redacted."""
        free = {name: self.value(getattr(value, name)) for name in value.__struct_fields__ if name in FREE}
        return msgspec.structs.replace(value, **free)

    def value(self, value: Any) -> Any:
        """Any JSON value, redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: HIDDEN if self._names_secret(key) else self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return self._items(value)
        return value

    def text(self, text: str) -> str:
        """A text with what follows a word, and what an expression finds, hidden."""
        for pattern in self._patterns:
            text = pattern.sub(_hide, text)
        return text

    def _items(self, items: list[Any]) -> list[Any]:
        # A command line as a list: the value of `--token` is the item after it.
        found: list[Any] = []
        for before, item in zip([None, *items], items, strict=False):
            flag = isinstance(before, str) and before.startswith("-") and self._names_secret(before)
            found.append(HIDDEN if flag else self.value(item))
        return found

    def _names_secret(self, key: str) -> bool:
        parts = _parts(key)
        return any(
            parts[start : start + len(name)] == name
            for name in self._names
            for start in range(len(parts) - len(name) + 1)
        )


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.split(name) if part]


def _is_pattern(rule: str) -> bool:
    return len(rule) > 2 and rule.startswith("/") and rule.endswith("/")


def _compiled(rule: str) -> re.Pattern[str]:
    try:
        return re.compile(rule[1:-1])
    except re.error as error:
        raise InvalidRule(f"{rule!r} is no regular expression: {error}") from None


def _hint(names: list[list[str]]) -> re.Pattern[str]:
    """A look at a payload's JSON that most of them pass without being taken apart: no word of the list is in it."""
    return re.compile("|".join("[^a-z0-9]*".join(name) for name in names if name) or r"(?!)", re.IGNORECASE)


_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"',;&]+)"""


def _following(words: list[str]) -> list[re.Pattern[str]]:
    """What finds the value behind a word: `token=…`, `"token": "…"`, `Authorization: Bearer …`, `--token …`."""
    names = "|".join("[-_ ]?".join(map(re.escape, _parts(word))) for word in words if _parts(word))
    if not names:
        return []
    assigned = rf"(?P<before>(?:{names})(?![a-z0-9])[\"']?\s*[:=]\s*(?:(?:bearer|basic)\s+)?){_VALUE}"
    flag = rf"(?P<before>(?<![^\s\"'])--?(?:[\w-]*[-_])?(?:{names})\s+){_VALUE}"
    return [re.compile(assigned, re.IGNORECASE), re.compile(flag, re.IGNORECASE)]


def _hide(found: re.Match[str]) -> str:
    return found.groupdict().get("before", "") + HIDDEN
