"""Constants of the product, which a test may change only for itself: the tests after it run in the same process."""

from __future__ import annotations

import sys
from typing import Any

Constants = dict[tuple[str, str], Any]
"""Values by the names of their module and of themselves."""

_PLAIN = (int, float, str, bytes, tuple, frozenset, type(None))


def constants() -> Constants:
    """Return the constants of all loaded modules of the product, without those that are objects."""
    return {
        (module, name): value
        for module, loaded in list(sys.modules.items())
        if module.startswith("signalbox.")
        for name, value in list(vars(loaded).items())
        if name.isupper() and isinstance(value, _PLAIN)
    }


def changed(before: Constants) -> list[str]:
    """Return which constants differ from `before`, which then has the values of now: each change is named once."""
    now = constants()
    found = [
        f"{module}.{name} is {now[module, name]!r}, and was {value!r}"
        for (module, name), value in before.items()
        if (module, name) in now and now[module, name] is not value and now[module, name] != value
    ]
    before.update(now)
    return found
