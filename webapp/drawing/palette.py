"""The sixteen colours of a terminal, and a readable text colour for each as a background.

`css/tokens.css` has the same values as `--terminal-0` to `--terminal-15`. The light and the dark theme share them,
because each background has its own text colour.
"""

from __future__ import annotations

from functools import lru_cache

TERMINAL = (
    *("000000", "b3261e", "156537", "7d5100", "2355b5", "86369a", "0a6473", "e4e2dc"),
    *("5a5a5a", "ff8a80", "66c690", "e8c15a", "92b8ff", "dd9aee", "6fc7d6", "ffffff"),
)
BLACK, GREY, WHITE = 0, 7, 15
READABLE = 4.5
"""The contrast that WCAG 2.2 AA requires of text."""

_PURE = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)),
    *((85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85)),
    *((85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255)),
)
"""The sixteen VGA colours. Other colours become the nearest of them."""


@lru_cache(maxsize=512)
def text_on(ground: int, text: int | None) -> int:
    """Return a readable colour for text on a background: its own, its lighter or darker variant, or black or white."""
    wanted = () if text is None else (text, text ^ 8)
    for colour in wanted:
        if contrast(colour, ground) >= READABLE:
            return colour
    return max((WHITE, BLACK), key=lambda colour: contrast(colour, ground))


def contrast(one: int, other: int) -> float:
    """Return the contrast of two of the colours, from 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: int) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(TERMINAL[colour][n : n + 2], 16) / 255) for n in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def indexed(index: int) -> int | None:
    """Return the nearest of the sixteen colours for one of the 256 colours; None if there is no such colour."""
    if index < 16:
        return index
    if index < 232:
        steps = (0, 95, 135, 175, 215, 255)
        cube = index - 16
        return nearest(steps[cube // 36], steps[cube // 6 % 6], steps[cube % 6])
    return nearest(*[8 + 10 * (index - 232)] * 3) if index < 256 else None


@lru_cache(maxsize=1024)
def nearest(red: int, green: int, blue: int) -> int | None:
    """Return the nearest of the sixteen colours; None if a part is over 255."""
    if max(red, green, blue) > 255:
        return None
    return min(range(16), key=lambda n: sum((a - b) ** 2 for a, b in zip(_PURE[n], (red, green, blue), strict=True)))
