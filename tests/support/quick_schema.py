"""Creates new SQLite databases as copies of a file with the newest schema, in a tenth of the time of all migrations.

Tests create thousands of databases. A test in `tests/store/test_sqlite.py` compares a copy with a migrated database.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from signalbox.store import sqlite
from signalbox.store.sqlite import migrations
from signalbox.store.sqlite.connection import connect

_create, _known = sqlite.create_private, migrations.known


def use_copied_schema() -> None:
    """Let this process create new databases as copies. It migrates files that exist as always."""
    _template()
    sqlite.create_private = _create_copy


def use_migrations(patch: pytest.MonkeyPatch) -> None:
    """Let a test create new databases with the migrations."""
    patch.setattr(sqlite, "create_private", _create)


def _create_copy(path: Path) -> None:
    if path.exists() or migrations.known is not _known:  # A test has replaced the migrations.
        return _create(path)
    # Another process may create the same database now, so the file gets its name when it is complete.
    unfinished = path.with_name(f"{uuid.uuid4().hex}.unfinished")
    try:
        _create(unfinished)
        unfinished.write_bytes(_template())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    except OSError:
        _create(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return None


@cache
def _template() -> bytes:
    """Return the content of a migrated database file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        connection = connect(path, "NORMAL")
        migrations.migrate(connection)
        connection.close()
        return path.read_bytes()
