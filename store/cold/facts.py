"""The facts of a cold file, and its footer, which lists the parts of the file."""

from __future__ import annotations

import msgspec

FORMAT = 1
"""The version of the format that this version writes."""


class ColdFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a cold file in short.

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


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive bytes of the file, and their SHA-256."""

    offset: int
    length: int
    sha256: bytes


class EventBlock(FilePart, frozen=True, kw_only=True):
    """A block of consecutive events, and the values by which reads find it.

    `first_time` and `last_time` are the least and the greatest time at which one of the events happened. `failures`,
    `changing`, `errors` and `plain` count the events that report a failure, that change more than counters, that are
    lines of stderr, and that have terminal escape sequences. `types`, `phases` and `actors` have pairs of an index in
    the footer's list of the same name and a number of events.
    """

    events: int
    first_seq: int
    last_seq: int
    first_event_id: int
    last_event_id: int
    first_time: str
    last_time: str
    failures: int
    changing: int
    errors: int
    plain: int
    types: list[tuple[int, int]]
    phases: list[tuple[int, int]]
    actors: list[tuple[int, int]]


class FoldedState(FilePart, frozen=True, kw_only=True):
    """The state of the task after its event `seq`, for reads as of that event or a later one."""

    seq: int


class PackedContent(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an artifact in pieces."""

    sha256: str
    size: int
    pieces: list[FilePart]


class FileFooter(msgspec.Struct, frozen=True, kw_only=True):
    """All facts and parts of a file. `columns` are those of `task_events`, in the order in which blocks have them.

    `image` is a SQLite database in pieces, with the tables of the task except its events. `states_of` says what the
    `states` have: see `states.partial_states`. A version with other fields of a state does not use them.
    """

    format: int
    task_id: str
    identity: str
    updated_at: str
    events: int
    columns: list[str]
    types: list[str]
    phases: list[str]
    actors: list[str]
    blocks: list[EventBlock]
    image: list[FilePart]
    states_of: str
    states: list[FoldedState]
    contents: list[PackedContent]

    def facts(self, size: int, digest: str) -> ColdFacts:
        """Return the facts of a file with this footer."""
        first, last = (self.blocks[0], self.blocks[-1]) if self.blocks else (None, None)
        return ColdFacts(
            task_id=self.task_id,
            identity=self.identity,
            events=self.events,
            first_seq=first.first_seq if first else 0,
            last_seq=last.last_seq if last else 0,
            first_event_id=first.first_event_id if first else 0,
            last_event_id=last.last_event_id if last else 0,
            updated_at=self.updated_at,
            artifacts=len(self.contents),
            size=size,
            digest=digest,
            format=self.format,
        )
