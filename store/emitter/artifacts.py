"""Storing files of a run. A file that cannot be stored never ends the program: a line of the log says why."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from signalbox.store.artifacts import MAX_ARTIFACT_BYTES
from signalbox.store.emitter.fit_payload import text_of, word
from signalbox.store.errors import InvalidEvent
from signalbox.store.events import NewEvent

FileSource = str | os.PathLike[str] | bytes | bytearray | memoryview
"""The path of a file, or its content."""

LIMIT_VARIABLE = "SIGNALBOX_MAX_ARTIFACT"
"""The setting `max_artifact`, for programs that write to a database themselves."""


def name_for(source: FileSource, name: str | None, *, strict: bool) -> str:
    """Return the name of an artifact: the given one, else that of the file. Raises InvalidEvent without either."""
    if name is None and not isinstance(source, bytes | bytearray | memoryview):
        name = Path(source).name
    if not strict:
        name = word(name) or "artifact"
    if name is None:
        raise InvalidEvent("name must be given for an artifact that is not a file", "name")
    return name


@contextmanager
def opened(source: FileSource) -> Iterator[BinaryIO]:
    """Open a file, or a content as a file. Raises OSError, also for a path that no system opens."""
    if isinstance(source, bytes | bytearray | memoryview):
        yield BytesIO(source)
        return
    try:
        # A pipe without a writer would block forever.
        file = open(source, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))  # noqa: SIM115
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from None
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        yield file


def limit() -> int:
    """Return the largest size of an artifact that this program may store in a database."""
    text = os.environ.get(LIMIT_VARIABLE, "")
    return int(text) if text.isascii() and text.isdigit() else MAX_ARTIFACT_BYTES


def not_stored(name: str, error: Exception, fields: dict[str, Any]) -> NewEvent:
    """Return the line of the log that says why a file was not stored."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else text_of(error)
    payload = {"level": "warning", "message": f"the artifact {name} was not stored: {reason}"}
    return NewEvent(event_type="log", payload=payload, **fields)
