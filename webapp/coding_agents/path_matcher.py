"""A path pattern, matched in linear time: paths come from agents, and a slow match would stall the server.

The matcher keeps all places of the path that the pattern can have reached, as the bits of one integer, and so never
goes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

Step = Callable[["PathText", int], int]
"""Takes a path and the places that were reached, and returns the places after one part of the pattern."""

_PARTS = re.compile(r"(\x00.|/\*\*/|\*\*/|\*\*|\*|\?)")
_HOMES = re.compile(r"/root|/home/[^/]+|/Users/[^/]+|[A-Za-z]:/Users/[^/]+")
_HOMES_IN_ANY_CASE = re.compile(_HOMES.pattern, re.IGNORECASE)


class PathText:
    """A path, with its places as integers: bit n is the place before character n."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all = (1 << len(text) + 1) - 1
        self.slashes = int("0" + "".join("1" if character == "/" else "0" for character in reversed(text)), 2)
        self.others = self.all >> 1 & ~self.slashes

    def places_of(self, piece: str, among: int) -> Iterator[int]:
        """Yield the places among `among` at which `piece` stands."""
        if among.bit_count() <= 4:
            yield from (at for at in _bits(among) if self.text.startswith(piece, at))
            return
        at = self.text.find(piece)
        while at >= 0:
            if among >> at & 1:
                yield at
            at = self.text.find(piece, at + 1)


class PathMatcher:
    """Matches whole paths. In `pattern` a NUL precedes a character that stands for itself."""

    def __init__(self, pattern: str, *, in_home: bool, any_case: bool) -> None:
        below = pattern.endswith("/**")
        self._any_case = any_case
        inner = pattern.removesuffix("/**") if below else pattern
        self._steps: list[Step] = [_home_in_any_case if any_case else _home] if in_home else []
        literal = ""
        for part in _PARTS.split(inner):
            if part in _WILD:
                self._add_literal(literal)
                self._steps.append(_WILD[part])
                literal = ""
            else:
                literal += part[1:] if part.startswith("\x00") else part
        self._add_literal(literal)
        if below:
            self._steps.append(_below)

    def matches(self, path: str) -> bool:
        """Return whether the pattern matches the whole path."""
        text, reached = _path_text(_folded(path) if self._any_case else path), 1
        for step in self._steps:
            reached = step(text, reached)
            if not reached:
                return False
        return bool(reached >> len(text.text) & 1)

    def _add_literal(self, piece: str) -> None:
        if not piece:
            return
        piece = _folded(piece) if self._any_case else piece

        def step(path: PathText, reached: int) -> int:
            return sum(1 << at + len(piece) for at in path.places_of(piece, reached))

        self._steps.append(step)


_path_text = lru_cache(512)(PathText)


def _one(path: PathText, reached: int) -> int:
    return (reached & path.others) << 1


def _within_folder(path: PathText, reached: int) -> int:
    # In each run of characters that are no slash, the addition carries from the first reached place to the end.
    return ((reached & path.others) + path.others) ^ path.others | reached


def _anything(path: PathText, reached: int) -> int:
    return _from_lowest(path, reached)


def _folders(path: PathText, reached: int) -> int:
    """Reach the same places, and those after each later slash."""
    return reached | (path.slashes & _from_lowest(path, reached)) << 1


def _slash_folders(path: PathText, reached: int) -> int:
    return _folders(path, (reached & path.slashes) << 1)


def _below(path: PathText, reached: int) -> int:
    """Reach the end from the end itself, or from a slash."""
    end = 1 << len(path.text)
    return end if reached & (path.slashes | end) else 0


def _home(path: PathText, reached: int) -> int:
    found = _HOMES.match(path.text)
    return 1 << found.end() if found else 0


def _home_in_any_case(path: PathText, reached: int) -> int:
    found = _HOMES_IN_ANY_CASE.match(path.text)
    return 1 << found.end() if found else 0


_WILD: dict[str, Step] = {
    "/**/": _slash_folders,
    "**/": _folders,
    "**": _anything,
    "*": _within_folder,
    "?": _one,
}


def _from_lowest(path: PathText, reached: int) -> int:
    """Return all places from the lowest reached one on."""
    return path.all & ~((reached & -reached) - 1) if reached else 0


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def _folded(text: str) -> str:
    """Return `text` without case and with the same number of characters."""
    folded = text.casefold()
    return folded if len(folded) == len(text) else "".join(map(_folded_character, text))


def _folded_character(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character
