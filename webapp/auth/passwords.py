"""Creates and checks password hashes.

Each call takes tens of milliseconds and 64 MiB by design. Call it from asyncio in a thread.
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from signalbox.store import InvalidEvent

SHORTEST, LONGEST = 8, 1024

_hasher = PasswordHasher()


def hash_of(password: str) -> str:
    """Return the salted argon2id hash of a password. Raises InvalidEvent for a password that is not allowed."""
    if not SHORTEST <= len(password) <= LONGEST:
        message = f"the password must have {SHORTEST} to {LONGEST} characters, not {len(password)}"
        raise InvalidEvent(message, "password")
    try:
        return _hasher.hash(_bytes(password))
    except UnicodeEncodeError:
        raise InvalidEvent("the password must be valid Unicode text", "password") from None


def verify(kept: str, password: str) -> bool:
    """Whether `kept` is the hash of this password. A password over the length limit is not hashed."""
    if len(password) > LONGEST:
        return False
    try:
        return _hasher.verify(kept, _bytes(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def outdated(kept: str) -> bool:
    """Whether `kept` has outdated parameters, so that it should be replaced at the next log-in."""
    return _hasher.check_needs_rehash(kept)


def _bytes(password: str) -> bytes:
    # Keyboards produce different code points for the same letters. Normalisation takes quadratic time, so callers check
    # the length first.
    return unicodedata.normalize("NFC", password).encode()
