"""The check of all cold files for `signalbox doctor`. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from signalbox.store.cold.errors import ColdFileMissing
from signalbox.store.cold.moves.places import ColdPlaces
from signalbox.store.cold.verify import verify
from signalbox.store.errors import StoreDamaged, StoreError
from signalbox.store.sql.findings import Finding, Query

_COLD = (
    "SELECT k.task_id, k.identity, place, name, sha256, last_seq, c.identity FROM cold_tasks k"
    " JOIN task_event_seq_counters c ON c.task_id = k.task_id WHERE stage <> 'packing' ORDER BY k.task_id"
)
_DOUBLED = (
    "SELECT task_id FROM cold_tasks k WHERE stage = 'cold'"
    " AND EXISTS (SELECT 1 FROM task_events e WHERE e.task_id = k.task_id) ORDER BY task_id"
)

_PUT_BACK = "put the file back from a backup; without one, the log of this task is lost, and the task can be deleted"


def examine_files(query: Query, places: ColdPlaces) -> Iterator[Finding]:
    """Read each cold file of a store, and yield a finding for each that is missing, damaged or of another task."""
    for task_id, identity, place, name, sha256, last_seq, now in query(_COLD, ()):
        try:
            facts = verify(places.open(place), name, sha256)
        except ColdFileMissing as error:
            yield Finding("cold_missing", f"task {task_id}: {error}", _PUT_BACK)
        except StoreDamaged as error:
            yield Finding("cold_damaged", f"task {task_id}: {error}", _PUT_BACK)
        except StoreError as error:
            yield Finding("cold_unavailable", f"task {task_id}: {error}", "see whether the place can be reached")
        else:
            if (facts.task_id, facts.identity, facts.last_seq, now) != (task_id, identity, last_seq, identity):
                yield Finding("cold_other", f"task {task_id}: the cold file {name} is that of another task", _PUT_BACK)
    for (task_id,) in query(_DOUBLED, ()):
        yield Finding(
            "cold_doubled",
            f"task {task_id} is in cold storage, and the database has events of it too",
            "a program of an earlier version may have appended them; `signalbox cold restore` keeps both",
        )
