"""Patterns of paths in rules, and the paths of files that a tool call names.

/srv/app/**    everything below a folder        **/.env    a name in any folder
src/*.py       relative to the session's folder  ~/.ssh/**  in a home folder
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

PATH_KEYS = ("file_path", "notebook_path", "absolute_path", "dir_path", "path")
"""Arguments of tools that name a file or a folder."""

MAX_PATHS = 200

_PATCH_FILE = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$", re.MULTILINE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HOMES = r"(?:/root|/home/[^/]+|/Users/[^/]+|[A-Za-z]:/Users/[^/]+)"


def named_paths(arguments: Any, cwd: str) -> list[str]:
    """Return the files that the arguments of a tool name, as absolute paths without `..`."""
    return [absolute_path(one, cwd) for one in paths_in(arguments)]


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
    return [one for one in given[:MAX_PATHS] if one]


def absolute_path(path: str, cwd: str) -> str:
    """Return a path as an absolute one, without `.`, `..` and doubled slashes. Its links are not followed."""
    path, cwd = _slashes(unicodedata.normalize("NFC", path)), _slashes(unicodedata.normalize("NFC", cwd))
    if not (path.startswith("/") or _DRIVE.match(path)):
        path = f"{cwd or '/'}/{path}"
    normal = posixpath.normpath(path)
    return "/" + normal.lstrip("/") if normal.startswith("/") else normal


def matches_path(pattern: str, path: str, folders: Sequence[str], *, any_case: bool = False) -> bool:
    """Return whether an absolute path matches a pattern, relative to one of the folders if it is relative.

    `/srv/app/**` matches the folder itself too.
    """
    bases = [absolute_path(".", folder) for folder in folders] or ["/"]
    return any(_pattern(pattern, base, any_case).fullmatch(path) for base in bases)


def matches_all(pattern: str, paths: Sequence[str], folders: Sequence[str]) -> bool:
    """Return whether there are paths and all of them match."""
    return bool(paths) and all(matches_path(pattern, path, folders) for path in paths)


def matches_any(pattern: str, paths: Sequence[str], folders: Sequence[str]) -> bool:
    """Return whether one of the paths matches, in any case: some file systems do not distinguish `.env` and `.ENV`."""
    return any(matches_path(pattern, path, folders, any_case=True) for path in paths)


@lru_cache(1024)
def _pattern(pattern: str, cwd: str, any_case: bool) -> re.Pattern[str]:
    pattern = unicodedata.normalize("NFC", pattern)
    home, rest = "", pattern
    if pattern.startswith("~/"):
        home, rest = _HOMES, pattern[1:]
    elif not (pattern.startswith(("/", "**")) or _DRIVE.match(pattern)):
        rest = f"{_literal(cwd.rstrip('/'))}/{pattern.removeprefix('./')}"
    below = rest.endswith("/**")
    inner = "".join(
        map(_part, re.split(r"(\x00.|/\*\*/|\*\*/|\*\*|\*|\?)", rest.removesuffix("/**") if below else rest))
    )
    flags = re.DOTALL | (re.IGNORECASE if any_case else 0)
    return re.compile(home + inner + ("(?:/.*)?" if below else ""), flags)


def _part(part: str) -> str:
    known = {"/**/": "/(?:.*/)?", "**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in known:
        return known[part]
    return re.escape(part[1:] if part.startswith("\x00") else part)


def _literal(text: str) -> str:
    return re.sub(r"([*?])", "\x00\\1", text)


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if _DRIVE.match(path) else path
