"""Lets the HTTP clients of tests wait longer than the five seconds that httpx waits by default.

A response may take longer on a slow machine. Five seconds would be a time limit of a test that states none.
"""

from __future__ import annotations

from httpx import _config

TIMEOUT_S = 60.0
"""Seconds that a client waits for a connection or a response. The product itself always states its own limits."""


def wait_patiently() -> None:
    """Set the default time limit of the HTTP clients of this process."""
    default = _config.DEFAULT_TIMEOUT_CONFIG
    default.connect = default.read = default.write = default.pool = TIMEOUT_S
