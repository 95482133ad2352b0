"""The conversations of the agents of a run, while they are built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from signalbox.store import Event
from signalbox.store.state import Span
from signalbox.webapp.views.conversation.agents import AgentSpans
from signalbox.webapp.views.conversation.blocks import AgentBranch, Block, PermissionNote, Speech
from signalbox.webapp.views.conversation.history import Histories
from signalbox.webapp.views.conversation.tool_calls import ToolCalls


@dataclass
class Talk:
    """The conversation of one agent, while it is built. `pending` are the numbers of repeated messages by span."""

    blocks: list[Block]
    histories: Histories = field(default_factory=Histories)
    tools: ToolCalls = field(default_factory=ToolCalls)
    pending: dict[str, tuple[int, int]] = field(default_factory=dict)
    streams: dict[str, Speech] = field(default_factory=dict)


class Talks:
    """The conversations of all agents of a run, and the names of their blocks."""

    def __init__(self, agents: AgentSpans) -> None:
        self.root = Talk([])
        self._agents = agents
        self._by_agent: dict[str, Talk] = {}
        self._numbers: dict[int, int] = {}

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the events. A single agent is shown without a branch."""
        blocks = self.root.blocks
        while len(blocks) == 1 and isinstance(blocks[0], AgentBranch):
            blocks = blocks[0].blocks
        return blocks

    def path(self, span_id: str) -> Sequence[Span]:
        """Return the spans from the outermost one to the one with this id; empty if it is unknown."""
        return self._agents.path(span_id)

    def of(self, span_id: str, *, inside: bool = True) -> tuple[Talk, tuple[Span, ...]]:
        """Return the conversation to which a span belongs, and the spans between its agent and the span."""
        talk, place = self.root, list[Span]()
        for span in self._agents.path(span_id):
            # The call of a tool belongs to its caller, also if the tool is an agent.
            is_tool_call = not inside and span.span_id == span_id and span.kind == "tool"
            if self._agents.is_agent(span) and not is_tool_call:
                talk, place = self._branch(talk, span, tuple(place)), []
            elif span.kind != "run" and not is_tool_call:
                place.append(span)
        return talk, tuple(place)

    def _branch(self, outer: Talk, span: Span, place: tuple[Span, ...]) -> Talk:
        talk = self._by_agent.get(span.span_id)
        if talk is None:
            branch = AgentBranch(
                name=f"agent-{span.started_seq}", seq=span.started_seq, at=span.started_at, place=place, span=span
            )
            outer.blocks.append(branch)
            talk = self._by_agent[span.span_id] = Talk(branch.blocks)
        return talk

    def base(self, event: Event, place: tuple[Span, ...]) -> dict[str, Any]:
        """Return the fields that all blocks have, for the next block of an event."""
        number = self._numbers[event.seq] = self._numbers.get(event.seq, 0) + 1
        name = f"{event.seq}" if number == 1 else f"{event.seq}-{number}"
        return {"name": name, "seq": event.seq, "at": event.happened_at, "place": place}

    def count(self, event: Event) -> int:
        """Return the number of blocks that an event has."""
        return self._numbers.get(event.seq, 0)

    def note(self, talk: Talk, request_id: str | None) -> PermissionNote | None:
        """Return the note of a request, in `talk` or else in another conversation."""
        notes = (one.tools.permission(request_id) for one in (talk, self.root, *self._by_agent.values()))
        return next((found for found in notes if found), None)
