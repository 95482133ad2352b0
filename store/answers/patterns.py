"""Searches for a regular expression in a process of its own, because a hostile expression may take forever.

Python cannot interrupt a search, and no other thread runs meanwhile. A process can be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys

MAX_PATTERN_CHARS = 500
SECONDS_PER_SEARCH = 1.0

_SEARCH = "import json, re, sys; pattern, text = json.load(sys.stdin); print(bool(re.search(pattern, text)))"


class PatternTimeout(Exception):
    """The search took longer than `SECONDS_PER_SEARCH`."""


def is_found(pattern: str, text: str) -> bool:
    """Return whether `pattern` matches somewhere in `text`. Raises PatternTimeout. Blocks the calling thread."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _SEARCH],
            input=json.dumps([pattern, text]),
            capture_output=True,
            text=True,
            timeout=SECONDS_PER_SEARCH,
        )
    except subprocess.TimeoutExpired:
        raise PatternTimeout from None
    return done.stdout.strip() == "True"
