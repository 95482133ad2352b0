"""Password hashes of the least cost. A hash of the real cost takes 100 ms of CPU time, and tests make hundreds."""

from __future__ import annotations

from argon2 import PasswordHasher

from signalbox.webapp.auth import login, passwords

REAL_HASHER, REAL_DUMMY_HASH = passwords._hasher, login.DUMMY_HASH
"""The hasher of servers, and the hash with which they compare passwords of unknown addresses."""


def use_quick_hashes() -> None:
    """Let this process hash passwords at the least cost."""
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1)
    login.DUMMY_HASH = passwords.hash_of("nobody has this password")
