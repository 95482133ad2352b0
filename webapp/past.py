"""The task page as of an earlier event: the same view, from a folded state instead of from tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from store import Reading
from store.history import History
from store.state import Span, TaskState
from webapp.contexts import CHECKPOINTS, ENDED_SPANS, LOG_WINDOW, OPEN_SPANS, PHASES, TaskView
from webapp.retries import offer_of
from webapp.spantree import lines


class Step(NamedTuple):
    """A way to another seq; `seq` is None where there is no way on. `key` is its key on the keyboard."""

    name: str
    label: str
    seq: int | None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class PastView:
    """A task as of `view.seq`; `latest` is its newest seq now, `asked` the one that was asked for."""

    view: TaskView
    asked: int
    latest: int

    @property
    def steps(self) -> list[Step]:
        """Where to go from here."""
        here, first, last = self.view.seq, min(1, self.latest), self.latest

        def to(seq: int) -> int | None:
            aim = min(max(seq, first), last)
            return None if aim == here else aim

        return [
            Step("first", "First event", to(first)),
            Step("−10", "Ten events back", to(here - 10)),
            Step("−1", "One event back", to(here - 1), "["),
            Step("+1", "One event on", to(here + 1), "]"),
            Step("+10", "Ten events on", to(here + 10)),
            Step("last", "Last event", to(last)),
        ]


async def past_view(view: Reading, history: History, task_id: str, seq: int, *, key: bytes | None = None) -> PastView:
    """A task as its page showed it after the event `seq`, or shows it now if there are fewer. Raises UnknownTask."""
    latest = (await view.head(task_id)).latest_seq
    state = await history.state_at(view, task_id, seq)
    rows = await view.latest_events(task_id, LOG_WINDOW, state.task.latest_seq + 1)
    return PastView(
        view=TaskView(
            task=state.task,
            phases=sorted(state.phases.values(), key=lambda phase: phase.first_seq)[-PHASES:],
            lines=lines(span_window(state, OPEN_SPANS, ENDED_SPANS)),
            checkpoints=sorted(state.checkpoints.values(), key=lambda checkpoint: checkpoint.seq)[-CHECKPOINTS:],
            permissions=sorted((p for p in state.permissions.values() if p.state == "open"), key=lambda p: p.seq),
            rows=rows[::-1],
            offer=await offer_of(view, state.task, key),
        ),
        asked=seq,
        latest=latest,
    )


def span_window(state: TaskState, open_limit: int, ended_limit: int) -> list[Span]:
    """The spans that the task page shows, as `Reading.span_window` chooses them: each list with all ancestors."""
    spans = state.spans

    def newest(chosen: Iterable[Span], limit: int) -> list[Span]:
        return sorted(chosen, key=lambda span: (span.ended_seq or span.started_seq, span.span_id))[-limit:]

    marks = [span for span in spans.values() if span.state != "open" and span.ended_seq is None]
    waiting = [
        *newest((span for span in spans.values() if span.state == "open"), open_limit),
        *newest((span for span in spans.values() if span.ended_seq is not None), ended_limit),
        *sorted(marks, key=lambda span: span.started_seq)[:ended_limit],
    ]
    chosen: dict[str, Span] = {}
    while waiting:
        span = waiting.pop()
        if span.span_id not in chosen:
            chosen[span.span_id] = span
            parent = spans.get(span.parent_span_id or "")
            waiting += [parent] if parent else []
    return list(chosen.values())
