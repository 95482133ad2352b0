"""Pseudo-terminals for a command: one for its output and one for its errors, so that the two stay distinct."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import termios

import msgspec

DEFAULT_SIZE = (120, 40)
"""Columns and lines if this process has no terminal."""


class OutputPipe(msgspec.Struct):
    """A pseudo-terminal or pipe for one output stream of a command. `sink` is written to, `source` is read.

    `stream` is "stdout" or "stderr", or "" if both are merged.
    """

    stream: str
    source: int
    sink: int
    terminal: bool


def open_pipes(*, terminals: bool, merge: bool = False) -> list[OutputPipe]:
    """Open one pipe each for stdout and stderr, or one for both with `merge`. Reading a source does not block.

    With `terminals` they are pseudo-terminals, unless the system has none left.
    """
    return [_open_pipe(stream, terminals) for stream in (("",) if merge else ("stdout", "stderr"))]


def terminal_size() -> tuple[int, int]:
    """Return the columns and lines of this process's terminal."""
    columns, lines = shutil.get_terminal_size(DEFAULT_SIZE)
    return min(max(columns, 2), 1000), min(max(lines, 2), 500)


def copy_size(pipe: OutputPipe) -> None:
    """Give the command's terminal the size of this process's terminal."""
    if pipe.terminal:
        columns, lines = terminal_size()
        fcntl.ioctl(pipe.source, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def read_available(pipe: OutputPipe) -> bytes | None:
    """Read at most 64 KiB; None if there is no output now, b"" at the end."""
    try:
        return os.read(pipe.source, 65536)
    except BlockingIOError:
        return None
    except OSError:
        # Linux reports EIO after the last writer of a pseudo-terminal has closed it.
        return b""


def _open_pipe(stream: str, wanted: bool) -> OutputPipe:
    pipe = None
    if wanted:
        try:
            pipe = OutputPipe(stream, *pty.openpty(), terminal=True)
        except OSError:
            pipe = None
    if pipe is None:
        pipe = OutputPipe(stream, *os.pipe(), terminal=False)
    else:
        _make_raw(pipe.sink)
        copy_size(pipe)
    os.set_blocking(pipe.source, False)
    return pipe


def _make_raw(fd: int) -> None:
    # Do not translate newlines and do not echo, so that exactly the bytes that the command wrote are read.
    attributes = termios.tcgetattr(fd)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
