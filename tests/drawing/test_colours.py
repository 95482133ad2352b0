"""Every text colour is readable on every background it is used on, light and dark (WCAG 2.2 AA, 4.5 to 1)."""

from __future__ import annotations

import re

import pytest

from signalbox.webapp.http.assets import ROOT

PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", (ROOT / "css/tokens.css").read_text()
    )
}
COLOURS = ("green", "amber", "red", "blue", "magenta", "cyan")
BACKGROUNDS = ("paper", "paper-sunken", *(f"{hue}-wash" for hue in COLOURS))
TEXTS = [(text, ground) for text in ("ink", "ink-soft", *COLOURS) for ground in BACKGROUNDS]
REVERSED = [("paper", "ink"), ("paper", "blue")]


def luminance(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[n : n + 2], 16) / 255) for n in (0, 2, 4))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [*TEXTS, *REVERSED])
def test_text_is_readable(text: str, ground: str, scheme: int) -> None:
    low, high = sorted((luminance(PAIRS[text][scheme]), luminance(PAIRS[ground][scheme])))
    assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("mark", [*COLOURS, "ink-soft"])
def test_icons_and_marks_have_enough_contrast(mark: str, scheme: int) -> None:
    low, high = sorted((luminance(PAIRS[mark][scheme]), luminance(PAIRS["paper"][scheme])))
    assert (high + 0.05) / (low + 0.05) >= 3
