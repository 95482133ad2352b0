"""Reads the newest part of a conversation, or the part before a seq."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from signalbox.store import Event, TaskReading
from signalbox.store.bounded_reads import bounded_read, payload_bytes
from signalbox.store.contract import ConversationEntry
from signalbox.store.model_calls.calls import AGENT_OPERATIONS, operation_of
from signalbox.store.state import Span, Task
from signalbox.webapp.views.conversation.agents import MAX_LEVELS, AgentSpans
from signalbox.webapp.views.conversation.blocks import Block, flat
from signalbox.webapp.views.conversation.builder import build
from signalbox.webapp.views.conversation.order import by_own_times
from signalbox.webapp.views.conversation.stream import Streamed, streamed

ENTRIES = 100
"""Entries of a page: events, or streamed answers."""

READ_AT_ONCE = 20
MAX_BYTES = 2_000_000
"""Bytes of payloads of a page. Calls with long histories and long streamed answers make a page shorter."""

MAX_BLOCKS = 1000
"""Blocks of a page. Calls that name many calls of tools make a page shorter too."""

MAX_PIECES = 3000
"""Pieces of one streamed answer that are read, the newest ones."""

SPANS = 500
"""Spans that are read at once. Those below a span are looked for among this many that began after it."""

LEVELS_BELOW = 10
"""Levels below a span whose spans are also found if they arrived before it."""


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A part of the conversation of `task`. `before` is the cursor of the part before it, None if it is the first."""

    task: Task
    blocks: list[Block]
    before: int | None = None
    is_newest: bool = True


async def conversation_view(view: TaskReading, task_id: str, *, before: int | None = None) -> Conversation:
    """Read the newest part of a conversation, or the part before the seq `before`. Raises UnknownTask."""
    task = await view.task(task_id)
    return await _read(view, task, before, None)


async def span_conversation(view: TaskReading, task: Task, span: Span) -> Conversation | None:
    """Read the newest part of the conversation of a span with the spans below it. None if it has none."""
    if not task.conversation_seq:
        return None
    within: dict[str, Span] | None = None
    if span.span_id != task.main_span_id:
        within = {span.span_id: span}
        # A span begins after its parent, unless both come from OpenTelemetry: such spans arrive in any order.
        for later in await view.spans(task.task_id, span.started_seq, SPANS):
            if later.parent_span_id in within:
                within[later.span_id] = later
        below = await view.span_descendants(task.task_id, span.span_id, LEVELS_BELOW, SPANS)
        within |= {span.span_id: span for span in below}
    found = await _read(view, task, None, within)
    return found if found.blocks else None


async def _read(view: TaskReading, task: Task, before: int | None, within: dict[str, Span] | None) -> Conversation:
    task_id = task.task_id
    ids = None if within is None else list(within)
    entries = await view.conversation(task_id, ENTRIES + 1, before=before, spans=ids)
    more, entries = len(entries) > ENTRIES, entries[-ENTRIES:]
    events = await _events(view, task_id, entries)
    if entries and len(events) < len(entries):
        kept = [entry for entry in entries if entry.first_seq in events]
        more, entries = more or len(kept) < len(entries), kept
    spans = dict(within) if within is not None else await _spans(view, task, events.values())
    answers = await _answers(view, task, entries, spans, MAX_BYTES - sum(map(payload_bytes, events.values())))
    unread = [at for at, entry in enumerate(entries) if entry.pieces and entry.first_seq not in answers]
    if unread:
        more, entries = True, entries[unread[-1] + 1 :]

    def built(entries: Sequence[ConversationEntry]) -> list[Block]:
        ordered = by_own_times(entries, events)
        said = [(events[e.first_seq], answers[e.first_seq]) if e.pieces else events[e.first_seq] for e in ordered]
        agents = AgentSpans(spans, _called(events[e.first_seq] for e in ordered), _with_calls(spans, ordered))
        return build(said, agents, has_earlier=more or within is not None)

    blocks = built(entries)
    few = _with_few_blocks(entries, blocks)
    if len(few) < len(entries):
        more, entries = True, list(few)
        blocks = built(entries)
    return Conversation(
        task=task,
        blocks=blocks,
        before=min(entry.first_seq for entry in entries) if more and entries else None,
        is_newest=before is None,
    )


def _with_few_blocks(entries: Sequence[ConversationEntry], blocks: list[Block]) -> Sequence[ConversationEntry]:
    """Return the newest entries, at least one, whose blocks are at most MAX_BLOCKS together."""
    numbers = Counter(block.seq for block in flat(blocks))
    left = MAX_BLOCKS
    for at in range(len(entries) - 1, -1, -1):
        left -= numbers[entries[at].first_seq]
        if left < 0:
            return entries[min(at + 1, len(entries) - 1) :]
    return entries


async def _events(view: TaskReading, task_id: str, entries: Sequence[ConversationEntry]) -> dict[int, Event]:
    """Return the first events of the newest entries whose payloads are not too long together, by seq."""
    found: dict[int, Event] = {}
    size = 0
    for end in range(len(entries), 0, -READ_AT_ONCE):
        seqs = [entry.first_seq for entry in entries[max(0, end - READ_AT_ONCE) : end]]
        for event in reversed(await view.events_at(task_id, seqs)):
            size += payload_bytes(event)
            if size > MAX_BYTES and found:
                return found
            found[event.seq] = event
    return found


async def _answers(
    view: TaskReading, task: Task, entries: Sequence[ConversationEntry], spans: Mapping[str, Span], left: int
) -> dict[int, Streamed]:
    """Return the streamed answers by the seqs of their first pieces: the newest ones, with about `left` bytes."""
    found: dict[int, Streamed] = {}
    for entry in reversed(entries):
        if entry.pieces:
            if left <= 0 and entry is not entries[-1]:
                break
            pieces = await _pieces(view, task.task_id, entry, max(left, MAX_BYTES // 4))
            left -= sum(map(payload_bytes, pieces))
            span = spans.get(entry.span_id)
            is_open = not task.ended and (span is None or span.state in ("open", "mark"))
            is_cut = bool(pieces) and pieces[0].seq != entry.first_seq
            found[entry.first_seq] = streamed(pieces, is_open=is_open, is_cut=is_cut)
    return found


async def _pieces(view: TaskReading, task_id: str, entry: ConversationEntry, max_bytes: int) -> list[Event]:
    """Return the newest pieces of a streamed answer in their order."""

    async def before(piece: Event | None, limit: int) -> list[Event]:
        last = piece.seq - 1 if piece else entry.last_seq
        return (await view.events_of_span(task_id, entry.span_id, entry.first_seq, last, limit))[::-1]

    pieces, _ = await bounded_read(before, MAX_PIECES, max_bytes, payload_bytes)
    return pieces[::-1]


async def _spans(view: TaskReading, task: Task, events: Iterable[Event]) -> dict[str, Span]:
    """Return the spans of the events with all spans above them."""
    if task.spans_total <= SPANS:
        return {span.span_id: span for span in await view.spans(task.task_id, 0, SPANS)}
    named = {event.span_id for event in events}
    return {span.span_id: span for span in await view.spans_with_ancestors(task.task_id, named, MAX_LEVELS)}


def _called(events: Iterable[Event]) -> set[str]:
    """Return the spans whose events say that they are agents."""
    return {event.span_id for event in events if operation_of(event.payload) in AGENT_OPERATIONS}


def _with_calls(spans: Mapping[str, Span], entries: Iterable[ConversationEntry]) -> set[str]:
    """Return the spans of tools below which a model was called."""
    found: set[str] = set()
    for entry in entries:
        span = spans.get(entry.span_id)
        if span is None or span.kind == "tool" or span.kind == "run":
            continue
        for _ in range(MAX_LEVELS):
            span = spans.get(span.parent_span_id or "") if span else None
            if span is None or span.span_id in found:
                break
            found.add(span.span_id)
    return found
