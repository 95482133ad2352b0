"""`/api/tasks/{id}/artifacts`: lists, stores and downloads the files that runs keep in the store."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint, Response

from signalbox.store import Conflict, Event, InvalidEvent, NotFound
from signalbox.store.events import Key, Line
from signalbox.store.state import Artifact
from signalbox.webapp.api.parameters import Identity, Seq
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import may_write_to, task_identity
from signalbox.webapp.auth.quota_guard import count_events
from signalbox.webapp.current import settings, store
from signalbox.webapp.http.artifact_response import artifact_response
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.params import MAX_SEQ
from signalbox.webapp.http.root_path import next_page
from signalbox.webapp.http.uploads import receive_file, sent_type
from signalbox.webapp.views.artifact import artifact_of

blueprint = Blueprint("api_artifacts", __name__, url_prefix="/api/tasks")


class ArtifactsParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which artifacts to list."""

    before: Annotated[Seq | None, Meta(description="Only artifacts before this seq.")] = None
    limit: Annotated[int, Meta(ge=1, le=500, description="The maximum number of items.")] = 100


class NewArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """A new artifact, whose content is the body."""

    name: Annotated[Line, Meta(description="The name of the file.")]
    actor: Annotated[Line, Meta(description="The source of the event.")] = "runner"
    span_id: Annotated[Line | None, Meta(description="The span of the event.")] = None
    phase: Annotated[Line | None, Meta(description="The phase of the event.")] = None
    key: Annotated[Key | None, Meta(description="The idempotency key of the event.")] = None
    identity: Identity = None


@blueprint.get("/<task_id>/artifacts")
@needs("read")
@endpoint("List the artifacts of a task, newest first.", pages=True)
async def index(task_id: str, query: ArtifactsParameters) -> Result[list[Artifact]]:
    async with store().read() as view:
        await view.task(task_id)
        found = await view.artifacts(task_id, query.limit + 1, query.before)
    shown = found[: query.limit]
    more = len(found) > len(shown)
    return Result(shown, next=next_page(before=shown[-1].seq, limit=query.limit) if more else None)


@blueprint.post("/<task_id>/artifacts")
@needs("emit", body="max_artifact")
@endpoint("Store a file as an artifact of a task.", status=201, raises=(InvalidEvent, Conflict), receives_file=True)
async def add(task_id: str, query: NewArtifact) -> Event:
    """The body is the content, and its `Content-Type` the type; without one the type is that of the name.

    The setting `max_artifact` limits the size. The task must exist.
    """
    async with store().glance() as view:
        await view.head(task_id)
    with await receive_file() as file:
        await may_write_to(task_id)
        count_events(1)
        return await store().aadd_artifact(
            task_id,
            file,
            query.name,
            content_type=sent_type(),
            limit=settings().max_artifact,
            actor=query.actor,
            span_id=query.span_id,
            phase=query.phase,
            key=query.key,
            identity=task_identity(),
        )


@blueprint.get(f"/<task_id>/artifacts/<int(max={MAX_SEQ}):seq>/content")
@needs("read")
@endpoint("Download an artifact.", raises=(NotFound,), media_type="application/octet-stream")
async def content(task_id: str, seq: int) -> Response:
    async with store().read() as view:
        artifact = await artifact_of(view, task_id, seq)
        stored = await view.has_content(task_id, artifact.sha256)
    return await artifact_response(store(), task_id, artifact, stored, download=True)
