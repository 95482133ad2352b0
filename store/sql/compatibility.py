"""Programs of two neighbouring versions on one database, as during a rolling update.

A migration adds tables, columns and indexes first. A later version removes what no program needs any more. So a program
can usually work with the schema of the next version. The first line of such a migration says so:

    -- compatible-from: 018_occurred_index

It names the newest migration that a program must know to work with the schema. The table `migration_marks` records it,
and a program that does not know the migration continues if it knows the named one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from signalbox.store.errors import SchemaTooNew

MARK = "-- compatible-from: "


def compatible_from(script: str) -> str | None:
    """Return the newest migration that a program must know to work with the schema after this one.

    Return None if it must know this one.
    """
    first = script.partition("\n")[0]
    return first.removeprefix(MARK).strip() if first.startswith(MARK) else None


def check_applied(applied: Collection[str], known: Collection[str], marks: Mapping[str, str | None]) -> set[str]:
    """Return the applied migrations that this program does not know. Raises SchemaTooNew if it cannot work with them.

    `marks` has what `compatible_from` returned for each migration.
    """
    unknown, newest = set(applied) - set(known), max(known)
    refused = {name for name in unknown if (mark := marks.get(name)) is None or mark > newest}
    if refused:
        raise SchemaTooNew(
            f"the database has migrations that this version does not know: {sorted(refused)}. A newer Signalbox has"
            f" migrated it; this one knows the migrations up to {newest}. Install the newer version"
        )
    return unknown
