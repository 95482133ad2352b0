"""Test with recorded output of real programs that each line that stays on a terminal is logged once.

`tests/process/terminal/` has the output of each program on a terminal of 120 by 40 cells: pairs of seconds and text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyte
import pytest

from signalbox.webapp.process.line_reader import LineReader
from signalbox.webapp.process.output_lines import OutputLine

RECORDED = Path(__file__).parent / "terminal"
WIDTH, HEIGHT = 120, 40

Output = list[tuple[float, str]]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1e-7
        return self.now


def logged_lines(output: Output) -> list[OutputLine]:
    """Return the lines that a run logs when the output arrives at the recorded pace."""
    clock = Clock()
    reader = LineReader(WIDTH, HEIGHT, clock)
    lines: list[OutputLine] = []
    for at, text in output:
        while (due := reader.due) is not None and clock.now + due < at:
            clock.now += due + 1e-6
            lines += reader.settle()
        clock.now = max(clock.now, at)
        lines += reader.feed(text.encode())
    return lines + reader.feed(b"", final=True)


def terminal_rows(output: Output) -> list[str]:
    """Return the rows that remain on a terminal high enough for all of them."""
    screen = pyte.Screen(WIDTH, 200)
    pyte.Stream(screen).feed("".join(text for _, text in output).replace("\n", "\r\n"))
    return "\n".join(row.rstrip() for row in screen.display).rstrip().split("\n")


def texts(lines: list[OutputLine]) -> list[str]:
    plain = [re.sub(r"\x1b(?:\[[0-9;:]*m|\]8;;[^\x1b]*\x1b\\)", "", line.text) for line in lines]
    return "\n".join(plain).rstrip().split("\n")


def docker_pull() -> Output:
    """Return the output of `docker pull`: each message moves to the layer's row, rewrites it, and moves back."""
    layers = [f"{number:012x}" for number in range(0xA1, 0xA6)]
    bar = "[=================>                                 ]  {}MB/9MB"
    steps = [(layer, "Pulling fs layer") for layer in layers] + [(layer, "Waiting") for layer in layers[3:]]
    for size in (1, 4, 9):
        steps += [(layer, f"Downloading {bar.format(size)}") for layer in layers]
    for state in ("Verifying Checksum", "Download complete", f"Extracting {bar.format(9)}", "Pull complete"):
        steps += [(layer, state) for layer in layers]
    output: Output = [(0.0, "latest: Pulling from library/python\n")]
    known: list[str] = []
    for number, (layer, text) in enumerate(steps, 1):
        out = ""
        if layer not in known:
            known.append(layer)
            out = "\n"
        up = len(known) - known.index(layer)
        output.append((number * 0.4, f"{out}\x1b[{up}A\x1b[2K\r{layer}: {text} \r\x1b[{up}B"))
    end = "Digest: sha256:0123\nStatus: Downloaded newer image for python:latest\n"
    return [*output, (len(steps) * 0.4 + 1, end)]


def recorded(name: str) -> Output:
    if name == "docker":
        return docker_pull()
    return [(at, text) for at, text in json.loads((RECORDED / f"{name}.json").read_text())]


@pytest.mark.parametrize("name", ["cargo", "docker", "npm", "pip", "pytest", "rich", "tqdm"])
def test_each_line_that_stays_on_the_terminal_is_logged_once(name: str) -> None:
    output = recorded(name)
    lines = logged_lines(output)
    assert texts(lines) == terminal_rows(output)
    assert not any(line.redrawn for line in lines)
    # The lines are the same, however slowly the output is read.
    assert texts(logged_lines([(0.0, character) for _, text in output for character in text])) == terminal_rows(output)
