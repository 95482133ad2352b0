"""Random secrets of sessions and tokens. The store keeps only their digests; see `store.people.digest_of`."""

from __future__ import annotations

import secrets

from signalbox.store.people import digest_of

__all__ = ["SESSION_PREFIX", "TOKEN_PREFIX", "digest_of", "new_secret", "new_token"]

TOKEN_PREFIX = "sbx_"
"""The prefix of tokens, by which people and secret scanners recognise them."""

SESSION_PREFIX = "sbs_"
"""The prefix of a session secret that a program sends as a bearer token."""


def new_secret() -> str:
    """Return a random secret of 256 bits, as 43 characters that are safe in a URL."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    """Return the secret of a token."""
    return TOKEN_PREFIX + new_secret()
