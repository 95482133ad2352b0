"""Decides whether a key, variable or flag is the name of a secret, by the words of the setting `redact`."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DIGITS = "0123456789"

MAX_NAME_CHARS = 200
"""Maximum characters of a name. A longer text does not count as a name."""

HARMLESS = frozenset(
    (
        *("count", "counts", "used", "limit", "limits", "budget", "length", "size", "type", "kind", "page", "reset"),
        *(
            "policy",
            "expires",
            "expiry",
            "expired",
            "ttl",
            "required",
            "enabled",
            "valid",
            "usage",
            "total",
            "remaining",
        ),
        *(
            "per",
            "min",
            "max",
            "rate",
            "file",
            "path",
            "manager",
            "field",
            "hint",
            "strength",
            "changed",
            "names",
            "stdin",
        ),
    )
)
"""Last parts of names that describe a secret and do not contain it, such as token_count and password_policy."""

WEAK = frozenset({"pwd", "pass"})
"""Words with another meaning when they are the whole name: PWD is a directory, and tests pass."""


PLURALS = frozenset({"cookies", "passwords", "secrets", "credentials"})
"""Words whose plural also names secrets. `tokens` is missing because it usually counts a model's tokens."""


class Names:
    """The names of secrets that one list of rules defines."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = [parts for word in words if (parts := words_of(word))]
        self._single = {parts[0] for parts in self.words if len(parts) == 1}
        self._several = [parts for parts in self.words if len(parts) > 1]
        self._joined = {"".join(parts) for parts in self._several}
        # A name may end in such a word: PGPASSWORD, authtoken.
        self._endings = tuple(sorted({word for word in self._single if len(word) >= 5} | self._joined))
        self._known: dict[str, bool] = {}

    def is_secret(self, name: str, value: object = None) -> bool:
        """Return whether `name` is the name of a secret. A plural is one only if `value` can be a secret."""
        if not 0 < len(name) <= MAX_NAME_CHARS:
            return False
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= 4096:
                self._known.clear()
            known = self._known[name] = self._is_secret_name(name)
        return known or (isinstance(value, str | list | dict) and not _is_number(value) and self._plural(name))

    def _plural(self, name: str) -> bool:
        parts = words_of(name)
        return bool(parts) and parts[-1] in PLURALS and parts[-1][:-1] in self._single

    def _is_secret_name(self, name: str) -> bool:
        parts = [part.rstrip(_DIGITS) or part for part in words_of(name)]
        if not parts or (len(parts) > 1 and parts[-1] in HARMLESS):
            return False
        for part in parts:
            if part in WEAK:
                if part in self._single and len(parts) > 1 and parts[-1] == part and parts[0] not in ("old", "first"):
                    return True
            elif part in self._single or part.endswith(self._endings):
                return True
        return any(
            parts[start : start + len(several)] == several
            for several in self._several
            for start in range(len(parts) - len(several) + 1)
        )


def words_of(name: str) -> list[str]:
    """Split a name into lower-case words: access_token, accessToken and Access-Token become [access, token]."""
    return [part.lower() for part in _PARTS.split(name) if part]


def _is_number(value: object) -> bool:
    return isinstance(value, str) and value.strip().isdigit()
