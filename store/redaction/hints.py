"""A cheap test of whether a payload can contain a secret. Applying the rules costs 20 times as much.

Searching for a fixed text is fastest, so most hints are fixed texts in lower case. They are searched in the UTF-8 text
of the payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAKEN_FOR_ASCII = ("ſ", "\N{KELVIN SIGN}", "ı", "İ")
"""Characters that match s, k and i in expressions that ignore case, although `bytes.lower` does not change them."""

_SIGNS = (b"_", b"-", b".", b"pass", b"")
"""Texts that many hints contain. If a payload lacks one, the hints that contain it are skipped. "" always matches."""


class Hints:
    """Texts of which every payload with a secret contains at least one, ignoring case.

    Each group has the parts of one name, such as `api` and `key`: a payload with a secret of that name contains all of
    them. `ending_words` match only where no letter follows: `pass`, but not `passed`.
    """

    def __init__(self, groups: Iterable[Iterable[str]], ending_words: Iterable[str]) -> None:
        encoded = sorted({tuple(part.lower().encode() for part in group) for group in groups}, key=lambda g: len(g[0]))
        alone = [character.encode() for character in _TAKEN_FOR_ASCII]
        for group in encoded:
            if len(group) == 1 and not any(shorter in group[0] for shorter in alone):
                alone.append(group[0])
        self._alone: dict[bytes, list[bytes]] = {}
        for hint in alone:
            sign = next(sign for sign in _SIGNS if sign in hint)
            self._alone.setdefault(sign, []).append(hint)
        self._together = [group for group in encoded if len(group) > 1]
        self._ending_words = [re.compile(re.escape(word).encode() + b"(?![a-z])") for word in ending_words]

    def found_in(self, json: bytes) -> bool:
        """Return whether `json`, the text of a payload, may contain a secret."""
        text = json.lower()
        for sign, hints in self._alone.items():
            if sign in text:
                for hint in hints:
                    if hint in text:
                        return True
        for group in self._together:
            if all(part in text for part in group):
                return True
        return any(word.search(text) for word in self._ending_words)
