"""Changes the `hooks` of a settings file as text, so that everything else in the file stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

HOOKS = "hooks"
BOM = "\ufeff"
_SPACE = re.compile(r"[ \t\r\n]*")
_INDENT = re.compile(r"^([ \t]+)\"", re.MULTILINE)

Entries = dict[str, list[dict[str, Any]]]
"""The hooks of an agent: for each event a list of groups `{"matcher"?, "hooks": [{"type", "command", …}]}`."""


class UnreadableSettings(ValueError):
    """The settings are not as the agent needs them. The message says what is wrong and where."""


def with_hooks(text: str, entries: Entries, is_ours: Callable[[dict[str, Any]], bool]) -> str:
    """Return the settings with our hooks replaced by `entries`. Raises UnreadableSettings."""
    before = hooks_in(text)
    ours = {event: [group for group in groups if _has_ours(group, is_ours)] for event, groups in before.items()}
    if {event: groups for event, groups in ours.items() if groups} == entries:
        return text
    hooks = _without_ours(before, is_ours)
    for event, groups in entries.items():
        hooks[event] = [*hooks.get(event, []), *groups]
    return _replaced(text, hooks)


def without_hooks(text: str, is_ours: Callable[[dict[str, Any]], bool]) -> str:
    """Return the settings without our hooks; events without a hook disappear too. Raises UnreadableSettings."""
    before = hooks_in(text)
    hooks = _without_ours(before, is_ours)
    return text if hooks == before else _replaced(text, hooks or None)


def hooks_in(text: str) -> Entries:
    """Return the hooks of the settings. Raises UnreadableSettings."""
    settings = _parsed(text)
    hooks = settings.get(HOOKS, {})
    if not isinstance(hooks, dict):
        raise UnreadableSettings(f"its {HOOKS!r} must be an object, not {_kind(hooks)}")
    for event, groups in hooks.items():
        if isinstance(groups, list) and all(isinstance(group, dict) for group in groups):
            continue
        if event in ("enabled", "disabled"):
            continue  # Gemini CLI has switches here.
        raise UnreadableSettings(f"the hooks of {event!r} must be a list of objects, not {_kind(groups)}")
    return dict(hooks)


def _has_ours(group: Any, is_ours: Callable[[dict[str, Any]], bool]) -> bool:
    own = group.get("hooks") if isinstance(group, dict) else None
    return isinstance(own, list) and any(isinstance(one, dict) and is_ours(one) for one in own)


def _without_ours(hooks: Entries, is_ours: Callable[[dict[str, Any]], bool]) -> Entries:
    found: Entries = {}
    for event, groups in hooks.items():
        if not isinstance(groups, list):
            found[event] = groups
            continue
        kept = []
        for group in groups:
            own = group.get("hooks")
            others = (
                [one for one in own if not (isinstance(one, dict) and is_ours(one))] if isinstance(own, list) else own
            )
            if others or others == own:
                kept.append(group if others == own else {**group, "hooks": others})
        if kept or not groups:
            found[event] = kept
    return found


def _replaced(text: str, hooks: Entries | None) -> str:
    mark, body = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    newline = "\r\n" if "\r\n" in body else "\n"
    if not body.strip():
        return mark + (_dumped({HOOKS: hooks}, "  ", newline, 0) + newline if hooks else body)
    indent = found[1] if (found := _INDENT.search(body)) else "  "
    spans = _members(body)
    if HOOKS in spans:
        key, start, end = spans[HOOKS]
        if hooks is not None:
            return mark + body[:start] + _dumped(hooks, indent, newline, 1) + body[end:]
        return mark + _without_member(body, key, end)
    if hooks is None:
        return text
    added = f'"{HOOKS}": {_dumped(hooks, indent, newline, 1)}'
    if spans:
        at = max(end for _, _, end in spans.values())
        return f"{mark}{body[:at]},{newline}{indent}{added}{body[at:]}"
    at = body.index("{") + 1
    return f"{mark}{body[:at]}{newline}{indent}{added}{newline}{body[body.rindex('}') :]}"


def _without_member(body: str, key: int, end: int) -> str:
    """Return the object without the member from `key` to `end`, and without the comma that it needs no more."""
    before = body[:key].rstrip()
    if before.endswith(","):
        return before[:-1] + body[end:]
    after = _SPACE.match(body, end)
    at = after.end() if after else end
    if body[at : at + 1] == ",":
        rest = _SPACE.match(body, at + 1)
        return body[:key] + body[rest.end() if rest else at + 1 :]
    return before + body[end:]


def _members(body: str) -> dict[str, tuple[int, int, int]]:
    """Return the places of the members of the top object: the start of the key, and the start and end of the value."""
    decoder, found = json.JSONDecoder(), dict[str, tuple[int, int, int]]()
    at = body.index("{") + 1
    while True:
        at = _after_space(body, at)
        if body[at] == "}":
            return found
        if body[at] == ",":
            at = _after_space(body, at + 1)
        key_start = at
        key, at = scanstring(body, at + 1)
        start = _after_space(body, _after_space(body, at) + 1)
        _, at = decoder.raw_decode(body, start)
        found[key] = (key_start, start, at)


def _after_space(body: str, at: int) -> int:
    found = _SPACE.match(body, at)
    return found.end() if found else at


def _parsed(text: str) -> dict[str, Any]:
    body = text.removeprefix(BOM)
    if not body.strip():
        return {}
    try:
        settings = json.loads(body, object_pairs_hook=_checked_object)
    except json.JSONDecodeError as error:
        raise UnreadableSettings(f"it is not valid JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise UnreadableSettings("it is nested too deeply") from None
    if not isinstance(settings, dict):
        raise UnreadableSettings(f"it must be a JSON object, not {_kind(settings)}")
    return settings


def _checked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UnreadableSettings(f"it has the key {twice!r} twice")
    return dict(pairs)


def _dumped(value: Any, indent: str, newline: str, level: int) -> str:
    lines = json.dumps(value, indent=indent, ensure_ascii=False).split("\n")
    return (newline + indent * level).join(lines)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
