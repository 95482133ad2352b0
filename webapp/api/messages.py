"""`/api/tasks/{id}/messages`: sends messages to a run, and reads them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import Conflict, Event
from signalbox.store.bounded_reads import bounded_read
from signalbox.store.events import MAX_MESSAGE_CHARS
from signalbox.store.state import SentMessage, Task
from signalbox.webapp.acts.messages import send_message
from signalbox.webapp.api.bounds import MAX_PAYLOAD_BYTES
from signalbox.webapp.api.parameters import LIMIT_DESCRIPTION, Seq
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.guard import check_task
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import Result, endpoint
from signalbox.webapp.http.root_path import next_page

blueprint = Blueprint("api_messages", __name__, url_prefix="/api/tasks")

STEPS = 20, 40
"""Messages of the first query, and of each further one. Each may have 256 KiB of data."""

MessageState = Literal["sent", "taken", "ignored"]


class MessageParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages to read."""

    after: Annotated[Seq, Meta(description="Only messages after this seq.")] = 0
    limit: Annotated[int, Meta(ge=1, le=1000, description=LIMIT_DESCRIPTION)] = 100
    state: Annotated[Literal["sent"] | None, Meta(description="`sent`: only messages that the run has not taken.")] = (
        None
    )


class MessageBody(msgspec.Struct, forbid_unknown_fields=True):
    """A message to the run. `data` is any JSON, for the run."""

    text: Annotated[str, Meta(extra_json_schema={"pattern": r"\S", "maxLength": MAX_MESSAGE_CHARS})]
    data: Any = None


class MessageResponse(msgspec.Struct, kw_only=True):
    """A message. It is `ignored` if the run has ended without taking it; `claimed` if it comes from an imported log."""

    seq: int
    state: MessageState
    text: str
    data: Any
    by: str
    claimed: bool
    at: str
    taken_seq: int | None
    taken_at: str | None


def to_response(message: SentMessage, task: Task) -> MessageResponse:
    """Return a message in the API's form."""
    fields = msgspec.structs.asdict(message)
    del fields["changed_seq"]
    return MessageResponse(**fields, state=message.state(task))


@blueprint.get("/<task_id>/messages")
@needs("read")
@endpoint("Read the messages of people to a run, the oldest first.", pages=True)
async def index(task_id: str, query: MessageParameters) -> Result[list[MessageResponse]]:
    waiting = query.state == "sent"
    async with store().read() as view:
        task = await view.task(task_id)
        check_task(task_id, task.identity)
        # One more message tells whether there is another page.
        found, more = await bounded_read(
            lambda last, limit: view.messages(
                task_id, untaken=waiting, after=last.seq if last else query.after, limit=limit
            ),
            query.limit + 1,
            MAX_PAYLOAD_BYTES,
            lambda one: len(msgspec.json.encode(one)),
            steps=STEPS,
        )
    shown = [to_response(message, task) for message in found[: query.limit]]
    which = {"state": "sent"} if waiting else {}
    address = next_page(after=shown[-1].seq, limit=query.limit, **which) if more else None
    return Result([one for one in shown if not waiting or one.state == "sent"], next=address)


@blueprint.post("/<task_id>/messages")
@needs("respond")
@endpoint("Send a message to a run that has not ended.", status=201, raises=(Conflict,))
async def create(task_id: str, body: MessageBody) -> Event:
    return await send_message(task_id, body.text, body.data)
