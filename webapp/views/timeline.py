"""The timeline: a chapter for each phase of a run, with a sentence for each important event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from signalbox.store import Event, Reading, TaskReading
from signalbox.store.events import is_claim
from signalbox.store.projections import checkpoint_id_of
from signalbox.store.state import Phase, Span, Task
from signalbox.webapp.views.budget import first_within
from signalbox.webapp.views.forecast import Earlier, Forecast, forecast
from signalbox.webapp.views.text import display_text, plural

MOMENTS = 500
MOMENTS_CHARS = 200_000
"""Moments of a page, and characters of their sentences."""

SPANS = 5000


class Moment(NamedTuple):
    """One sentence; `tone` is "", "clear", "caution", "danger" or "waiting". `checkpoint` is the one it is about."""

    seq: int
    at: str
    text: str
    tone: str = ""
    checkpoint: str = ""


@dataclass
class Chapter:
    """One phase, or the time before the first (`phase` is None)."""

    phase: Phase | None
    summary: str = ""
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TimelineView:
    """The timeline of a task as of the seq `task.latest_seq`. `more` says that the log has further moments.

    `checkpoints` has the ids of the checkpoints that have a page.
    """

    task: Task
    chapters: list[Chapter]
    checkpoints: frozenset[str]
    more: bool
    forecast: Forecast | None = None


async def timeline_view(view: Reading, task_id: str, earlier: Earlier) -> TimelineView:
    """Read the timeline of a task, with a forecast from `earlier` runs. Raises UnknownTask."""
    timeline = await story_view(view, task_id)
    phases = [chapter.phase for chapter in timeline.chapters if chapter.phase]
    return replace(timeline, forecast=await forecast(view, timeline.task, phases, earlier))


async def story_view(view: TaskReading, task_id: str) -> TimelineView:
    """Read the timeline of a task without a forecast. Raises UnknownTask."""
    task = await view.task(task_id)
    phases = await view.phases(task_id)
    events = await view.brief().events_of_types(task_id, list(_SENTENCES), MOMENTS + 1)
    shown = first_within(events, MOMENTS, MOMENTS_CHARS, lambda event: len(moment(event).text))
    return TimelineView(
        task=task,
        chapters=chapters(phases, await _spans(view, task), shown),
        checkpoints=frozenset(checkpoint_id_of(event) for event in shown if event.event_type == "checkpoint_commit"),
        more=len(events) > len(shown),
    )


async def _spans(view: TaskReading, task: Task) -> list[Span]:
    """Return the spans in which retries are counted; none of a task with too many to count them all."""
    return await view.spans(task.task_id, 0, SPANS) if task.spans_total <= SPANS else []


def chapters(phases: Sequence[Phase], spans: Iterable[Span], events: Iterable[Event]) -> list[Chapter]:
    """Return the chapters in order. A moment belongs to the phase of its event, or to the phase that began last."""
    retried: dict[str | None, int] = {}
    for span in spans:
        if span.kind == "work_item" and span.attempts > 1:
            retried[span.phase] = retried.get(span.phase, 0) + 1
    before = Chapter(None)
    found = [Chapter(phase, _summary(phase, retried.get(phase.phase, 0))) for phase in phases]
    by_name = {chapter.phase.phase: chapter for chapter in found if chapter.phase}
    for event in events:
        if event.event_type == "phase_enter" and event.phase in by_name:
            entered = by_name[event.phase].phase
            if entered is None or entered.first_seq == event.seq:
                continue
        started = (chapter for chapter in reversed(found) if chapter.phase and chapter.phase.first_seq <= event.seq)
        chapter = by_name.get(event.phase or "") or next(started, before)
        chapter.moments.append(moment(event))
    return ([before] if before.moments else []) + found


def _summary(phase: Phase, retried: int) -> str:
    if not phase.items_total:
        return ""
    parts = [f"{phase.items_done:,} of {plural(phase.items_total, 'work item')}"]
    if phase.items_failed:
        parts.append(f"{phase.items_failed:,} failed")
    if retried:
        parts.append(f"{retried:,} failed and retried")
    return ", ".join(parts)


def moment(event: Event) -> Moment:
    """Return the sentence of one event."""
    tone, sentence_of = _SENTENCES[event.event_type]
    text = sentence_of(event, event.payload)
    if is_claim(event):
        return Moment(event.seq, event.happened_at, f"Claimed by the log, no effect: {text}")
    if event.event_type == "permission_response" and event.payload.get("approved") is not True:
        tone = "danger"
    if event.event_type == "runner_exit" and (event.payload.get("exit_code") or event.payload.get("error_code")):
        tone = "danger"
    return Moment(event.seq, event.happened_at, text, tone, checkpoint_id_of(event))


def _field(payload: dict[str, Any], name: str) -> str:
    return display_text(payload.get(name))


def _why(payload: dict[str, Any]) -> str:
    why = payload.get("message") or payload.get("explanation") or payload.get("reason") or payload.get("error_code")
    return f": {display_text(why)}" if why else ""


def _by(event: Event) -> str:
    if not event.payload.get("by"):
        return ""
    by = display_text(event.payload["by"])
    return f" by {by}" if event.origin == "server" else f" by “{by}”, as the log claims"


def _item(event: Event, payload: dict[str, Any]) -> str:
    return display_text(payload.get("work_item_id") or payload.get("name")) or event.span_id


def _committed(event: Event, payload: dict[str, Any]) -> str:
    refs = payload.get("evidence_refs")
    held = []
    for name, word in (("artifacts", "artifact"), ("work_items", "work item")):
        listed = refs.get(name) if isinstance(refs, dict) else None
        if isinstance(listed, list) and listed:
            held.append(plural(len(listed), word))
    return f"Checkpoint {checkpoint_id_of(event)}{' with ' + ' and '.join(held) if held else ''}{_why(payload)}"


Sentence = Callable[[Event, dict[str, Any]], str]

_SENTENCES: dict[str, tuple[str, Sentence]] = {
    "runner_spawn": ("", lambda e, p: f"The run started{_why(p)}"),
    "runner_exit": (
        "clear",
        lambda e, p: f"The run ended{_why(p) or ': ' + (_field(p, 'status') or 'done')}",
    ),
    "phase_enter": ("", lambda e, p: f"Started again{_why(p)}"),
    "work_item_failed": ("danger", lambda e, p: f"{_item(e, p)} failed{_why(p)}"),
    "checkpoint_commit": ("", _committed),
    "checkpoint_verified": ("clear", lambda e, p: f"Checkpoint {checkpoint_id_of(e)} verified{_why(p)}"),
    "checkpoint_invalid": ("danger", lambda e, p: f"Checkpoint {checkpoint_id_of(e)} is invalid{_why(p)}"),
    "recovery_initiated": ("caution", lambda e, p: f"Recovery started{_why(p)}"),
    "recovery_checkpoint_loaded": ("", lambda e, p: f"Restored checkpoint {checkpoint_id_of(e)}{_why(p)}"),
    "recovery_complete": ("clear", lambda e, p: f"Recovery completed{_why(p)}"),
    "permission_request": (
        "waiting",
        lambda e, p: f"Requested approval of {_field(p, 'tool_name')}{_why(p)}",
    ),
    "permission_response": (
        "clear",
        lambda e, p: f"{'Approved' if p.get('approved') is True else 'Denied'}{_by(e)}{_why(p)}",
    ),
    "permission_cleared": (
        "caution",
        lambda e, p: f"Request closed without an answer{_why(p) or ': ' + _field(p, 'cause').replace('_', ' ')}",
    ),
    "allowance_revoked": ("caution", lambda e, p: f"No longer always allowed{_by(e)}: {_field(p, 'tool_name')}"),
    "message_sent": ("", lambda e, p: f"Message to the run{_by(e)}: {_field(p, 'text')}"),
    "cancel_requested": ("caution", lambda e, p: f"Cancel requested{_by(e)}{_why(p)}"),
    "retry_requested": ("", lambda e, p: f"Retried{_by(e)} as {_field(p, 'retry')}"),
}
