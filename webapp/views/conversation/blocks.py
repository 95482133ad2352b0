"""The values of a conversation: what a page shows one below the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from signalbox.store.model_calls import Part, Usage
from signalbox.store.model_calls.messages import Role
from signalbox.store.state import Span


@dataclass(kw_only=True)
class Block:
    """What one event begins. `name` is unique in a conversation and never changes: it becomes a DOM id.

    `place` are the spans of the block, without those of the agent that contains it.
    """

    name: str
    seq: int
    at: str
    place: tuple[Span, ...] = ()


@dataclass(kw_only=True)
class Speech(Block):
    """Something that a speaker said. `earlier` messages of the call are repeated from earlier calls.

    `call_seq` is the event with all messages of the call, and `text_seq` that with the whole text, 0 if there is none.
    An answer is `streaming` until its last piece.
    """

    role: Role
    parts: list[Part] = field(default_factory=list)
    model: str | None = None
    usage: Usage | None = None
    stop_reason: str = ""
    earlier: int = 0
    call_seq: int = 0
    text_seq: int = 0
    streaming: bool = False
    span_id: str = ""

    @property
    def text(self) -> str:
        """The text, without thinking and files."""
        return "\n\n".join(part.text for part in self.parts if part.kind == "text")


@dataclass(kw_only=True)
class PermissionNote:
    """The permission request for a tool call, and its answer if there is one.

    `asked` is the reason of the request, and `reason` that of the answer.
    """

    request_id: str
    state: str = "open"
    by: str = ""
    claimed: bool = False
    asked: str = ""
    reason: str = ""


@dataclass(kw_only=True)
class ToolBlock(Block):
    """A call of a tool with its arguments, its result, its duration in words, and its permission.

    `result_seq` is the event that has the result. `state` is open, done or failed; "" if the log does not say.
    """

    tool: str
    arguments: Any = None
    result: Any = None
    result_seq: int = 0
    state: str = ""
    took: str = ""
    error: str = ""
    call_id: str = ""
    span_id: str = ""
    permission: PermissionNote | None = None
    is_request: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether the log has the result."""
        return self.result_seq > 0


@dataclass(kw_only=True)
class AgentBranch(Block):
    """An agent within the agent: its own conversation."""

    span: Span
    blocks: list[Block] = field(default_factory=list)


@dataclass(kw_only=True)
class Unread(Block):
    """An event about a model call in a format that is not known. Its payload is shown as it is."""

    event_type: str


def flat(blocks: list[Block]) -> Iterator[Block]:
    """Yield all blocks, also those within branches."""
    for block in blocks:
        yield block
        if isinstance(block, AgentBranch):
            yield from flat(block.blocks)
