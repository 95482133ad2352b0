"""Test that a PostgreSQL database of each earlier schema opens, and then is like one of the newest version.

`databases/NAME.sql.xz` is a dump, made with the code of the version whose newest migration is NAME.
"""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import pytest

from signalbox.store import open_store
from signalbox.store.postgresql.doctor import examine
from tests.support.kept_databases import check_content
from tests.support.postgres import programs
from tests.support.shared_postgres import create_database

KEPT = sorted((Path(__file__).parent / "databases").glob("*.sql.xz"))


def restored(kept: Path) -> str:
    """Return the URL of a database with the content of a dump."""
    url, folder = create_database(empty=True), programs()
    assert folder is not None
    psql = [folder / "psql", "--no-psqlrc", "--quiet", "--output", "/dev/null", "-v", "ON_ERROR_STOP=1", url]
    subprocess.run(psql, input=lzma.decompress(kept.read_bytes()), check=True)
    return url


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.name.removesuffix(".sql.xz"))
async def test_a_database_of_each_version_becomes_like_one_of_the_newest(kept: Path, tmp_path: Path) -> None:
    url = restored(kept)
    store = open_store(url)
    await check_content(store, tmp_path)
    await store.aclose()
    assert list(examine(url)) == []
