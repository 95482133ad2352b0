"""Frames of a page with a conversation: they have the blocks that changed, and not the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from signalbox.store import Reading, Store
from signalbox.store.identity import check_identity
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.drawing.turns import changes_between
from signalbox.webapp.live import sse
from signalbox.webapp.live.chunk import Chunk
from signalbox.webapp.live.renderer import Kept
from signalbox.webapp.live.task_frames import KEPT_STATES, V

Drawn = tuple[Mapping[str, str], Mapping[str, str]]
"""The parts of a page, and the blocks of its conversation, both by DOM id."""


class TurnFrames:
    """Renders the frames of a page with a conversation. `draw` returns its parts and its blocks."""

    def __init__(
        self,
        store: Store,
        fragments: Fragments,
        read: Callable[[Reading], Awaitable[V]],
        draw: Callable[[V], Awaitable[Drawn]],
        identity: str = "",
    ) -> None:
        self._store = store
        self._fragments = fragments
        self._read = read
        self._draw = draw
        self._identity = identity
        self._kept: Kept[int, Drawn] = Kept(KEPT_STATES)

    async def __call__(self, cursor: int) -> Chunk | None:
        async with self._store.read() as view:
            seen = await self._read(view)
        check_identity(seen.task.task_id, self._identity, seen.task.identity)
        seq = seen.task.latest_seq
        if seq <= cursor:
            return None
        parts, turns = await self._draw(seen)
        before, before_turns = self._kept.get(cursor) or ({}, {})
        self._kept.put(seq, (parts, turns))
        changed = {part: html for part, html in parts.items() if html != before.get(part)}
        changes = changes_between(before_turns, turns)
        if changes is None or _around(before, before_turns) != _around(parts, turns):
            html = self._fragments.parts_frame(changed, cursor, seq)
        else:
            changed.pop(ids.CONVERSATION, None)
            html = self._fragments.turns_frame(changes, changed, cursor, seq)
        return Chunk(sse.html_message(seq, html), seq, seq - cursor)


def _around(parts: Mapping[str, str], turns: Mapping[str, str]) -> str:
    """Return the part with the conversation without its blocks."""
    return parts.get(ids.CONVERSATION, "").replace("".join(turns.values()), "")
