"""Paths of spans, so that the spans of two runs can be matched by name."""

from __future__ import annotations

WITHIN = 5
"""How many ancestors of a span are named."""

Path = int
"""The number by which `Paths` knows a path: the names of the ancestors of a span, then its own name."""


class Paths:
    """The paths of the spans of two runs, each stored once.

    A path is stored as its parent path, a name, and a count of that name below the parent, because whole paths of a
    deep tree would take quadratic space. 0 is the empty path.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Path, str, int]] = [(0, "", 0)]
        self._known: dict[tuple[Path, str, int], Path] = {}

    def step(self, above: Path, label: str, nth: int) -> Path:
        """Return the path of the `nth` span named `label` below `above`."""
        key = above, label, nth
        if key not in self._known:
            self._known[key] = len(self._steps)
            self._steps.append(key)
        return self._known[key]

    def name(self, path: Path) -> str:
        """Return the name of the span."""
        return self._steps[path][1]

    def within(self, path: Path) -> tuple[str, ...]:
        """Return the names of its ancestors, the nearest last; of a long path only the nearest WITHIN."""
        names: list[str] = []
        above = self._steps[path][0]
        while above and len(names) < WITHIN:
            names.insert(0, self._steps[above][1])
            above = self._steps[above][0]
        return ("…", *names) if above else tuple(names)
