"""Names that only the server may use: with one of them, a caller could impersonate the server or a person."""

from __future__ import annotations

import re
import unicodedata

from signalbox.store.errors import InvalidEvent

RESERVED_KINDS = frozenset({"agent"})
"""Kinds of tasks that only the server creates. It trusts tasks of these kinds."""

RESERVED_WORDS = frozenset({"nobody", "signalbox", "supervisor", "system", "user"})
"""Words that pages and audits use for people and for the server."""

_WORD = re.compile(r"[^\W_]+")


def is_reserved_kind(kind: str | None) -> bool:
    """Return whether only the server may create tasks of this kind, in any spelling."""
    return kind is not None and _plain(kind).strip() in RESERVED_KINDS


def check_kind(kind: str | None) -> None:
    """Raise InvalidEvent for a reserved kind."""
    if is_reserved_kind(kind):
        raise InvalidEvent(f"kind must not be {kind!r}: only the server starts runs of this kind", "kind")


def check_token_name(name: str) -> None:
    """Raise InvalidEvent for a token name that could be mistaken for a person or for the server."""
    plain = _plain(name)
    if "@" in plain:
        raise InvalidEvent("name must not contain @: a token is no person", "name")
    if not name.isprintable() or name != name.strip():
        raise InvalidEvent("name must not contain invisible characters, or begin or end with a space", "name")
    if taken := sorted(RESERVED_WORDS.intersection(_WORD.findall(plain))):
        words = ", ".join(sorted(RESERVED_WORDS))
        raise InvalidEvent(f"name must not contain the word {taken[0]!r}: reserved words are {words}", "name")


def sounds_like_a_person(actor: str) -> bool:
    """Return whether a reader could mistake this for a person or for the server."""
    plain = _plain(actor)
    return "@" in plain or not RESERVED_WORDS.isdisjoint(_WORD.findall(plain))


def _plain(text: str) -> str:
    """Return the first 512 characters without differences that are invisible to a reader."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text[:512]) if unicodedata.category(c) != "Cf")
    return visible.casefold()
