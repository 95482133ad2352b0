"""Addresses in pages, without the identity of their task."""

from __future__ import annotations

import re


def without_identity(text: str) -> str:
    """Return the text without the parameters `identity`, which differ in every run."""
    return re.sub(r"(?:\?|&(?:amp;)?)identity=[0-9a-f]{16}", "", text)
