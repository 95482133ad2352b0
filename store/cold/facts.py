"""The facts of a cold file, which its footer has."""

from __future__ import annotations

import msgspec

FORMAT = 1
"""The version of the format that this version writes."""


class ColdFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a cold file has.

    `digest` is the SHA-256 of the footer as 64 hexadecimal digits. The footer has the hash of every other part, so the
    digest stands for the whole file. `size` is that of the file in bytes. For a task without events the seqs and event
    ids are 0. `updated_at` is that of the task when it was packed.
    """

    task_id: str
    identity: str
    events: int
    first_seq: int
    last_seq: int
    first_event_id: int
    last_event_id: int
    updated_at: str
    artifacts: int
    size: int
    digest: str
    format: int = FORMAT
