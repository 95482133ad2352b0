"""A cheap look at a payload that tells whether it can hold a secret: the rules themselves cost 20 times as much.

The search for a fixed text is the fastest there is, so most hints are fixed texts in lower case. They are searched in
the UTF-8 text of the payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAKEN_FOR_ASCII = ("ſ", "\N{KELVIN SIGN}", "ı", "İ")
"""Characters that equal s, k and i in expressions that ignore case. `bytes.lower` does not change them."""

_SIGNS = (b"_", b"-", b".", b"pass", b"")
"""Texts that many hints contain: where one is missing, none of its hints is searched. Every text contains the last."""


class Hints:
    """What a payload with a secret contains, case aside.

    Each of `groups` has the parts of one name, such as `api` and `key`; a payload that holds a secret of that name has
    all of them. `last_words` count only where no letter follows: `pass`, but not `passed`.
    """

    def __init__(self, groups: Iterable[Iterable[str]], last_words: Iterable[str]) -> None:
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
        self._last_words = [re.compile(re.escape(word).encode() + b"(?![a-z])") for word in last_words]

    def found_in(self, json: bytes) -> bool:
        """Whether `json`, the text of a payload, may hold a secret."""
        text = json.lower()
        for sign, hints in self._alone.items():
            if sign in text:
                for hint in hints:
                    if hint in text:
                        return True
        for group in self._together:
            if all(part in text for part in group):
                return True
        return any(word.search(text) for word in self._last_words)
