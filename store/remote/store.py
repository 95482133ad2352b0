"""The store of a Signalbox server, which `open_store` returns for its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn, cast

from signalbox.store.blocking import blocking
from signalbox.store.contract import People, Processes, Store, StoreStats
from signalbox.store.contract.cold import ColdStorage
from signalbox.store.contract.reading import Reading
from signalbox.store.contract.space import Space
from signalbox.store.errors import NotSupported
from signalbox.store.events import Event, NewEvent
from signalbox.store.remote import PATIENCE
from signalbox.store.remote.not_offered import NothingOffered, not_offered
from signalbox.store.remote.responses import json_body, path_of, task_in
from signalbox.store.remote.spooled import SpooledLog
from signalbox.store.remote.view import RemoteView
from signalbox.store.state import Task


class RemoteStore(SpooledLog, Store):
    """The store of the server at `url`, with the rights of `token`.

    It has the writes of runs and the reads that the API offers. Other calls of a store raise NotSupported. A view is
    not consistent: each read is a request of its own. To follow a task, use `atail` or `tail`.
    """

    def __init__(self, url: str, token: str | None = None, *, patience: float = PATIENCE) -> None:
        super().__init__(url, token, patience=patience)
        self.people = cast(People, NothingOffered("managing people"))
        self.cold = cast(ColdStorage, NothingOffered("moving tasks to cold storage"))
        self.space = cast(Space, NothingOffered("the space of a store"))
        self.processes = cast(Processes, NothingOffered("counting the processes of a store"))

    @property
    def epoch(self) -> str:  # type: ignore[override]
        raise NotSupported("reading the epoch")

    @property
    def key(self) -> bytes | None:
        return None

    @property
    def generation(self) -> int:
        return 1

    @property
    def problems(self) -> list[tuple[str, str]]:
        return []

    def stats(self) -> StoreStats:
        return StoreStats(0, 0, 0)

    # writes

    async def acreate_task(
        self,
        task_id: str | None = None,
        *,
        title: str | None = None,
        kind: str | None = None,
        metadata: dict[str, Any] | None = None,
        project_id: str | None = None,
        alone: bool = False,
    ) -> tuple[Task, bool]:
        if alone:
            raise NotSupported("creating a task while no other one runs")
        return await super().acreate_task(task_id, title=title, kind=kind, metadata=metadata, project_id=project_id)

    create_task = blocking(acreate_task)

    async def aappend(
        self, task_id: str, events: NewEvent | Sequence[NewEvent], *, identity: str | None = None, own: bool = False
    ) -> list[Event]:
        if own:
            raise NotSupported("appending events of the server")
        return await super().aappend(task_id, events, identity=identity)

    append = blocking(aappend)

    async def adelete_task(
        self,
        task_id: str,
        *,
        actor: object = None,
        source: object = None,
        identity: str | None = None,
        later: bool = True,
    ) -> Task:
        """Delete a task that has ended. The caller in the audit is always that of the token.

        The server removes the rows of a long log later.
        """
        params = {"identity": identity} if identity else {}
        task = await self.atask(task_id)
        await self._connection.request("DELETE", path_of(task_id), task_id, params=params)
        return task

    async def aarchive_task(
        self, task_id: str, archived: bool, *, actor: object, source: object = None, identity: str | None = None
    ) -> Task:
        """Archive or restore a task. The caller in the audit is always that of the token."""
        params = {"identity": identity} if identity else {}
        method, path = "POST" if archived else "DELETE", f"{path_of(task_id)}/archive"
        return task_in(await self._connection.request(method, path, task_id, params=params))

    async def ahold_task(
        self,
        task_id: str,
        reason: str | None,
        *,
        actor: object,
        source: object = None,
        identity: str | None = None,
    ) -> Task:
        """Hold or release a task. The caller in the audit is always that of the token."""
        params = {"identity": identity} if identity else {}
        path = f"{path_of(task_id)}/hold"
        if reason is None:
            return task_in(await self._connection.request("DELETE", path, task_id, params=params))
        return task_in(
            await self._connection.request("PUT", path, task_id, params=params, **json_body({"reason": reason}))
        )

    aappend_audited: Any = not_offered("appending an event of a person")
    aremove_deleted: Any = not_offered("removing the rows of deleted tasks")
    aappend_while: Any = not_offered("appending under a condition")
    aaudit: Any = not_offered("adding an audit")
    aclaim: Any = not_offered("claiming a lease")
    acommit_position: Any = not_offered("committing the position of a consumer")
    adelete_view: Any = not_offered("deleting a saved view")
    adrop_index: Any = not_offered("removing the search index")
    adiagnose: Any = not_offered("diagnosing a run")
    aerase_events: Any = not_offered("erasing events")
    asign_heads: Any = not_offered("signing")
    log_key: Any = not_offered("signing")
    aimport_task: Any = not_offered("importing a log")
    aindex: Any = not_offered("filling the search index")
    aindex_part: Any = not_offered("filling the search index")
    amark_stale: Any = not_offered("marking a task as stale")
    aopen_index: Any = not_offered("filling the search index")
    arebuild_index: Any = not_offered("rebuilding the search index")
    arelease: Any = not_offered("releasing a lease")
    asave_view: Any = not_offered("saving a view")
    atidy_index: Any = not_offered("filling the search index")

    # reading and following

    def read(self) -> AbstractAsyncContextManager[Reading]:
        return self._view()

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        return self._view()

    @asynccontextmanager
    async def _view(self) -> AsyncIterator[Reading]:
        self._connection.check_open()
        yield RemoteView(self._connection)

    def peek(self) -> NoReturn:
        raise NotSupported("following the log of all tasks")

    def on_commit(self, callback: Callable[[], None]) -> NoReturn:
        raise NotSupported("following the commits of a process")

    def watch(self, callback: Callable[[], None]) -> None:
        return None

    async def acheck(self) -> None:
        """Raise StoreUnavailable if the server cannot be reached."""
        await self._connection.request("GET", "/api/events/health")
