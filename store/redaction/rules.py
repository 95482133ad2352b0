"""Removes secrets from data that leaves the server, such as exports, or before it is stored.

A rule is a word or a `/regular expression/`. A word matches names (`token` matches `token`, `access_token`,
`accessToken` and `GITHUB_TOKEN`, but not `tokens_used`). The values of payload keys with such a name are hidden, and
so are values after such a name in texts: `token=…`, `Token: …`, `--token …`, `["token", "…"]`. An expression hides its
matches in texts. If there is any rule, texts with the shape of a secret (`store.redaction.shapes`) are hidden too.
"""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from signalbox.store import Event
from signalbox.store.events import MAX_DEPTH
from signalbox.store.redaction.assignments import Assignments
from signalbox.store.redaction.hints import Hints
from signalbox.store.redaction.names import WEAK, Names
from signalbox.store.redaction.shapes import HIDDEN, HINTS, hidden

__all__ = ["DEFAULT_RULES", "HIDDEN", "InvalidRule", "Redaction"]

DEFAULT_RULES = (
    "token,password,passwd,passphrase,secret,authorization,api_key,access_key,private_key,account_key,auth_key,"
    "credential,cookie,amz_signature,pwd,pass"
)
"""The default of the setting `redact`."""

_RULE = re.compile(r"\s*(/(?:[^/\\]|\\.)+/(?=\s*(?:,|$))|[^,]+)")
TOO_DEEP = "[nested too deeply]"
_NAMING = frozenset({"name", "key", "header", "field", "k", "param", "parameter", "variable", "env", "id"})
_NAMED = frozenset({"value", "val", "v", "content", "data", "text", "default"})
_LOOKS_LIKE_JSON = re.compile(r"\s*+[\[{]")

RUN_TEXT_FIELDS = frozenset(
    (
        *("title", "metadata", "name", "work_item_id", "message", "error"),
        *("arguments", "reason", "answer_reason", "by", "evidence_refs"),
        *("text", "data", "value", "tag_changes", "link_changes", "hold"),
    )
)
"""Fields of projections whose text comes from a run or from a person."""

S = TypeVar("S", bound=msgspec.Struct)


class InvalidRule(ValueError):
    """A redaction rule is not a valid regular expression. The message names the rule."""


class Redaction:
    """Redacts by one list of rules, such as `token,password,/sk-[a-z0-9]{20,}/`. Raises InvalidRule."""

    def __init__(self, rules: str) -> None:
        given = [rule.strip() for rule in _RULE.findall(rules) if rule.strip()]
        self._names = Names(rule for rule in given if not _is_pattern(rule))
        self._assignments = Assignments(self._names)
        self._patterns = [_compiled(rule) for rule in given if _is_pattern(rule)]
        self._any = bool(given)
        words = self._names.words
        weak = [parts[0] for parts in words if len(parts) == 1 and parts[0] in WEAK]
        strong = [parts for parts in words if parts[0] not in weak or len(parts) > 1]
        # Hints cannot exclude a match of a regular expression from the settings.
        self._hints = None if self._patterns else Hints([*strong, *((hint,) for hint in HINTS)], weak)

    def event(self, event: Event) -> Event:
        """Return `event` with its payload redacted."""
        if not self.may_hide(bytes(event.payload_json)):
            return event
        payload = self.value(event.payload)
        if payload == event.payload:
            return event
        return msgspec.structs.replace(event, payload_json=msgspec.Raw(msgspec.json.encode(payload)))

    def struct(self, value: S) -> S:
        """Return a projection's struct with the fields that come from payloads redacted."""
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name in RUN_TEXT_FIELDS}
        try:
            if not self.may_hide(msgspec.json.encode(fields)):
                return value
        except RecursionError:
            pass  # Older versions stored deeper values than the encoder accepts.
        return msgspec.structs.replace(value, **{name: self.value(given) for name, given in fields.items()})

    def may_hide(self, json: bytes) -> bool:
        """Return whether the JSON text of a payload may contain something to hide."""
        return self._any and (self._hints is None or self._hints.found_in(json))

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a JSON value redacted. Values nested deeper than MAX_DEPTH, from older versions, are left out."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, msgspec.Struct):
            return self.struct(value)
        if isinstance(value, dict | list) and depth > MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, dict):
            return self._fields(value, depth + 1)
        if isinstance(value, list):
            return self._items(value, depth + 1)
        return value

    def text(self, text: str) -> str:
        """Return `text` with secrets hidden: values after names, matches of expressions, and shapes of secrets."""
        if not self._any:
            return text
        for pattern in self._patterns:
            text = pattern.sub(HIDDEN, text)
        if _LOOKS_LIKE_JSON.match(text):
            inner = self._json(text)
            if inner is not None:
                return inner
        return hidden(self._assignments.hidden(text))

    def _json(self, text: str) -> str | None:
        """Return a JSON text redacted as JSON; None if it is not JSON.

        Of values with equal names in one object only the last is kept. Parsers read only that one, so the earlier
        ones cannot be checked.
        """
        try:
            value = msgspec.json.decode(text)
            shown = self.value(value)
            return text if shown == value and not _repeats_names(text) else msgspec.json.encode(shown).decode()
        except (msgspec.DecodeError, RecursionError, ValueError):
            return None

    def _fields(self, fields: dict[Any, Any], depth: int) -> dict[Any, Any]:
        shown: dict[Any, Any] = {}
        # {"name": "authorization", "value": "…"}
        named = any(
            str(key).lower() in _NAMING and isinstance(item, str) and self._names.is_secret(item)
            for key, item in fields.items()
        )
        for key, item in fields.items():
            if self._names.is_secret(str(key), item) or (named and str(key).lower() in _NAMED):
                shown[key] = item if item is None or isinstance(item, bool) else HIDDEN
            else:
                shown[self.text(key) if isinstance(key, str) and len(key) > 16 else key] = self.value(item, depth)
        return shown

    def _items(self, items: list[Any], depth: int) -> list[Any]:
        # The list may have headers as pairs, or be a command line, in which `--token` precedes its value.
        found: list[Any] = []
        for before, item in zip([None, *items], items, strict=False):
            if (
                isinstance(before, str)
                and before.startswith("-")
                and "=" not in before
                and self._names.is_secret(before)
            ):
                found.append(HIDDEN)
            elif before in ("-u", "--user", "--proxy-user") and isinstance(item, str) and ":" in item:
                found.append(f"{item.partition(':')[0]}:{HIDDEN}")
            elif (
                isinstance(item, list)
                and len(item) == 2
                and isinstance(item[0], str)
                and self._names.is_secret(item[0])
            ):
                found.append([item[0], HIDDEN])
            else:
                found.append(self.value(item, depth))
        return found


def _repeats_names(text: str) -> bool:
    """Return whether an object of a JSON text has two values with one name."""
    repeats = False

    def check(pairs: list[tuple[str, object]]) -> None:
        nonlocal repeats
        repeats = repeats or len({name for name, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=check, parse_int=str)
    return repeats


def _is_pattern(rule: str) -> bool:
    return len(rule) > 2 and rule.startswith("/") and rule.endswith("/")


def _compiled(rule: str) -> re.Pattern[str]:
    try:
        return re.compile(rule[1:-1])
    except re.error as error:
        raise InvalidRule(f"{rule!r} is not a valid regular expression: {error}") from None
