"""Queries of kinds of tasks. An index has the tasks of each kind in the order of their creation."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.contract.values import RunFacts
from signalbox.store.sql import task_list
from signalbox.store.sql.damaged import text_or_nothing
from signalbox.store.sql.dialect import Condition
from signalbox.store.sql.views.base import Rows

_FACTS = ("kind", "task_id", "status", "title", "created_at", "duration")


class KindViews(Rows):
    """Implements `KindReading` of `store.contract`."""

    async def kinds(self, after: str = "", limit: int = 100, projects: Sequence[str] | None = None) -> list[str]:
        inside, values = task_list.in_projects(projects)
        # One lookup in the index for each kind, however many tasks it has.
        following = f"SELECT min(kind) FROM tasks WHERE kind > {{}} AND {inside}"
        rows = await self._rows(
            f"WITH RECURSIVE known (kind) AS ({following.format('?')} UNION ALL"
            f" SELECT ({following.format('known.kind')}) FROM known WHERE known.kind IS NOT NULL)"
            " SELECT kind FROM known WHERE kind IS NOT NULL LIMIT ?",
            after,
            *values,
            *values,
            limit,
        )
        return [kind for (kind,) in rows if text_or_nothing(kind)]

    async def fingerprints(self, task_ids: Sequence[str]) -> dict[str, str]:
        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            return f"SELECT task_id, fingerprint FROM tasks WHERE {among} AND fingerprint IS NOT NULL", ids

        return dict((await self._rows_of_tasks(query, task_ids))[0]) if task_ids else {}

    async def newest_runs(
        self, kinds: Sequence[str], limit: int, projects: Sequence[str] | None = None
    ) -> dict[str, list[RunFacts]]:
        inside, within = task_list.in_projects(projects)

        def query(task_ids: Sequence[str] | None) -> Condition:
            among, ids = self._only(task_ids)
            one = (
                f"SELECT * FROM (SELECT {', '.join(_FACTS)} FROM tasks WHERE kind = ? AND {inside} AND {among}"
                " ORDER BY created_at DESC, task_id DESC LIMIT ?) AS runs"
            )
            return " UNION ALL ".join([one] * len(kinds)), [
                value for kind in kinds for value in (kind, *within, *ids, limit)
            ]

        found: dict[str, list[RunFacts]] = {kind: [] for kind in kinds}
        for row in (await self._rows_of_tasks(query))[0] if kinds else ():
            found[row[0]].append(RunFacts(*row))
        # The rows of a damaged database come in parts.
        return {
            kind: sorted(runs, key=lambda run: (run.created_at, run.task_id), reverse=True)[:limit]
            for kind, runs in found.items()
        }
