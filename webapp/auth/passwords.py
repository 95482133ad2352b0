"""Creates and checks password hashes.

Each call takes tens of milliseconds and 64 MiB by design. Call it from asyncio in a thread.
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from signalbox.store import InvalidEvent

MIN_LENGTH, MAX_LENGTH = 8, 1024

_hasher = PasswordHasher()


def hash_of(password: str) -> str:
    """Return the salted argon2id hash of a password. Raises InvalidEvent for a password that is not allowed."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        message = f"the password must have {MIN_LENGTH} to {MAX_LENGTH} characters, not {len(password)}"
        raise InvalidEvent(message, "password")
    try:
        return _hasher.hash(_bytes(password))
    except UnicodeEncodeError:
        raise InvalidEvent("the password must be valid Unicode text", "password") from None


def verify(stored_hash: str, password: str) -> bool:
    """Return whether `stored_hash` is the hash of this password. A password over the length limit is not hashed."""
    if len(password) > MAX_LENGTH:
        return False
    try:
        return _hasher.verify(stored_hash, _bytes(password))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def is_outdated(stored_hash: str) -> bool:
    """Return whether `stored_hash` has outdated parameters and should be replaced at the next log-in."""
    return _hasher.check_needs_rehash(stored_hash)


def _bytes(password: str) -> bytes:
    # Keyboards produce different code points for the same letters. Normalisation takes quadratic time, so callers check
    # the length first.
    return unicodedata.normalize("NFC", password).encode()
