"""Ask whether the measured version has a part: older versions do not have all that the bench measures."""

from __future__ import annotations

from importlib.util import find_spec


def has(module: str) -> bool:
    """Return whether the measured version has this module. A scenario for a missing one yields no rows."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
