"""Follows the links of paths, on the machine of the agent."""

from __future__ import annotations

import os
from collections.abc import Sequence

from signalbox.webapp.coding_agents.path_patterns import MAX_PATH_CHARS, MAX_PATHS, absolute_path


def followed(paths: Sequence[str], cwd: str) -> tuple[str, ...]:
    """Return the paths, relative to `cwd`, as absolute ones with all links followed; at most `MAX_PATHS`.

    May block on slow file systems.
    """
    found = []
    for path in paths[:MAX_PATHS]:
        named = path if os.path.isabs(path) else os.path.join(cwd or "/", path)
        if len(named) > MAX_PATH_CHARS:
            continue  # The rules know the path as named, and no system opens it.
        try:
            found.append(absolute_path(os.path.realpath(named), "/"))
        except (OSError, ValueError):
            continue
    return tuple(found)
