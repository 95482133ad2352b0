"""Texts are composed as Unicode says, and in linear time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store.composition import PIECE_CHARS, composed
from signalbox.store.search import snippet_of


@given(st.text(st.characters(categories=("L", "M", "N", "P", "Zs")), max_size=3 * PIECE_CHARS))
def test_a_text_is_composed_as_a_whole(text: str) -> None:
    assert composed(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "unit", ["a\u0301\u0316", "\u1100\u1161\u11a8", "\u0995\u09c7\u09be", "日本\u304b\u3099", "x" * 127 + "é"]
)
def test_no_piece_ends_within_a_letter(unit: str) -> None:
    for shift in range(6):
        text = "x" * shift + unit * PIECE_CHARS
        assert composed(text) == unicodedata.normalize("NFC", text)


def test_a_long_run_of_marks_takes_no_time() -> None:
    began = time.thread_time()
    assert len(composed("a" + "\u0301\u0316" * 50_000)) > 99_000
    assert time.thread_time() - began < 3


@pytest.mark.parametrize(
    "text",
    ["\u0301\u0316" * 8000, "ß" * 16_000, "ä" * 16_000, "ß" + "aab" * 5000],
    ids=("marks", "all expand", "none expands", "one expands"),
)
def test_the_snippet_of_a_long_text_takes_no_time(text: str) -> None:
    began = time.thread_time()
    for _ in range(10):
        snippet = snippet_of(f"{text} the end", "the end")
        assert snippet.parts[1] == "the end"
        assert snippet.cut_before
        snippet_of(text, "aab")
    assert time.thread_time() - began < 1
