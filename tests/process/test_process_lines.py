"""Test how a command's output is split into lines."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.webapp.process.line_reader import LineReader
from signalbox.webapp.process.output_lines import MAX_LINE, OutputLine


def lines_of(*chunks: bytes) -> list[OutputLine]:
    reader = LineReader()
    lines = [line for chunk in chunks for line in reader.feed(chunk)]
    return lines + list(reader.feed(b"", final=True))


def texts(*chunks: bytes) -> list[str]:
    return [line.text for line in lines_of(*chunks)]


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"no end", ["no end"]),
        (b"\n\n", ["", ""]),
        (b"", []),
        (b"10%\r50%\r100%\ndone\n", ["100%", "done"]),
        (b"10%\r50%\r", ["50%"]),
        (b"bad \xff byte\n", ["bad \ufffd byte"]),
        (b"cut \xe2\x82", ["cut \ufffd"]),
        (b"\x1b[31mred\x1b[0m\n", ["\x1b[31mred\x1b[0m"]),
    ],
)
def test_output_is_split_into_lines(output: bytes, lines: list[str]) -> None:
    assert texts(output) == lines


def test_markers_that_erase_themselves_stay_in_the_log() -> None:
    output = b"travis_fold:start:get.1\r\x1b[0KGet it\nline\ntravis_fold:end:get.1\r\x1b[0Kafter\n"
    assert texts(output) == ["travis_fold:start:get.1", "Get it", "line", "travis_fold:end:get.1", "after"]


@given(st.text(alphabet="aé€\n\r😀", max_size=60), st.lists(st.integers(0, 200), max_size=5))
def test_chunk_boundaries_do_not_change_the_lines(text: str, cuts: list[int]) -> None:
    data = text.encode()
    boundaries = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert lines_of(*(data[a:b] for a, b in itertools.pairwise(boundaries))) == lines_of(data)


def test_a_long_line_is_split_into_pieces() -> None:
    lines = lines_of(b"x" * (2 * MAX_LINE + 5) + b"\nnext\n")
    assert [(len(line.text), line.partial) for line in lines] == [
        (MAX_LINE, True),
        (MAX_LINE, True),
        (5, False),
        (4, False),
    ]


def test_an_endless_line_uses_little_memory() -> None:
    reader = LineReader()
    pieces = sum(len(list(reader.feed(b"x" * 65536))) for _ in range(20))
    assert pieces >= 20 * 65536 // MAX_LINE - 1
