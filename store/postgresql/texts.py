"""Texts that PostgreSQL cannot store as they are: those with NUL characters, and keys too long for an index."""

from __future__ import annotations

import hashlib

import msgspec
import psycopg
from psycopg.adapt import AdaptersMap, Buffer
from psycopg.types.string import StrDumperUnknown

NUL = "\U000f0000"
"""Stored instead of a NUL. It is a private-use character, which no text has by accident."""

MAX_KEY_BYTES = 1000
"""Longer keys are shortened. An index entry with all its columns may have 2704 bytes."""

SHORTENED = "…sha256:"
"""Is between the beginning of a shortened key and the hash of the whole key."""


class _TextDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Buffer | None:
        return (obj.replace("\0", NUL) if "\0" in obj else obj).encode()


ADAPTERS = AdaptersMap(psycopg.adapters)
"""The conversions of all connections. A text with a NUL is stored with `NUL` instead."""
ADAPTERS.register_dumper(str, _TextDumper)


def restored(text: str) -> str:
    """Return a text of the database with its NUL characters."""
    return text.replace(NUL, "\0") if NUL in text else text


def stored_key(key: str) -> str:
    """Return the text by which the row of this key is stored and found."""
    encoded = key.encode()
    if len(encoded) <= MAX_KEY_BYTES:
        return key
    return f"{encoded[:200].decode(errors='ignore')}{SHORTENED}{hashlib.sha256(encoded).hexdigest()}"


def full_key(name: str, stored: str, state: str) -> str:
    """Return the key that is stored as `stored`: the field `name` of the row's `state` if it was shortened."""
    try:
        found = msgspec.json.decode(state).get(name)
    except (msgspec.DecodeError, AttributeError, RecursionError):
        return stored
    return found if isinstance(found, str) and stored_key(found) == stored else stored
