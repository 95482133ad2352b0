"""Patterns with `*` and `?`, matched in linear time.

The texts come from agents, and a slow match would stall the server. A plain translation to a regular expression
backtracks: `*a*b*c*` takes minutes for a long text of `ab`. So a piece between two stars is matched at its first place
only, which finds a match whenever there is one.
"""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(4096)
def wildcards(pattern: str) -> re.Pattern[str]:
    """Return a regular expression for `fullmatch`. `*` stands for any characters, `?` for one."""
    first, *rest = map(_piece, pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def _piece(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)
