"""The rules of retention.

    {"rules": [
      {"project": "ci", "kind": "lint", "delete_after": 7},
      {"project": "ci", "cold_after": 3, "delete_after": 90, "max_bytes": "20 GB"},
      {"kind": "release", "delete_after": "never"},
      {"cold_after": 30}
    ]}

The times are in days since the end of a task. For each of them, the first rule that matches the task and has this time
counts, and after all rules the setting of the same name. A `max_bytes` limits the sum of all tasks that its rule
matches, whatever other rules say.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from signalbox.store.retention.errors import InvalidRetention
from signalbox.store.retention.sizes import bytes_of

MAX_RULES = 1000
MAX_PATTERN_CHARS = 1000
MAX_DAYS = 36_500
NEVER = "never"

Days = float | str
TimeName = Literal["cold_after", "delete_after"]


class RetentionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule. `project` and `kind` are names; several are separated by `|`, and `*` stands for any characters.

    A pattern that is missing matches every task. The kind `""` matches tasks without a kind. `cold_after` and
    `delete_after` are days, or "never". `max_bytes` is a number of bytes, or a text such as "20 GB".
    """

    project: str | None = None
    kind: str | None = None
    cold_after: Days | None = None
    delete_after: Days | None = None
    max_bytes: int | str | None = None

    def matches(self, project_id: str, kind: str | None) -> bool:
        """Return whether the rule is about tasks of this project and kind."""
        named = ((self.project, project_id), (self.kind, kind or ""))
        return all(pattern is None or _matches_name(pattern, name) for pattern, name in named)

    @property
    def words(self) -> str:
        """The tasks that the rule is about, in words: `project ci, kind lint`."""
        patterns = (("project", self.project), ("kind", self.kind))
        named = [f"{what} {pattern or 'none'}" for what, pattern in patterns if pattern is not None]
        return ", ".join(named) or "all tasks"


class Age(NamedTuple):
    """An age, in days since the end of a task, and the words that name the rule or setting it comes from."""

    days: float
    words: str

    @property
    def seconds(self) -> float:
        """The age in seconds."""
        return self.days * 86_400


class Limit(NamedTuple):
    """A limit on the size of all tasks that a rule matches together. `words` names the rule or setting."""

    max_bytes: int
    words: str
    rule: RetentionRule

    def matches(self, project_id: str, kind: str | None) -> bool:
        """Return whether tasks of this project and kind count."""
        return self.rule.matches(project_id, kind)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[RetentionRule]


class Retention:
    """The rules and plain settings of a server. `text` is a JSON object, or the path of a file with one.

    `cold_after` and `delete_after` are days, and `max_store_bytes` limits all tasks together; 0 means no such setting.
    Raises InvalidRetention.
    """

    def __init__(
        self, text: str = "", *, cold_after: float = 0.0, delete_after: float = 0.0, max_store_bytes: int = 0
    ) -> None:
        self._rules = _read(text.strip())
        if len(self._rules) > MAX_RULES:
            raise InvalidRetention(f"there may be at most {MAX_RULES} rules, not {len(self._rules)}")
        for number, rule in enumerate(self._rules, 1):
            _check(number, rule)
        self._settings: dict[TimeName, float] = {"cold_after": cold_after, "delete_after": delete_after}
        self.limits = [
            Limit(bytes_of(rule.max_bytes, f"max_bytes of rule {number}"), _words(number, rule), rule)
            for number, rule in enumerate(self._rules, 1)
            if rule.max_bytes is not None
        ]
        """The limits on sizes, in the order of their rules, with that of the setting at the end."""
        if max_store_bytes:
            self.limits.append(Limit(max_store_bytes, "the setting max_store_bytes", RetentionRule()))

    def cold_after(self, project_id: str, kind: str | None) -> Age | None:
        """Return the age at which tasks of a project and kind move to cold storage, or None if they do not."""
        return self._age("cold_after", project_id, kind)

    def delete_after(self, project_id: str, kind: str | None) -> Age | None:
        """Return the age at which tasks of a project and kind are deleted, or None if they are kept."""
        return self._age("delete_after", project_id, kind)

    @property
    def shortest_cold_after(self) -> float | None:
        """The least number of days after which any task may move to cold storage, or None if none does."""
        return self._shortest("cold_after")

    @property
    def shortest_delete_after(self) -> float | None:
        """The least number of days after which any task may be deleted because of its age, or None if none is."""
        return self._shortest("delete_after")

    def _age(self, name: TimeName, project_id: str, kind: str | None) -> Age | None:
        for number, rule in enumerate(self._rules, 1):
            days: Days | None = getattr(rule, name)
            if days is not None and rule.matches(project_id, kind):
                return None if days == NEVER else Age(float(days), _words(number, rule))
        return Age(self._settings[name], f"the setting {name}") if self._settings[name] else None

    def _shortest(self, name: TimeName) -> float | None:
        given: list[Days | None] = [getattr(rule, name) for rule in self._rules]
        days = [float(value) for value in given if value is not None and value != NEVER]
        return min([*days, *filter(None, [self._settings[name]])], default=None)


def _read(text: str) -> list[RetentionRule]:
    try:
        content = text if text.startswith("{") else Path(text).read_bytes() if text else '{"rules": []}'
        return msgspec.json.decode(content, type=_File).rules
    except OSError as error:
        raise InvalidRetention(f"they must be a JSON object or the path of a file, and {text!r}: {error}") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidRetention(f"they are not valid: {error}") from None


def _check(number: int, rule: RetentionRule) -> None:
    for name in ("project", "kind"):
        pattern = getattr(rule, name)
        if pattern is not None and len(pattern) > MAX_PATTERN_CHARS:
            raise InvalidRetention(f"{name} of rule {number} must have at most {MAX_PATTERN_CHARS} characters")
    if rule.project is not None and not rule.project.strip():
        raise InvalidRetention(f"project of rule {number} must name a project, such as default; leave it out for all")
    if rule.cold_after is None and rule.delete_after is None and rule.max_bytes is None:
        raise InvalidRetention(f"rule {number} must have cold_after, delete_after or max_bytes")
    for name in ("cold_after", "delete_after"):
        days = getattr(rule, name)
        if days is not None and days != NEVER and not (isinstance(days, int | float) and 0 <= days <= MAX_DAYS):
            raise InvalidRetention(f'{name} of rule {number} must be 0 to {MAX_DAYS} days or "never", not {days!r}')
    cold, deleted = rule.cold_after, rule.delete_after
    if isinstance(cold, int | float) and isinstance(deleted, int | float) and deleted <= cold:
        raise InvalidRetention(
            f"rule {number} deletes after {deleted:g} days, so cold_after must be less, not {cold:g}; leave one out"
        )


def _words(number: int, rule: RetentionRule) -> str:
    return f"rule {number} ({rule.words})"


def _matches_name(pattern: str, name: str) -> bool:
    return any(_glob(one.strip()).fullmatch(name) is not None for one in pattern.split("|"))


@lru_cache(4096)
def _glob(pattern: str) -> re.Pattern[str]:
    first, *others = map(re.escape, pattern.split("*"))
    if not others:
        return re.compile(first)
    # The first place of each part is right if any is. Trying the later ones too would take very long for some names.
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)
