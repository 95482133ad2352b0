"""The projection of tokens and cost: the usage of each span with all spans below it, and of the run.

A span adds up the reports of its own events and the usage of the spans below it. A report that sums these up must not
count twice. It is one if

- its event closes the span (for the run: ends the run),
- its event is about an agent: the operation `invoke_agent`, or OpenInference's kind AGENT or CHAIN,
- it equals the sum of two or more reports of spans below.

The larger of the summary and of the sum counts, so a call that reported nothing itself counts if the summary has it.
The next report of the same call (the same `gen_ai.response.id`, or another piece of the same streamed answer) completes
the one before it: the larger of each number counts. Each attempt of a span counts. An event that is appended again with
its key is stored once, so it counts once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec

from signalbox.store.events import Event
from signalbox.store.model_calls.calls import AGENT_OPERATIONS, operation_of, response_id_of
from signalbox.store.model_calls.pieces import is_piece
from signalbox.store.model_calls.usage import NOTHING, Usage
from signalbox.store.model_calls.usage_reading import model_of, usage_of
from signalbox.store.state import Span, Tally, Task, TaskState

MAX_LEVELS = 50
"""Spans above a span to which its usage is added. With more, it is then added to the run directly."""

MAX_WAITING = 200
"""Parent spans that a task remembers before the log names them."""

_SUMMARIES = frozenset(
    {"work_item_complete", "work_item_failed", "tool_result", "phase_exit", "runner_exit", "span_end"}
)
"""Events that close a span."""


def sources(state: TaskState, reporting: Collection[str], parents: Mapping[str, str]) -> set[str]:
    """Return the spans whose usage events may add to their ancestors.

    `reporting` are the spans of events that concern model calls, and `parents` has the parents that events give spans.
    `state` has all these spans, as far as they exist.
    """
    found = {
        span_id for span_id in parents if (span := state.spans.get(span_id)) and span.usage and not span.parent_span_id
    }
    if state.task.tally is not None:
        found.update(name for name in state.task.tally.waiting if name in parents or name in reporting)
    return found.union(reporting)


def report(state: TaskState, event: Event, span: Span, kind: str) -> None:
    """Fold the model and the usage that an event about a model call reports."""
    payload = event.payload
    task = state.task
    task.conversation_seq = task.conversation_seq or event.seq
    if (model := model_of(payload)) and span.model != model:
        span.model, span.changed_seq = model, event.seq
    # The numbers of a span that has just started are not complete. Its `span_end` has them.
    usage = None if kind == "span_start" else usage_of(payload, span.model)
    if usage is None:
        return
    tally = _tally(task if _is_main(task, span) else span)
    call = response_id_of(payload)
    if not call and is_piece(event.event_type, payload):
        call = tally.call or "piece"
    if _is_summary(event, kind) or _repeats_sum(tally, usage):
        tally.summary = usage
    elif tally.last is not None and call and call == tally.call:
        completed = tally.last.completed_by(usage)
        _add(tally, _difference(tally.last, completed))
        tally.last = completed
    else:
        _add(tally, _difference(NOTHING, usage))
        tally.last, tally.call = usage, call
    _spread(state, span, event.seq)


def adopt(state: TaskState, span: Span, seq: int) -> None:
    """Give a new span the usage of the spans that named it as their parent before."""
    tally = state.task.tally
    waiting = tally.waiting.get(span.span_id) if tally else None
    if tally is None or waiting is None:
        return
    tally.waiting = {name: usage for name, usage in tally.waiting.items() if name != span.span_id}
    if _is_main(state.task, span):
        _show(state, seq)
        return
    _add(tally, _difference(waiting, NOTHING))
    _add(_tally(span), _difference(NOTHING, waiting))
    _spread(state, span, seq)


def move(state: TaskState, span: Span, seq: int) -> None:
    """Add the usage of a span, which so far had no parent, to the parent that the log names now."""
    tally = state.task.tally
    if tally is None or span.usage is None or _is_main(state.task, span):
        return
    _add(tally, _difference(span.usage, NOTHING))
    _credit(state, span, _difference(NOTHING, span.usage), seq)


def begin_attempt(state: TaskState, span: Span) -> None:
    """Begin another attempt of a span: the reports of the earlier ones are complete."""
    owner = state.task if _is_main(state.task, span) else span
    if owner.tally is not None and owner.usage is not None:
        owner.tally = Tally(before=owner.usage, waiting=owner.tally.waiting)


def _is_main(task: Task, span: Span) -> bool:
    return span.span_id == task.main_span_id


def _is_summary(event: Event, kind: str) -> bool:
    return kind in _SUMMARIES or operation_of(event.payload) in AGENT_OPERATIONS


def _repeats_sum(tally: Tally, usage: Usage) -> bool:
    """Return whether a report equals the sum of at least two reports of spans below."""
    return tally.credits > 1 and tally.last is None and usage.tokens == tally.within.tokens


def _tally(owner: Task | Span) -> Tally:
    # A new value, because defaults and stored states are shared.
    owner.tally = tally = Tally() if owner.tally is None else owner.tally
    return tally


class _Change(NamedTuple):
    """A change of a usage: the difference, and by how many the parts with a reported cost become more."""

    usage: Usage
    priced: int

    def __bool__(self) -> bool:
        return bool(self.usage) or self.priced != 0


def _difference(before: Usage, after: Usage) -> _Change:
    return _Change(after.minus(before), (after.cost is not None) - (before.cost is not None))


def _add(tally: Tally, change: _Change) -> None:
    tally.within = tally.within.plus(change.usage)
    tally.priced += change.priced
    if change.priced < 0 and tally.priced == 0:
        # No part has a reported cost any more, as if none had ever reported one.
        tally.within = msgspec.structs.replace(tally.within, cost=None)


def _total(tally: Tally) -> Usage:
    present = tally.within if tally.summary is None else tally.summary.or_larger(tally.within)
    return tally.before.plus(present)


def _spread(state: TaskState, span: Span, seq: int) -> None:
    """Compute the usage of a span whose tally changed, and add the change to the spans above it and to the run."""
    if _is_main(state.task, span):
        _show(state, seq)
        return
    _credit(state, span, _change(span, seq), seq)


def _change(span: Span, seq: int) -> _Change:
    before, span.usage = span.usage or NOTHING, _total(_tally(span))
    span.changed_seq = seq
    return _difference(before, span.usage)


def _credit(state: TaskState, span: Span, change: _Change, seq: int) -> None:
    task = state.task
    met = {span.span_id}
    for _ in range(MAX_LEVELS):
        parent_id = span.parent_span_id
        if not change or parent_id is None or parent_id == task.main_span_id or parent_id in met:
            break
        parent = state.spans.get(parent_id)
        if parent is None:
            waiting = _tally(task).waiting
            if parent_id in waiting or len(waiting) < MAX_WAITING:
                _tally(task).waiting = {**waiting, parent_id: waiting.get(parent_id, NOTHING).plus(change.usage)}
            break
        tally = _tally(parent)
        _add(tally, change)
        tally.credits += 1
        met.add(parent_id)
        span, change = parent, _change(parent, seq)
    if change:
        tally = _tally(task)
        _add(tally, change)
        tally.credits += 1
    _show(state, seq)


def _show(state: TaskState, seq: int) -> None:
    """Compute the usage of the run, which its main span shows too."""
    task = state.task
    task.usage = _total(_tally(task))
    main = state.spans.get(task.main_span_id)
    if main is not None and main.usage != task.usage:
        main.usage, main.changed_seq = task.usage, seq
