"""Random texts that open doors. Only their digests are kept: see `store.people.digest_of`."""

from __future__ import annotations

import secrets

from signalbox.store.people import digest_of

__all__ = ["SESSION_PREFIX", "TOKEN_PREFIX", "digest_of", "new_secret", "new_token"]

TOKEN_PREFIX = "sbx_"
"""Says what it is to whoever finds one, and to what looks for secrets in code."""

SESSION_PREFIX = "sbs_"
"""Before the secret of a session, where a program that has logged in sends it as a bearer token."""


def new_secret() -> str:
    """43 characters that are safe in an address: 256 bits."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """A secret for a program."""
    return TOKEN_PREFIX + new_secret()
