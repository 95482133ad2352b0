"""URLs of stores in messages: without their passwords."""

from __future__ import annotations

import re

ENCODE = "special characters in a password must be percent-encoded, such as %2F for a slash"
"""The likely cause of a URL with a login that cannot be parsed."""

# Up to the last `@`, because a password that was not percent-encoded may contain every character.
_LOGIN = re.compile(r"(?P<start>://[^:@/?#]*):.*@", re.S)
_QUERY = re.compile(r"(?P<name>[?&][a-z_]*password=)[^&#]*", re.I)
# What else a person may give instead of a URL: `postgresql:user:password@host`, or `host=… password=…`.
_NO_URL = re.compile(r":.*@|(?<=password)\s*=.*", re.S | re.I)


LEFT_OUT = "…"
"""Stands for a password that was left out."""


def without_password(url: str) -> str:
    """Return a URL with `…` instead of a password in its login or in its parameters."""
    if "://" not in url:
        return _NO_URL.sub(LEFT_OUT, url)
    return _QUERY.sub(rf"\g<name>{LEFT_OUT}", _LOGIN.sub(rf"\g<start>:{LEFT_OUT}@", url))
