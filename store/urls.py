"""URLs of stores in messages: without their passwords."""

from __future__ import annotations

import re

_LOGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/?#@]*:[^/?#]*@", re.I)
_QUERY = re.compile(r"(?P<name>[?&][a-z_]*password=)[^&#]*", re.I)


def without_password(url: str) -> str:
    """Return a URL with `…` instead of a password in its login or in its parameters."""

    def hide(found: re.Match[str]) -> str:
        login = found.group(0).removeprefix(found["scheme"])
        return f"{found['scheme']}{login.partition(':')[0]}:…@"

    return _QUERY.sub(r"\g<name>…", _LOGIN.sub(hide, url))
