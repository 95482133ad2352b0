"""Patterns of paths in rules, and the paths of files that a tool call names.

/srv/app/**    everything below a folder        **/.env    a name in any folder
src/*.py       relative to the session's folder  ~/.ssh/**  in a home folder
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from signalbox.store.composition import composed
from signalbox.webapp.coding_agents.path_matcher import PathMatcher

PATH_KEYS = ("file_path", "notebook_path", "absolute_path", "dir_path", "path")
"""Arguments of tools that name a file or a folder."""

MAX_PATHS = 200

MAX_PATH_CHARS = 4096
"""Characters of a path that a system opens (PATH_MAX of Linux, in bytes)."""

NO_PATH = ""
"""Stands for a path that no system opens: it is too long or has a NUL. Rules that deny or ask match it, others do not.
"""

_PATCH_FILE = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$", re.MULTILINE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def named_paths(arguments: Any, cwd: str) -> list[str]:
    """Return the files that the arguments of a tool name, as absolute paths without `..`.

    NO_PATH stands for those beyond `MAX_PATHS`, so no rule allows a call because of its first ones.
    """
    given = paths_in(arguments)
    return [absolute_path(one, cwd) for one in given[:MAX_PATHS]] + [NO_PATH] * (len(given) > MAX_PATHS)


def paths_in(arguments: Any) -> list[str]:
    """Return the files that the arguments of a tool name, as they name them. A patch names several."""
    if not isinstance(arguments, dict):
        return []
    given = [arguments[key] for key in PATH_KEYS if isinstance(arguments.get(key), str)]
    listed = arguments.get("paths")
    given += [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    for key in ("command", "input", "patch"):
        if isinstance(patch := arguments.get(key), str) and patch.lstrip().startswith("*** Begin Patch"):
            given += _PATCH_FILE.findall(patch)
    return [one for one in given if one]


def absolute_path(path: str, cwd: str) -> str:
    """Return a path as an absolute one, without `.`, `..` and doubled slashes; NO_PATH for one that no system opens.

    Its links are not followed.
    """
    if not (path.startswith("/") or _DRIVE.match(path)):
        path = f"{cwd or '/'}/{path}"
    if len(path) > MAX_PATH_CHARS or "\0" in path:
        return NO_PATH
    path = _slashes(composed(path))
    normal = posixpath.normpath(path)
    return "/" + normal.lstrip("/") if normal.startswith("/") else normal


def matches_path(pattern: str, path: str, folders: Sequence[str], *, any_case: bool = False) -> bool:
    """Return whether an absolute path matches a pattern, relative to one of the folders if it is relative.

    `/srv/app/**` matches the folder itself too.
    """
    bases = [absolute_path(".", folder) for folder in folders] or ["/"]
    return any(_matcher(pattern, base, any_case).matches(path) for base in bases)


def matches_all(pattern: str, paths: Sequence[str], folders: Sequence[str]) -> bool:
    """Return whether there are paths and all of them match."""
    return bool(paths) and all(path != NO_PATH and matches_path(pattern, path, folders) for path in paths)


def matches_any(pattern: str, paths: Sequence[str], folders: Sequence[str]) -> bool:
    """Return whether one of the paths matches, in any case: some file systems do not distinguish `.env` and `.ENV`."""
    return any(path == NO_PATH or matches_path(pattern, path, folders, any_case=True) for path in paths)


@lru_cache(1024)
def _matcher(pattern: str, cwd: str, any_case: bool) -> PathMatcher:
    pattern = composed(pattern)
    if pattern.startswith("~/"):
        return PathMatcher(pattern[1:], in_home=True, any_case=any_case)
    if not (pattern.startswith(("/", "**")) or _DRIVE.match(pattern)):
        pattern = f"{_literal(cwd.rstrip('/'))}/{pattern.removeprefix('./')}"
    return PathMatcher(pattern, in_home=False, any_case=any_case)


def _literal(text: str) -> str:
    return re.sub(r"([*?])", "\x00\\1", text)


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if _DRIVE.match(path) else path
