"""Names that only the server itself gives: a caller who could give them would speak for it."""

from __future__ import annotations

import re
import unicodedata

from signalbox.store.errors import InvalidEvent

RESERVED_KINDS = frozenset({"agent"})
"""Kinds of tasks that the server starts: it trusts what it finds under them."""

RESERVED_WORDS = frozenset({"nobody", "signalbox", "supervisor", "system", "user"})
"""Words by which pages and audits call people and the server itself."""

_WORD = re.compile(r"[^\W_]+")


def is_reserved_kind(kind: str | None) -> bool:
    """Return whether only the server makes tasks of this kind, however it is written."""
    return kind is not None and _plain(kind).strip() in RESERVED_KINDS


def check_kind(kind: str | None) -> None:
    """Raise InvalidEvent for a kind that only the server gives."""
    if is_reserved_kind(kind):
        raise InvalidEvent(f"kind must not be {kind!r}: only the server starts runs of this kind", "kind")


def check_token_name(name: str) -> None:
    """Raise InvalidEvent for the name of a token that could be taken for a person or for the server itself."""
    plain = _plain(name)
    if "@" in plain:
        raise InvalidEvent("name must not contain @: a token is no person", "name")
    if not name.isprintable() or name != name.strip():
        raise InvalidEvent("name must not contain invisible characters, or begin or end with a space", "name")
    if taken := sorted(RESERVED_WORDS.intersection(_WORD.findall(plain))):
        told = ", ".join(sorted(RESERVED_WORDS))
        raise InvalidEvent(f"name must not contain the word {taken[0]!r}: reserved words are {told}", "name")


def sounds_like_a_person(actor: str) -> bool:
    """Return whether a reader could take this for a person, or for the server itself."""
    plain = _plain(actor)
    return "@" in plain or not RESERVED_WORDS.isdisjoint(_WORD.findall(plain))


def _plain(text: str) -> str:
    """Return the text without differences that a reader does not see; at most 512 characters are looked at."""
    visible = "".join(c for c in unicodedata.normalize("NFKC", text[:512]) if unicodedata.category(c) != "Cf")
    return visible.casefold()
