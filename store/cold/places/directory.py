"""A directory with cold files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from signalbox.store.cold.errors import ColdFileMissing, ColdPlaceUnavailable
from signalbox.store.errors import StoreFull
from signalbox.store.sqlite.copies import make_durable, new_file

SUFFIX = ".cold"


class ColdDirectory:
    """Implements `ColdPlace` for a directory. It is created, with mode 0700, when the first file is stored."""

    check_interval = 1.0

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def url(self) -> str:
        return str(self.path)

    def version(self, name: str) -> str:
        with self._errors(name):
            found = os.stat(self.path / name)
        return f"{found.st_dev}-{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"

    def size(self, name: str) -> int:
        with self._errors(name):
            return os.stat(self.path / name).st_size

    def read(self, name: str, offset: int, length: int) -> bytes:
        with self._errors(name), open(self.path / name, "rb", opener=_opened) as file:
            file.seek(offset)
            return file.read(length)

    def store(self, name: str, file: Path) -> None:
        with self._errors(name):
            if not self.path.is_dir():
                self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                make_durable(self.path.parent)
            with new_file(self.path / name) as unfinished:
                shutil.copyfile(file, unfinished)

    def delete(self, name: str) -> None:
        with self._errors(name):
            (self.path / name).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        with self._errors(""):
            if self.path.is_dir():
                yield from sorted(entry.name for entry in os.scandir(self.path) if _is_cold(entry.name))

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError):
            raise ColdFileMissing(name, self.url) from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(f"there is no room for cold files in {self.url}") from error
            raise ColdPlaceUnavailable(f"cold files in {self.url}: {error.strerror or error}", 30.0) from error


def _opened(path: str, flags: int) -> int:
    """Open a file. Raises OSError for a pipe or a device, which would make the reader wait for ever."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return descriptor


def _is_cold(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")
