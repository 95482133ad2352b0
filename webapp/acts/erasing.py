"""Erasing events in the caller's name."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.webapp.acts.head_signer import key_of
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import task_identity
from signalbox.webapp.current import settings, store


async def erase_events(task_id: str, seqs: Sequence[int], reason: str) -> list[int]:
    """Erase the content of events, and return the seqs of those that were erased now.

    Raises UnknownTask, InvalidEvent, and BadKey if the file of the setting `signing_key` cannot be used.
    """
    key = key_of(store(), settings().signing_key)
    return await store().aerase_events(
        task_id, seqs, reason=reason, identity=task_identity(), key=key, **await audit_arguments()
    )
