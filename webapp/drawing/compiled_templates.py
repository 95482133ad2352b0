"""Compiled templates on disk, beside Python's own compiled modules, so that only the first process compiles them.

They follow the rules of Python: nothing is written if the folder is read-only or with PYTHONDONTWRITEBYTECODE, and
PYTHONPYCACHEPREFIX moves the folder. A file whose template, compiler or version of Python or Jinja has changed is
compiled again and replaced.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache

from signalbox.webapp.drawing import compiling


class CompiledTemplates(BytecodeCache):
    """Keeps the code of each template in a file. `options` is a text with what else decides how they are compiled."""

    def __init__(self, options: str) -> None:
        self._folder = Path(cache_from_source(compiling.__file__)).parent
        compiler = hashlib.sha256(f"{jinja2.__version__} {options}".encode())
        compiler.update(Path(compiling.__file__).read_bytes())
        self._compiler = compiler.hexdigest()

    def get_source_checksum(self, source: str) -> str:
        """Return the checksum of a template and its compiler, by which a file is recognised as up to date."""
        return hashlib.sha256(f"{self._compiler}\0{source}".encode()).hexdigest()

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read the code. A file that cannot be read, or was cut off, counts as missing."""
        with suppress(OSError, EOFError, ValueError, TypeError):
            bucket.bytecode_from_string(self._path(bucket).read_bytes())

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the code, unless this is not allowed or possible. Other processes see the whole file or none."""
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        written = path.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(bucket.bytecode_to_string())
            written.replace(path)

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"template-{bucket.key}.{sys.implementation.cache_tag}.bin"
