"""Keeps the TLS settings of HTTP clients.

Each call of `httpx.get` would read the authorities again, which takes more than half of its CPU time.
"""

from __future__ import annotations

import os
import ssl
from typing import Any

from httpx._transports import default

_create = default.create_ssl_context
_kept: dict[str | None, ssl.SSLContext] = {}


def keep_tls_context() -> None:
    """Let the HTTP clients of this process share the settings that they have by default."""
    default.create_ssl_context = _kept_context  # type: ignore[attr-defined]


def _kept_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    if verify is not True or cert is not None or not trust_env:
        return _create(verify=verify, cert=cert, trust_env=trust_env)
    authorities = os.environ.get("SSL_CERT_FILE")
    if authorities not in _kept:
        _kept[authorities] = _create()
    return _kept[authorities]
