"""`/api/tasks/{id}/heads` and `/erasures`: the signed heads of a log, and the erasure of events."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta
from quart import Blueprint

from signalbox.store import Conflict, InvalidEvent, NotFound
from signalbox.store.chain.heads import SignedHead
from signalbox.store.events import GivenReason
from signalbox.store.sql.erasing import MAX_EVENTS
from signalbox.webapp.acts.erasing import erase_events
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.http.params import MAX_SEQ
from signalbox.webapp.views.heads import all_heads

blueprint = Blueprint("api_proofs", __name__, url_prefix="/api/tasks")


class HeadsResponse(msgspec.Struct, kw_only=True):
    """The newest link of a log, and its newest signed heads."""

    identity: str
    seq: int
    link: Annotated[str | None, Meta(description="64 hexadecimal digits; null for a log without links.")]
    ended: bool
    heads: list[SignedHead]


# In JSON Schema 3.0 is an integer too.
_Seq = Annotated[float, Meta(ge=1, le=MAX_SEQ, multiple_of=1, extra_json_schema={"type": "integer"})]


class ErasureBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The events to erase, and why."""

    seqs: Annotated[list[_Seq], Meta(min_length=1, max_length=MAX_EVENTS)]
    reason: GivenReason


class ErasureResponse(msgspec.Struct):
    """The events that were erased now. Those that were erased before are left out."""

    erased: list[int]


@blueprint.get("/<task_id>/heads")
@needs("read")
@endpoint("Read the newest link and the signed heads of a log.")
async def heads(task_id: str) -> HeadsResponse:
    async with store().read() as view:
        claims, found = await view.log_claims(task_id), await all_heads(view, task_id)
    link = claims.link.hex() if claims.link is not None else None
    return HeadsResponse(identity=claims.identity, seq=claims.latest_seq, link=link, ended=claims.ended, heads=found)


@blueprint.post("/<task_id>/erasures")
@needs("admin")
@endpoint(
    "Erase the content of events. Each keeps its link and says who erased it, when and why.",
    raises=(InvalidEvent, NotFound, Conflict),
)
async def erase(task_id: str, body: ErasureBody) -> ErasureResponse:
    return ErasureResponse(await erase_events(task_id, list(map(int, body.seqs)), body.reason))
