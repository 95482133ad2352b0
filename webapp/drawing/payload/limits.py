"""How much of a payload one response shows. The rest loads in pieces."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """The most characters of one text, values in one list, and characters of HTML in all."""

    text: int
    values: int
    html: int


PAGE = Limits(text=40_000, values=100, html=120_000)
"""For a viewer that a reader opened, and for each piece of it."""

CARD = Limits(text=4_000, values=40, html=12_000)
"""For one of many viewers on a page."""
