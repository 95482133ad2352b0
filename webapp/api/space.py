"""`/api/space`: the space that the store takes, by project and kind."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import retention_rules, settings, store
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.retention.state import state_of
from signalbox.webapp.views.space import space_view

blueprint = Blueprint("api_space", __name__, url_prefix="/api/space")


class KindSpaceResponse(msgspec.Struct, kw_only=True):
    """The tasks of one kind in one project. Sizes are estimates in bytes."""

    project_id: str
    kind: str | None
    tasks: int
    held: int
    bytes: int
    artifacts: int
    cold_tasks: int
    cold_bytes: int


class SpaceSampleResponse(msgspec.Struct, kw_only=True):
    """The space at one time: the bytes of the database without free pages, and those of cold storage."""

    at: str
    database: int
    cold: int
    tasks: int


class SpaceLimit(msgspec.Struct, kw_only=True):
    """A limit on the size of tasks, and about how many bytes they take now."""

    rule: str
    bytes: int
    max_bytes: int


class SpaceResponse(msgspec.Struct, kw_only=True):
    """The space of the store in bytes. `waiting`, `deleted` and `failed` count tasks, as of the last pass."""

    database: int
    free: Annotated[int, Meta(description="Free pages of the database, which new events use.")]
    returns_free: Annotated[bool, Meta(description="Whether free pages go back to the file system.")]
    search_index: int
    cold: int
    kinds: list[KindSpaceResponse]
    limits: list[SpaceLimit]
    samples: Annotated[list[SpaceSampleResponse], Meta(description="One sample per day, the oldest first.")]
    growth_per_day: Annotated[float, Meta(description="null with samples of fewer than three days.")] | None
    disk_free: Annotated[int, Meta(description="null if the server does not see the disk of the database.")] | None
    days_until_full: Annotated[float, Meta(description="null if it is not known or the store does not grow.")] | None
    waiting: int
    deleted: int
    failed: int
    removals: Annotated[int, Meta(description="Deleted tasks of which rows are still to be removed.")]


@blueprint.get("")
@needs("admin", everywhere=True)
@endpoint("Read the space that the store takes.")
async def show() -> SpaceResponse:
    async with store().read() as view:
        seen = await space_view(view, retention_rules(), settings().store)
        state = state_of(await view.retention_state())
    kinds = [row.space for row in seen.rows] + ([seen.more] if seen.more else [])
    return SpaceResponse(
        database=seen.database.bytes,
        free=seen.database.free,
        returns_free=seen.database.returns,
        search_index=seen.search_index,
        cold=seen.cold,
        kinds=[msgspec.convert(one, KindSpaceResponse, from_attributes=True) for one in kinds],
        limits=[SpaceLimit(rule=rule, bytes=used, max_bytes=limit) for rule, used, limit in seen.limits],
        samples=[msgspec.convert(one, SpaceSampleResponse, from_attributes=True) for one in seen.samples],
        growth_per_day=seen.growth.per_day if seen.growth else None,
        disk_free=seen.disk_free,
        days_until_full=seen.days_left,
        waiting=state.waiting,
        deleted=state.deleted,
        failed=len(state.failed),
        removals=seen.removals,
    )
