"""Builds the blocks of a conversation from its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from signalbox.store import Event
from signalbox.store.model_calls import ChatMessage, ModelCall, Part, Usage, model_call_of
from signalbox.store.model_calls.calls import AGENT_OPERATIONS
from signalbox.store.projections.conversation import is_model_span
from signalbox.store.state import Span
from signalbox.webapp.views.conversation.agents import AgentSpans
from signalbox.webapp.views.conversation.blocks import Block, Speech, ToolBlock, Unread
from signalbox.webapp.views.conversation.stream import Streamed
from signalbox.webapp.views.conversation.talk import Talk, Talks
from signalbox.webapp.views.conversation.tool_events import ToolEvents

MAX_PARTS = 50
"""Parts of one message that are shown: texts, files and tool calls. The payload of the event has them all."""

MAX_NEW = 30
"""Messages of one call that are shown. Those before them are shown on the page of the call."""

MAX_BLOCKS = 200
"""Blocks of one event that are shown."""

MAX_BLOCKS_OF_CALL = 1000
"""Blocks on the page of one call."""


class Builder:
    """Builds one conversation. `has_earlier` says that its first events are not the first ones of the run.

    `max_blocks` is the limit for each event.
    """

    def __init__(self, agents: AgentSpans, *, has_earlier: bool = False, max_blocks: int = MAX_BLOCKS) -> None:
        self._has_earlier = has_earlier
        self._max_blocks = max_blocks
        self._talks = Talks(agents)
        self._tools = ToolEvents(self._talks)
        self._said: dict[str, tuple[list[Part], str]] = {}

    @property
    def blocks(self) -> list[Block]:
        """The blocks in the order of the events. A single agent is shown without a branch."""
        return self._talks.blocks

    def add(self, event: Event) -> None:
        """Add the next event. An event that says nothing for a reader adds no block."""
        try:
            self._add(event)
        except Exception:  # An event that cannot be read affects no other block.
            self._talks.root.blocks.append(Unread(**self._talks.base(event, ()), event_type=event.event_type))

    def _add(self, event: Event) -> None:
        kind = event.event_type
        if kind in ("tool_status", "tool_result"):
            self._tools.status(event)
        elif kind.startswith("permission_"):
            self._tools.permission(event)
        else:
            path = self._talks.path(event.span_id)
            span = path[-1] if path and is_model_span(path[-1]) else None
            self._call(event, model_call_of(kind, event.payload, (span.model or "model") if span else None), span)

    def add_stream(self, event: Event, streamed: Streamed) -> None:
        """Add the pieces of a streamed answer, of which `event` is the first."""
        talk, place = self._talks.of(event.span_id)
        parts = streamed.parts
        if not parts:
            return
        block = Speech(
            **self._talks.base(event, place),
            role="assistant",
            parts=parts,
            streaming=streamed.open,
            span_id=event.span_id,
        )
        block.model, block.usage = streamed.model, streamed.usage
        self._take_pending(talk, block)
        talk.blocks.append(block)
        talk.streams[event.span_id] = block

    def add_message(self, event: Event, message: ChatMessage) -> None:
        """Add one message of an event, whether or not it repeats another one."""
        self._message(event, message, self._talks.root, (), None)

    def _call(self, event: Event, call: ModelCall, span: Span | None) -> None:
        """Add a model call, or a part of the call that is the work item `span`."""
        talk, place = self._talks.of(event.span_id)
        if call.tool is not None:
            self._tools.reported(event, call.tool, talk, place)
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
            talk.blocks.append(Unread(**self._talks.base(event, place), event_type=event.event_type))

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
        room = self._max_blocks - self._talks.count(event)
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
                        **self._talks.base(event, place),
                        tool=part.name or "tool",
                        result=part.value,
                        result_seq=event.seq,
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
                tool = ToolBlock(
                    **self._talks.base(event, place), tool=part.name, arguments=part.value, call_id=part.call_id
                )
                talk.blocks.append(talk.tools.add(tool))
        self._leave_out(event, talk, place, left_out)
        if is_answer:
            talk.histories.answered(message)

    def _leave_out(self, event: Event, talk: Talk, place: tuple[Span, ...], left_out: bool) -> None:
        if left_out:
            talk.blocks.append(Unread(**self._talks.base(event, place), event_type="more parts"))

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
        block = Speech(**self._talks.base(event, place), role=message.role, parts=parts, span_id=event.span_id)
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
