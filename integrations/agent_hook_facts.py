"""The facts about a call of a hook that only the machine of the agent knows: see `agent_hook.py`."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATH_KEYS = (b'"file_path"', b'"notebook_path"', b'"absolute_path"', b'"dir_path"', b'"path"', b"*** Begin Patch")

MAX_BODY = 2 * 1024 * 1024
"""Bytes of JSON that are sent. A server accepts 4 MiB, unless its operator decides otherwise."""

MAX_TEXT = 20_000
"""Characters to keep of each text in a longer JSON."""


def facts_of(body: bytes) -> list[tuple[str, str]]:
    """Return the facts about a call as parameters of its request."""
    facts = [("at", f"{time.time():.3f}")]
    try:
        folder = os.getcwd()
        facts += [("branch", branch_of(folder)), ("folder", os.path.realpath(folder)[:4096])]
        facts += [("path", path) for path in paths_of(body, folder)]
    except OSError:
        pass
    return facts


def shortened(body: bytes) -> bytes:
    """Return the JSON with its long texts cut if it is too long to send. Commands, which rules read, stay whole.

    Lone surrogates become `?`: the server would refuse the call, so no rule would decide it.
    """
    if len(body) <= MAX_BODY and b"\\ud" not in body and b"\\uD" not in body:
        return body
    import json

    def cut(value: Any, name: str = "") -> Any:
        if isinstance(value, str) and name != "command":
            return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
        if isinstance(value, dict):
            return {key: cut(one, key) for key, one in value.items()}
        return [cut(one) for one in value] if isinstance(value, list) else value

    try:
        given = json.loads(body)
        return json.dumps(given if len(body) <= MAX_BODY else cut(given), ensure_ascii=False).encode(errors="replace")
    except (ValueError, RecursionError):
        return body


def branch_of(folder: str) -> str:
    """Return the git branch that is checked out in a folder, or ""."""
    for _ in range(50):
        git = os.path.join(folder, ".git")
        try:
            if os.path.isfile(git):
                # A worktree: the file names the folder with its HEAD.
                with open(git, encoding="utf-8") as link:
                    git = os.path.join(folder, link.read(4096).partition("gitdir:")[2].strip())
            with open(os.path.join(git, "HEAD"), encoding="utf-8") as head:
                return head.read(1024).partition("ref: refs/heads/")[2].strip()[:250]
        except (OSError, UnicodeDecodeError):
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
    return ""


def paths_of(body: bytes, folder: str) -> list[str]:
    """Return the paths that a call of a tool names, with all links followed. The server may be another machine."""
    if not any(key in body for key in PATH_KEYS) or b'"tool_input"' not in body:
        return []
    import json

    try:
        arguments = json.loads(body).get("tool_input")
    except (ValueError, AttributeError, RecursionError):
        return []
    if not isinstance(arguments, dict):
        return []
    found = [one for key, one in arguments.items() if f'"{key}"'.encode() in PATH_KEYS and isinstance(one, str)]
    for value in arguments.values():
        if isinstance(value, str) and value.lstrip().startswith("*** Begin Patch"):
            marks = ("*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: ")
            found += [line.partition(": ")[2].strip() for line in value.splitlines() if line.startswith(marks)]
    followed = []
    for path in filter(None, found[:20]):
        try:
            followed.append(os.path.realpath(os.path.join(folder, path))[:4096])
        except ValueError:
            # No system opens a path with a NUL or a lone surrogate. The rules know it as named.
            continue
    return followed
