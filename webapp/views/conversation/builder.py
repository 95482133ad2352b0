"""Builds the blocks of a conversation from its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from signalbox.store import Event
from signalbox.store.events import is_claim
from signalbox.store.model_calls import ChatMessage, ModelCall, Part, Usage, model_call_of
from signalbox.store.model_calls.calls import AGENT_OPERATIONS
from signalbox.store.projections.conversation import is_model_span
from signalbox.store.projections.payload import request_id_of, text
from signalbox.store.state import Span
from signalbox.webapp.views.conversation.agents import AgentSpans
from signalbox.webapp.views.conversation.blocks import AgentBranch, Block, PermissionNote, Speech, ToolBlock, Unread
from signalbox.webapp.views.conversation.history import Histories
from signalbox.webapp.views.conversation.stream import Streamed
from signalbox.webapp.views.conversation.tool_calls import ToolCalls
from signalbox.webapp.views.text import between

MAX_PARTS = 50
"""Parts of one message that are shown: texts, files and tool calls. The payload of the event has them all."""

MAX_NEW = 30
"""Messages of one call that are shown. Those before them are shown on the page of the call."""

MAX_BLOCKS = 200
"""Blocks of one event that are shown."""

MAX_BLOCKS_OF_CALL = 1000
"""Blocks on the page of one call."""


@dataclass
class Talk:
    """The conversation of one agent, while it is built. `pending` are the numbers of repeated messages by span."""

    blocks: list[Block]
    histories: Histories = field(default_factory=Histories)
    tools: ToolCalls = field(default_factory=ToolCalls)
    pending: dict[str, tuple[int, int]] = field(default_factory=dict)
    streams: dict[str, Speech] = field(default_factory=dict)


class Builder:
    """Builds one conversation. `has_earlier` says that its first events are not the first ones of the run.

    `max_blocks` is the limit for each event.
    """

    def __init__(self, agents: AgentSpans, *, has_earlier: bool = False, max_blocks: int = MAX_BLOCKS) -> None:
        self._agents = agents
        self._has_earlier = has_earlier
        self._max_blocks = max_blocks
        self._root = Talk([])
        self._talks: dict[str, Talk] = {}
        self._numbers: dict[int, int] = {}
        self._said: dict[str, tuple[list[Part], str]] = {}

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the events. A single agent is shown without a branch."""
        blocks = self._root.blocks
        while len(blocks) == 1 and isinstance(blocks[0], AgentBranch):
            blocks = blocks[0].blocks
        return blocks

    def add(self, event: Event) -> None:
        """Add the next event. An event that says nothing for a reader adds no block."""
        try:
            self._add(event)
        except Exception:  # An event that cannot be read affects no other block.
            self._root.blocks.append(Unread(**self._base(event, ()), event_type=event.event_type))

    def _add(self, event: Event) -> None:
        kind = event.event_type
        if kind in ("tool_status", "tool_result"):
            self._tool(event)
        elif kind.startswith("permission_"):
            self._permission(event)
        else:
            path = self._agents.path(event.span_id)
            span = path[-1] if path and is_model_span(path[-1]) else None
            self._call(event, model_call_of(kind, event.payload, (span.model or "model") if span else None), span)

    def add_stream(self, event: Event, streamed: Streamed) -> None:
        """Add the pieces of a streamed answer, of which `event` is the first."""
        talk, place = self._talk(event.span_id)
        parts = streamed.parts
        if not parts:
            return
        block = Speech(
            **self._base(event, place), role="assistant", parts=parts, streaming=streamed.open, span_id=event.span_id
        )
        block.model, block.usage = streamed.model, streamed.usage
        self._take_pending(talk, block)
        talk.blocks.append(block)
        talk.streams[event.span_id] = block

    def add_message(self, event: Event, message: ChatMessage) -> None:
        """Add one message of an event, whether or not it repeats another one."""
        self._message(event, message, self._root, (), None)

    def _talk(self, span_id: str, *, inside: bool = True) -> tuple[Talk, tuple[Span, ...]]:
        """Return the conversation to which a span belongs, and the spans between its agent and the span."""
        talk, place = self._root, list[Span]()
        for span in self._agents.path(span_id):
            # The call of a tool belongs to its caller, also if the tool is an agent.
            is_tool_call = not inside and span.span_id == span_id and span.kind == "tool"
            if self._agents.is_agent(span) and not is_tool_call:
                talk, place = self._branch(talk, span, tuple(place)), []
            elif span.kind != "run" and not is_tool_call:
                place.append(span)
        return talk, tuple(place)

    def _branch(self, outer: Talk, span: Span, place: tuple[Span, ...]) -> Talk:
        talk = self._talks.get(span.span_id)
        if talk is None:
            branch = AgentBranch(
                name=f"agent-{span.started_seq}", seq=span.started_seq, at=span.started_at, place=place, span=span
            )
            outer.blocks.append(branch)
            talk = self._talks[span.span_id] = Talk(branch.blocks)
        return talk

    def _base(self, event: Event, place: tuple[Span, ...]) -> dict[str, Any]:
        number = self._numbers[event.seq] = self._numbers.get(event.seq, 0) + 1
        name = f"{event.seq}" if number == 1 else f"{event.seq}-{number}"
        return {"name": name, "seq": event.seq, "at": event.happened_at, "place": place}

    def _call(self, event: Event, call: ModelCall, span: Span | None) -> None:
        """Add a model call, or a part of the call that is the work item `span`."""
        talk, place = self._talk(event.span_id)
        if call.tool is not None:
            self._reported_tool(event, call, talk, place)
        if call.input:
            self._sent(event, call.input, talk, place)
        output = call.output
        if span is not None and not output and not call.input and not call.tool and event.event_type == "log":
            said = event.payload.get("message")
            if isinstance(said, str) and said.strip():
                output = (ChatMessage(role="assistant", parts=(Part(kind="text", text=said),)),)
        before = len(talk.blocks)
        for message in output:
            self._message(event, message, talk, place, call, joins=span is not None)
        self._describe(event, call, talk, span)
        if call.is_empty and len(talk.blocks) == before and _is_unread(event, call):
            talk.blocks.append(Unread(**self._base(event, place), event_type=event.event_type))

    def _sent(self, event: Event, sent: Sequence[ChatMessage], talk: Talk, place: tuple[Span, ...]) -> None:
        is_first = not talk.histories
        new = talk.histories.new_messages(sent)
        if is_first and self._has_earlier:
            new = _after_last_answer(new)
        new = new[-MAX_NEW:]
        repeated = len(sent) - len(new)
        begins = True
        for message in new:
            # The answer to the call before, and the results of its tools, were already reported by other events.
            if begins and self._is_known(message, talk, event.seq):
                repeated += 1
                continue
            if message.role == "user":
                begins = False
            self._message(event, message, talk, place, None)
        if repeated:
            talk.pending[event.span_id] = (repeated, event.seq)

    def _is_known(self, message: ChatMessage, talk: Talk, seq: int) -> bool:
        if message.role == "tool":
            return all(talk.tools.answered(part, seq) for part in message.parts)
        if message.role != "assistant":
            return False
        said = [part for part in message.parts if part.kind == "text" and part.text.strip()]
        asked = [part for part in message.parts if part.kind == "tool_call"]
        texts = {self._words_of(block) for block in talk.blocks[-MAX_NEW:] if isinstance(block, Speech)}
        known = all(_words(part.text) in texts for part in said) and all(talk.tools.asked(part) for part in asked)
        return known and bool(said or asked)

    def _words_of(self, block: Speech) -> str:
        """Return the words of a block, which are compared with those of many messages."""
        parts, words = self._said.get(block.name, ([], ""))
        if parts is not block.parts:
            words = _words(block.text)
            self._said[block.name] = block.parts, words
        return words

    def _message(
        self,
        event: Event,
        message: ChatMessage,
        talk: Talk,
        place: tuple[Span, ...],
        call: ModelCall | None,
        *,
        joins: bool = False,
    ) -> None:
        """Add a message: an answer if there is a `call`. With `joins` it continues the answer in the same span."""
        is_answer = call is not None
        room = self._max_blocks - self._numbers.get(event.seq, 0)
        if room < 0:
            return
        shown = min(MAX_PARTS, room)
        left_out = len(message.parts) > shown
        if left_out:
            message = msgspec.structs.replace(message, parts=message.parts[:shown])
        if message.role == "tool":
            for part in message.parts:
                if not talk.tools.answered(part, event.seq):
                    block = ToolBlock(
                        **self._base(event, place), tool=part.name or "tool", result=part.value, result_seq=event.seq
                    )
                    block.state, block.call_id = "failed" if part.failed else "done", part.call_id
                    talk.blocks.append(talk.tools.add(block))
            self._leave_out(event, talk, place, left_out)
            return
        parts = [part for part in message.parts if part.kind != "tool_call"]
        if parts:
            self._say(event, message, parts, talk, place, is_answer=is_answer, joins=joins)
        for part in message.parts:
            if part.kind == "tool_call" and not talk.tools.asked(part):
                tool = ToolBlock(**self._base(event, place), tool=part.name, arguments=part.value, call_id=part.call_id)
                talk.blocks.append(talk.tools.add(tool))
        self._leave_out(event, talk, place, left_out)
        if is_answer:
            talk.histories.answered(message)

    def _leave_out(self, event: Event, talk: Talk, place: tuple[Span, ...], left_out: bool) -> None:
        if left_out:
            talk.blocks.append(Unread(**self._base(event, place), event_type="more parts"))

    def _say(
        self,
        event: Event,
        message: ChatMessage,
        parts: list[Part],
        talk: Talk,
        place: tuple[Span, ...],
        *,
        is_answer: bool,
        joins: bool,
    ) -> None:
        if is_answer:
            streamed = talk.streams.pop(event.span_id, None)
            if streamed is not None and event.event_type != "log":
                # The whole answer follows its pieces.
                streamed.parts, streamed.streaming, streamed.text_seq = parts, False, event.seq
                return
            last = talk.blocks[-1] if talk.blocks else None
            if joins and isinstance(last, Speech) and (last.role, last.span_id) == (message.role, event.span_id):
                if self._words_of(last) != _words("\n\n".join(part.text for part in parts if part.kind == "text")):
                    last.parts = [*last.parts, *parts][:MAX_PARTS]
                return
        block = Speech(**self._base(event, place), role=message.role, parts=parts, span_id=event.span_id)
        block.text_seq = event.seq
        if message.role == "assistant":
            self._take_pending(talk, block)
        talk.blocks.append(block)

    def _take_pending(self, talk: Talk, block: Speech) -> None:
        block.earlier, block.call_seq = talk.pending.pop(block.span_id, (0, 0))

    def _describe(self, event: Event, call: ModelCall, talk: Talk, span: Span | None) -> None:
        """Add the model, the usage and the reason of the end to the last answer of the call's span."""
        of_span = (
            block
            for block in reversed(talk.blocks)
            if isinstance(block, Speech) and block.role == "assistant" and block.span_id == event.span_id
        )
        block = next(of_span, None)
        if block is None or call.operation in AGENT_OPERATIONS:
            return
        block.model = (span.model if span else call.model) or block.model
        block.usage = _larger(block.usage, call.usage)
        block.stop_reason = call.stop_reason or block.stop_reason
        if call.usage or call.stop_reason or event.event_type in ("work_item_complete", "work_item_failed"):
            block.streaming = False

    def _reported_tool(self, event: Event, call: ModelCall, talk: Talk, place: tuple[Span, ...]) -> None:
        tool = call.tool
        if tool is None:
            return
        block = talk.tools.started(event.span_id, tool.name, tool.call_id)
        if block is None:
            block = ToolBlock(**self._base(event, place), tool=tool.name, call_id=tool.call_id)
            talk.blocks.append(talk.tools.add(block))
        block.span_id, block.arguments = event.span_id, block.arguments if tool.arguments is None else tool.arguments
        if tool.has_result:
            block.result, block.result_seq, block.state = tool.result, event.seq, "done"
            span = next(iter(self._agents.path(event.span_id)[-1:]), None)
            if span is not None and span.ended_at:
                block.took = between(span.started_at, span.ended_at)
        talk.tools.changed(block)

    def _tool(self, event: Event) -> None:
        payload = event.payload
        talk, place = self._talk(event.span_id, inside=False)
        name = text(payload, "tool_name", "name") or "tool"
        block = talk.tools.started(event.span_id, name, text(payload, "tool_call_id", "call_id") or "")
        if block is None:
            block = ToolBlock(**self._base(event, place), tool=name)
            talk.blocks.append(talk.tools.add(block))
        if block.span_id != event.span_id or block.is_request:
            block.span_id, block.is_request, block.at = event.span_id, False, event.happened_at
        if payload.get("arguments") is not None:
            block.arguments = payload["arguments"]
        if event.event_type == "tool_status":
            block.state = block.state if block.is_answered else "open"
            talk.tools.changed(block)
            return
        failed = bool(payload.get("error_code")) or payload.get("status") == "failed"
        block.state, block.result_seq = "failed" if failed else "done", event.seq
        block.took = between(block.at, event.happened_at)
        block.error = (text(payload, "message", "explanation", "error_code") or "") if failed else ""
        rest = {key: value for key, value in payload.items() if key not in _TOOL_KEYS}
        known = next((payload[key] for key in _RESULT_KEYS if payload.get(key) is not None), None)
        result = known if known is not None and len(rest) <= 1 else rest or None
        block.result = result if result is not None else block.result
        talk.tools.changed(block)

    def _permission(self, event: Event) -> None:
        talk, place = self._talk(event.span_id, inside=False)
        payload = event.payload
        if event.event_type == "permission_request":
            if known := self._note(talk, request_id_of(event)):
                # After an interruption was undone, the store repeats the requests that the interruption had closed.
                is_of_store = event.actor == "supervisor" and event.origin is not msgspec.UNSET
                if is_of_store and known.state == "cleared":
                    known.state, known.by, known.claimed, known.reason = "open", "", False, ""
                return
            name = text(payload, "tool_name") or "permission"
            block = talk.tools.of_request(event.span_id, name)
            if block is None:
                block = ToolBlock(**self._base(event, place), tool=name, span_id=event.span_id, is_request=True)
                block.arguments = payload.get("arguments")
                talk.blocks.append(talk.tools.add(block))
            reason = text(payload, "reason", "message") or ""
            block.permission = PermissionNote(request_id=request_id_of(event), asked=reason)
            return
        if is_claim(event):
            return
        note = self._note(talk, text(payload, "request_id"))
        if note is None or note.state != "open":
            return
        if event.event_type == "permission_response":
            note.state = "approved" if payload.get("approved") is True else "denied"
        else:
            note.state = "expired" if payload.get("cause") == "expired" else "cleared"
        note.by, note.claimed = text(payload, "by") or "", event.origin != "server"
        note.reason = text(payload, "reason") or ""

    def _note(self, talk: Talk, request_id: str | None) -> PermissionNote | None:
        """Return the note of a request, in `talk` or else in another conversation."""
        notes = (one.tools.permission(request_id) for one in (talk, self._root, *self._talks.values()))
        return next((found for found in notes if found), None)


_TOOL_KEYS = frozenset(
    {"tool_name", "name", "status", "arguments", "message", "error_code", "tool_call_id", "call_id", "hook"}
)
_RESULT_KEYS = ("result", "output", "content", "response")


def _after_last_answer(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Return the messages after the last one of the model or of a tool: those before it belong to earlier calls."""
    answers = [at for at, message in enumerate(messages) if message.role in ("assistant", "tool")]
    return messages[answers[-1] + 1 :] if answers else messages


def _words(said: str) -> str:
    return " ".join(said.split())


def _larger(one: Usage | None, other: Usage | None) -> Usage | None:
    return one.or_larger(other) if one and other else one or other


def _is_unread(event: Event, call: ModelCall) -> bool:
    """Return whether an event has messages or attributes of a model call that could not be read."""
    payload = event.payload
    return bool(payload.get("messages") or payload.get("tool_calls")) or event.event_type.startswith("gen_ai.")


def build(events: Iterable[Event | tuple[Event, Streamed]], agents: AgentSpans, *, has_earlier: bool) -> list[Block]:
    """Return the blocks of some events, in their order. A streamed answer comes with its first event."""
    builder = Builder(agents, has_earlier=has_earlier)
    for one in events:
        if isinstance(one, Event):
            builder.add(one)
        else:
            builder.add_stream(*one)
    return builder.blocks


def whole_call(event: Event, call: ModelCall, agents: AgentSpans) -> list[Block]:
    """Return all messages of one model call."""
    builder = Builder(agents, max_blocks=MAX_BLOCKS_OF_CALL)
    for message in (*call.input, *call.output):
        builder.add_message(event, message)
    return builder.blocks
