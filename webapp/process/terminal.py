"""Where a command writes to: a pseudo-terminal each for its output and its errors, so that the two stay apart."""

from __future__ import annotations

import fcntl
import os
import pty
import shutil
import struct
import termios

import msgspec

DEFAULT_SIZE = (120, 40)
"""Columns and lines where there is no terminal to copy them from."""


class Channel(msgspec.Struct):
    """One stream of a command: we read from `source`, and it writes to `sink`.

    `stream` is empty where output and errors are one.
    """

    stream: str
    source: int
    sink: int
    terminal: bool


def open_channels(*, terminals: bool, merge: bool = False) -> list[Channel]:
    """Channels for stdout and stderr: pseudo-terminals where they can be had, else pipes. Sources do not block.

    With `merge` one channel for both.
    """
    return [_channel(stream, terminals) for stream in (("",) if merge else ("stdout", "stderr"))]


def size() -> tuple[int, int]:
    """Columns and lines of our own terminal, which the command's terminals have too."""
    columns, lines = shutil.get_terminal_size(DEFAULT_SIZE)
    return min(max(columns, 2), 1000), min(max(lines, 2), 500)


def copy_size(channel: Channel) -> None:
    """Give the command's terminal the size of our own."""
    if channel.terminal:
        columns, lines = size()
        fcntl.ioctl(channel.source, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def read(channel: Channel) -> bytes | None:
    """What has come, at most 64 KiB; None when nothing has; b"" at the end."""
    try:
        return os.read(channel.source, 65536)
    except BlockingIOError:
        return None
    except OSError:
        # Linux says EIO once the last writer of a pseudo-terminal has gone.
        return b""


def _channel(stream: str, wanted: bool) -> Channel:
    channel = None
    if wanted:
        try:
            channel = Channel(stream, *pty.openpty(), terminal=True)
        except OSError:
            channel = None
    if channel is None:
        channel = Channel(stream, *os.pipe(), terminal=False)
    else:
        _make_raw(channel.sink)
        copy_size(channel)
    os.set_blocking(channel.source, False)
    return channel


def _make_raw(fd: int) -> None:
    # Newlines stay newlines, and nothing is echoed: what comes out is what the command wrote.
    attributes = termios.tcgetattr(fd)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
