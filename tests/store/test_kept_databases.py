"""Test that a database of each earlier schema opens, is copied first, and then is like one of the newest version.

`databases/NAME.db.xz` was made by the code of the version whose newest migration is NAME. Several versions inserted a
migration below their newest one: the name says which after a `+`. `python -m scripts.kept_database` makes the file of
the present version.
"""

from __future__ import annotations

import lzma
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from quart import Quart

from scripts.kept_database import FOLDER
from signalbox.store.sqlite import migrations
from signalbox.store.sqlite.doctor import examine
from signalbox.webapp.app import create_app
from signalbox.webapp.auth.principal import LOCAL
from signalbox.webapp.settings import Settings
from tests.support.kept_databases import check_content

KEPT = sorted(FOLDER.glob("*.db.xz"))
ENDLESS = ("/tasks/<task_id>/stream",)
"""Pages that do not end. Streams for programs have prefixes of their own."""

# A version that inserted a migration differs little from the one with the same newest migration.
PARAMS = [
    pytest.param(kept, id=kept.name.removesuffix(".db.xz"), marks=[pytest.mark.soak] if "+" in kept.name else [])
    for kept in KEPT
]


@pytest.fixture(params=PARAMS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "signalbox.db"
    path.write_bytes(lzma.decompress(request.param.read_bytes()))
    return path


def applied(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return sorted(migrations.applied(database))


def test_the_newest_schema_has_a_kept_database() -> None:
    newest = migrations.known()[-1][0]
    assert (FOLDER / f"{newest}.db.xz").is_file(), (
        f"no database of the schema with {newest} is kept for the tests of upgrades:"
        " run `python -m scripts.kept_database` and commit the file"
    )


@pytest.mark.long
async def test_a_database_of_each_version_becomes_like_one_of_the_newest(path: Path) -> None:
    before = applied(path)
    app = create_app(Settings(store=f"sqlite:///{path}"), only_caller=LOCAL)
    async with app.test_app():
        store = app.extensions["store"]
        await check_content(store, path.parent)
        await _open_every_page(app)
    # Only the newest schema needs no migration, and so no copy.
    kept = list(path.parent.glob("signalbox.db.before-*"))
    assert [applied(copy) for copy in kept] == ([] if before == applied(path) else [before])
    assert applied(path) == [name for name, _ in migrations.known()]
    assert list(examine(path)) == []
    with closing(sqlite3.connect(path)) as migrated, closing(migrations.empty_database()) as new:
        assert not _schema(new) - _schema(migrated)


def _schema(database: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return the names of all columns and indexes, each with its table."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
    columns = {
        (table, str(column[1]))
        for (table,) in database.execute(tables).fetchall()
        for column in database.execute(f"PRAGMA table_xinfo({table})")
    }
    indexes = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    return columns | set(database.execute(indexes))


async def _open_every_page(app: Quart) -> None:
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        page = rule.rule
        if "GET" in (rule.methods or ()) and rule.arguments == {"task_id"} and page not in ENDLESS:
            if page.startswith(("/sse/", "/ws/", "/live/")):
                continue
            response = await client.get(page.replace("<task_id>", "nightly"), follow_redirects=True)
            assert response.status_code == 200, f"{page}: {await response.get_data(as_text=True)}"
