"""Compare the lines of a command's output with the screen of `pyte`, a terminal emulator."""

from __future__ import annotations

import re
import time

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.webapp.process.line_reader import HOLD, HOLD_REDRAWN, LineReader
from signalbox.webapp.process.output_lines import MAX_LINE, OutputLine
from signalbox.webapp.process.row import MAX_MARKS
from tests.support.examples import examples

WIDTH, HEIGHT = 40, 12


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


def read(*chunks: bytes | str, columns: int | None = WIDTH) -> list[OutputLine]:
    reader = LineReader(columns, HEIGHT, Clock())
    data = [chunk.encode() if isinstance(chunk, str) else chunk for chunk in chunks]
    return [line for chunk in data for line in reader.feed(chunk)] + reader.feed(b"", final=True)


def plain(text: str) -> str:
    return re.sub(r"\x1b(?:\[[0-9;:]*m|\]8;;[^\x1b]*\x1b\\)", "", text)


def terminal_lines(output: str) -> list[str]:
    """Return the lines that `pyte` shows. As on a terminal, a newline also returns the cursor to the first column."""
    screen = pyte.Screen(WIDTH, 200)
    pyte.Stream(screen).feed(output.replace("\n", "\r\n"))
    rows = [row.rstrip() for row in screen.display]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ("abc\r\x1b[B\n", ["abc"]),
        ("abc\r\x1b[?25h\n", ["abc"]),
        ("layer1: Pushed \r\x1b[1B\n", ["layer1: Pushed"]),
        ("abcdef\rxy\nabc\r\x1b[K\n", ["xycdef", ""]),
        ("\x1b[31mabc\rde\x1b[0m\n", ["\x1b[31mdec\x1b[0m"]),
        ("wheel -\b \b\\\b \bdone\n50%\b\b\b60%\n", ["wheel done", "60%"]),
        ("- build\x1b[2K\x1b[1G\\ build\x1b[2K\x1b[1Gdone build\n", ["done build"]),
        ("a: 0%\nb: 0%\n\x1b[2A\x1b[2Ka: 50%\n\x1b[2Kb: 50%\nend\n", ["a: 50%", "b: 50%", "end"]),
        (
            "\x1b[31mError: first\nsecond\x1b[0m\nplain\n",
            ["\x1b[31mError: first\x1b[0m", "\x1b[31msecond\x1b[0m", "plain"],
        ),
        (
            "\x1b]8;;https://a.example\x1b\\one\ntwo\x1b]8;;\x1b\\ three\n",
            [
                "\x1b]8;;https://a.example\x1b\\one\x1b]8;;\x1b\\",
                "\x1b]8;;https://a.example\x1b\\two\x1b]8;;\x1b\\ three",
            ],
        ),
        ("\x1b[7;32m PASS \x1b[0m\n", ["\x1b[7;32m PASS \x1b[0m"]),
        ("a\tb\n12345678\tc\n", ["a       b", "12345678        c"]),
        ("漢字漢\r\x1b[2Cx\n", ["漢x漢".replace("x", "x ")]),
        ("before\n\x1b[?1049hfull screen\x1b[2J\x1b[5;5Hx\x1b[?1049lafter\n", ["before", "after"]),
        ("cut \x1b[38;5;", ["cut"]),
        ("\x1bP1$qm\x1b\\text\x1b]0;title\x07\n", ["text"]),
        ("x" * 100 + "\n" + "y" * 100, ["x" * 100, "y" * 100]),
    ],
)
def test_lines_match_what_a_terminal_shows(output: str, lines: list[str]) -> None:
    assert [line.text for line in read(output)] == lines
    # The result is the same for any chunk boundaries.
    assert [line.text for line in read(*output)] == lines


PIECES = st.one_of(
    st.text("abc xyz", min_size=1, max_size=12),
    st.sampled_from(["漢", "é", "\r", "\b", "\t", "\x07", "\x1b[m", "\x1b[1;31m", "\x1b[48;5;7m", "\x1b[39m"]),
    st.builds("\x1b[{}{}".format, st.integers(0, 9), st.sampled_from("CDGP@XG")),
    st.sampled_from(["\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b7\r\x1b8", "\x1b[4h", "\x1b[4l"]),
)


@pytest.mark.examples
@settings(max_examples=examples(30))
@given(st.lists(st.lists(PIECES, max_size=6), min_size=1, max_size=5), st.data())
def test_any_output_gives_the_same_lines_as_pyte(rows: list[list[str]], data: st.DataObject) -> None:
    output = "\n".join("".join(row) for row in rows)
    for _ in range(data.draw(st.integers(0, 3))):
        up = data.draw(st.integers(1, len(rows)))
        again = "".join(data.draw(st.lists(PIECES, max_size=4)))
        output += f"\x1b[{up}A{again}\r\x1b[{data.draw(st.integers(0, 2))}K\n"
    if "漢" in output and any(final in output for final in "\b\rCDGP@X7"):
        return  # pyte leaves half of a wide character where it is overwritten; terminals leave a blank.
    expected = terminal_lines(output)
    if any(len(row) >= WIDTH - 1 for row in expected):
        return  # Here a wrapped row is part of one line.
    logged = [plain(line.text).rstrip() for line in read(output)]  # Blanks with a background colour are kept.
    while logged and not logged[-1]:
        logged.pop()
    assert logged == expected
    at = data.draw(st.integers(0, len(output)))
    assert read(output[:at], output[at:]) == read(output)


def test_a_wide_character_in_a_terminal_of_one_column_is_left_out() -> None:
    assert [line.text for line in read("\x1b[?7la漢b\n漢\r\nc", columns=1)] == ["b", "", "c"]


def test_colours_continue_in_the_next_piece_of_a_long_line() -> None:
    first, second = read("\x1b[31m" + "r" * (MAX_LINE - 7) + "\x1b[32mgreen\x1b[0m\n")
    assert first.partial
    assert second.text == "\x1b[32mgreen\x1b[0m"
    pieces = read("\x1b[31m" + "r" * (3 * MAX_LINE) + "\x1b[0m\n", columns=None)
    assert all(piece.text.startswith("\x1b[31mr") and piece.text.endswith("r\x1b[0m") for piece in pieces)
    assert sum(piece.text.count("r") for piece in pieces) == 3 * MAX_LINE


@pytest.mark.parametrize(
    "colour",
    ["38;5;" + "0" * 20_000 + "1", "38:2:" + "0" * 20_000, "1" * 5000, "48:" + "1" * 60_000, "38;2;1;2;" + "9" * 5000],
    ids=lambda colour: colour[:6],
)
def test_a_colour_with_endless_parameters_is_not_a_colour(colour: str) -> None:
    assert [plain(line.text) for line in read(f"\x1b[{colour}mred\n\x1b[0mnext\n")] == ["red", "next"]


def test_marks_without_end_cost_no_memory() -> None:
    (line,) = read("a" + "\x00\u0301" * 5000 + "\n")
    assert len(line.text) <= MAX_MARKS


@pytest.mark.parametrize(
    ("output", "lines"),
    [
        ("漢字abc\r\x1b[PX\n", ["X字abc"]),
        ("a漢b\r\x1b[2C\x1b[P\n", ["a b"]),
        ("a漢b\r\x1b[C\x1b[P\n", ["a b"]),
        ("a漢b\r\x1b[2C\x1b[@\n", ["a   b"]),
    ],
)
def test_half_of_a_wide_character_is_a_blank(output: str, lines: list[str]) -> None:
    assert [line.text for line in read(output)] == lines


@pytest.mark.parametrize("codes", ["\x1b[g\ta\tb", "\t\x1b[g\ra\tb\t\tc", "\x1b[3g\tX", "\x1b[5C\x1bH\r\ta\tb"])
def test_tab_stops_are_those_of_a_terminal(codes: str) -> None:
    assert [line.text for line in read(f"{codes}\n")] == terminal_lines(codes)


def test_tab_stops_take_no_time_however_often_they_are_used() -> None:
    reader = LineReader(None, HEIGHT, Clock())
    began = time.thread_time()
    reader.feed(b"\x1bH" + b"\x1b[999I\x1b[999Z" * 4000)
    assert time.thread_time() - began < 5


def test_a_full_screen_program_in_a_terminal_that_shrinks_is_not_logged_and_loses_no_line() -> None:
    reader = LineReader(WIDTH, HEIGHT, Clock())
    lines = reader.feed("".join(f"line {number}\n" for number in range(HEIGHT)).encode())
    reader.feed(b"\x1b[?1049h" + "".join(f"\x1b[{row + 1};1Hscreen {row} {'x' * 25}" for row in range(HEIGHT)).encode())
    lines += reader.resize(20, 5)
    lines += reader.feed(b"\x1b[3;3Hmore of the screen\x1b[?1049l\x1b[32mone\x1b[0m\n\x1b[32mtwo\x1b[0m\nthree\n")
    lines += reader.feed(b"", final=True)
    assert [plain(line.text) for line in lines] == [
        *[f"line {number}" for number in range(HEIGHT)],
        "one",
        "two",
        "three",
    ]


def test_a_line_is_held_briefly_in_case_the_cursor_returns() -> None:
    clock = Clock()
    reader = LineReader(WIDTH, HEIGHT, clock)
    assert reader.feed(b"a: 0%\nb: 0%\n") == []
    assert reader.feed(b"\x1b[2A\x1b[2Ka: 50%\n\x1b[2Kb: 50%\n") == []
    clock.now += 1
    assert reader.settle() == []
    assert reader.unfinished_text == "a: 50%\nb: 50%"
    reader.feed(b"\x1b[2A\x1b[2Ka: 100%\n\x1b[2Kb: 100%\nend\n")
    clock.now += HOLD_REDRAWN + 1
    assert [line.text for line in reader.settle()] == ["a: 100%", "b: 100%", "end"]
    assert reader.unfinished_text == ""
    reader.feed(b"plain\n")
    clock.now += HOLD + 0.1
    assert [line.text for line in reader.settle()] == ["plain"]
    assert reader.feed(b"", final=True) == []


def test_a_line_that_changes_after_it_was_logged_is_marked() -> None:
    clock = Clock()
    reader = LineReader(WIDTH, HEIGHT, clock)
    reader.feed(b"a: 0%\nb: 0%\n")
    clock.now += HOLD + 0.1
    assert [line.text for line in reader.settle()] == ["a: 0%", "b: 0%"]
    reader.feed(b"\x1b[2A\x1b[2Ka: 100%\n\n")
    assert reader.feed(b"", final=True) == [OutputLine("a: 100%", redrawn=True)]


def test_the_unfinished_line_is_available() -> None:
    reader = LineReader(WIDTH, HEIGHT, Clock())
    reader.feed(b"done\n\r\x1b[31mepoch 1: 7/60")
    assert reader.unfinished_text.endswith("\x1b[31mepoch 1: 7/60\x1b[0m")
    reader.feed(b"\r\x1b[2K\x1b[0mApply? [y/N] ")
    assert reader.unfinished_text.endswith("Apply? [y/N]")


@pytest.mark.examples
@settings(max_examples=examples(20))
@given(st.lists(st.one_of(st.binary(max_size=30), st.from_regex(rb"\x1b\[[0-9;?]{0,4}[A-Za-z@`]", fullmatch=True))))
def test_any_bytes_are_accepted(chunks: list[bytes]) -> None:
    for columns in (WIDTH, None):
        for line in read(*chunks, columns=columns):
            assert not re.search(r"[\x00-\x08\x0a-\x1a\x7f-\x9f]", line.text)
            assert len(line.text) <= MAX_LINE + 10
