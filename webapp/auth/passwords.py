"""Passwords: what is kept of one, and whether one is right.

Each call takes tens of milliseconds and 64 MiB on purpose: from asyncio, in a thread.
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from signalbox.store import InvalidEvent

SHORTEST, LONGEST = 8, 1024

_hasher = PasswordHasher()


def hash_of(password: str) -> str:
    """What is kept of a password: argon2id with a salt of its own. Raises InvalidEvent for one that cannot be used."""
    if not SHORTEST <= len(password) <= LONGEST:
        said = f"the password must have {SHORTEST} to {LONGEST} characters, not {len(password)}"
        raise InvalidEvent(said, "password")
    try:
        return _hasher.hash(_bytes(password))
    except UnicodeEncodeError:
        raise InvalidEvent("the password must be valid Unicode text", "password") from None


def verify(kept: str, password: str) -> bool:
    """Whether this is the password of which `kept` was made. One that is too long to be one is not looked at."""
    if len(password) > LONGEST:
        return False
    try:
        return _hasher.verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def outdated(kept: str) -> bool:
    """Whether `kept` was made with other parameters than those of today: make it anew when the password is at hand."""
    return _hasher.check_needs_rehash(kept)


def _bytes(password: str) -> bytes:
    # The same letters are not the same code points on every keyboard. To normalise takes quadratic time: callers check
    # the length first.
    return unicodedata.normalize("NFC", password).encode()
