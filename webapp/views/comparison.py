"""Compares two runs: phases and work items side by side, their durations, and the first difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from signalbox.store import Event, Reading, TaskQuery, TaskReading
from signalbox.store.diagnosis.cause import command_in
from signalbox.store.state import ENDED_STATUSES, Phase, Span, Task
from signalbox.webapp.views.budget import first_within
from signalbox.webapp.views.span_paths import Path, Paths
from signalbox.webapp.views.text import seconds

SPANS = 5000
"""The spans of each run that are compared."""

ROWS = 1000
"""The work items and tools that are shown."""

ROWS_CHARS = 100_000
"""Characters of their names, which the page shortens to MAX_NAME_CHARS, with those of the spans above them."""

MAX_NAME_CHARS, MAX_OUTER_CHARS = 300, 80

HEADER_SPANS = 200
"""The spans of each run that are compared for the header of a page."""

CHOICES = 50

K = TypeVar("K", bound=Hashable)


class Side(NamedTuple):
    """A phase, work item or tool in one run. `took` is in seconds, None while it is open."""

    state: str
    took: float | None
    seq: int


@dataclass(frozen=True, kw_only=True)
class ComparedItem:
    """The same phase, work item or tool in both runs; None for a run without it.

    `over_a` means that it can no longer change in the first run, `over_b` in the second.
    """

    name: str
    within: tuple[str, ...] = ()
    a: Side | None
    b: Side | None
    over_a: bool = True
    over_b: bool = True

    @property
    def difference(self) -> float | None:
        """Seconds by which the second took longer than the first; None unless both durations are known."""
        if self.a is None or self.b is None or self.a.took is None or self.b.took is None:
            return None
        return self.b.took - self.a.took

    @property
    def parted(self) -> bool:
        """Whether it ended in different states, or is in one run only. An item that may still change has not parted."""
        settled = _settled(self.a, self.over_a) and _settled(self.b, self.over_b)
        return settled and (self.a and self.a.state) != (self.b and self.b.state)


@dataclass(frozen=True, kw_only=True)
class ComparedPhase:
    """One phase with its work items and tools; `phase` is None for work outside of all phases."""

    phase: ComparedItem | None
    work: list[ComparedItem]


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One of the two runs. `failure` is the first failure in its log, `command` the command line of `signalbox run`."""

    task: Task
    phases: list[Phase]
    spans: list[Span]
    failure: Event | None
    command: str = ""

    @property
    def took(self) -> float | None:
        """Seconds from the run's start to its end."""
        return (
            seconds(self.task.started_at, self.task.ended_at) if self.task.started_at and self.task.ended_at else None
        )


@dataclass(frozen=True, kw_only=True)
class ComparisonView:
    """Two runs as of their newest events.

    `has_steps`: a run has phases, work items or tool calls. `parted_at` is the name of the phase where they parted
    first, and the item that differs. `hidden` counts items left out of `phases` because there are too many. `longest`
    is the duration of the longest item (s). `cut` is the number of spans that were read if a run has more, else 0.
    """

    a: ComparedRun
    b: ComparedRun
    phases: list[ComparedPhase]
    has_steps: bool
    parted_at: tuple[str, ComparedItem] | None
    differing: int
    hidden: int
    longest: float
    only_parted: bool
    cut: int

    @property
    def of_commands(self) -> bool:
        """Whether `signalbox run` started both runs, so that their output can be compared."""
        return bool(self.a.command and self.b.command)

    @property
    def has_ended(self) -> bool:
        """Whether both runs have ended."""
        return self.a.task.ended and self.b.task.ended

    @property
    def runs(self) -> ComparedItem:
        """The runs as a whole."""
        first, second = (Side(run.task.status, run.took, run.task.latest_seq) for run in (self.a, self.b))
        return ComparedItem(name="run", a=first, b=second, over_a=self.a.task.ended, over_b=self.b.task.ended)


@dataclass(frozen=True, kw_only=True)
class ChoiceView:
    """The form to choose two runs: one that may be given, and others of its kind, newest first."""

    a: Task | None
    others: list[Task]


async def choice_view(view: Reading, a: str, projects: tuple[str, ...] | None = None) -> ChoiceView:
    """Return the tasks in `projects` that can be compared with the task `a`, which may be empty. Raises UnknownTask."""
    task = await view.task(a) if a else None
    page = await view.tasks(TaskQuery(kind=task.kind if task else None, projects=projects, limit=CHOICES + 1))
    return ChoiceView(a=task, others=[other for other in page.tasks if other.task_id != a][:CHOICES])


async def comparison_view(view: Reading, a: str, b: str, *, only_parted: bool = False) -> ComparisonView:
    """Read two runs in one view. Raises UnknownTask."""
    first, second = await _run(view, a), await _run(view, b)
    found = compared_phases(first, second)
    work = [item for group in found for item in group.work]
    wanted = [item for item in work if item.parted] if only_parted else work
    kept = {id(item) for item in first_within(wanted, ROWS, ROWS_CHARS, _shown_chars)}
    return ComparisonView(
        a=first,
        b=second,
        phases=[
            ComparedPhase(phase=group.phase, work=shown)
            for group in found
            if (shown := [item for item in group.work if id(item) in kept]) or group.phase
        ],
        has_steps=bool(found),
        parted_at=parted(found),
        differing=sum(item.parted for item in work) + sum(bool(each.phase and each.phase.parted) for each in found),
        hidden=len(wanted) - len(kept),
        longest=max((side.took or 0.0 for item in work for side in (item.a, item.b) if side), default=0.0),
        only_parted=only_parted,
        cut=SPANS if max(first.task.spans_total, second.task.spans_total) > SPANS else 0,
    )


def _shown_chars(item: ComparedItem) -> int:
    return min(len(item.name), MAX_NAME_CHARS) + sum(min(len(name), MAX_OUTER_CHARS) for name in item.within)


async def first_difference(
    view: TaskReading, a: Task, reading: TaskReading, b: Task
) -> tuple[str, ComparedItem] | None:
    """Return where the run `a` in `view` and the run `b` in `reading` first differ, with the name of the phase.

    None if a run has too many spans for a header.
    """
    if max(a.spans_total, b.spans_total) > HEADER_SPANS or max(a.spans_total, b.spans_total) < 2:
        return None
    first, second = [
        ComparedRun(
            task=task, phases=await seen.phases(task.task_id), spans=await seen.spans(task.task_id), failure=None
        )
        for seen, task in ((view, a), (reading, b))
    ]
    return parted(compared_phases(first, second))


async def _run(view: Reading, task_id: str) -> ComparedRun:
    task = await view.task(task_id)
    failed = await view.next_failure(task_id, 0)
    spawn = next(iter(await view.events_at(task_id, [task.spawn_seq])), None) if task.spawn_seq else None
    failures = await view.brief().events_at(task_id, [failed]) if failed is not None else []
    return ComparedRun(
        task=task,
        phases=await view.phases(task_id),
        spans=await view.spans(task_id, 0, SPANS),
        failure=failures[0] if failures else None,
        command=command_in(spawn),
    )


def compared_phases(a: ComparedRun, b: ComparedRun) -> list[ComparedPhase]:
    """Return the phases of both runs in order, each with its work items and tools; those without a phase come first."""
    phases_a, phases_b = ({phase.phase: phase for phase in run.phases} for run in (a, b))
    span_paths = Paths()
    work_a, work_b = _work(a, span_paths), _work(b, span_paths)
    found = []
    for name in [None, *merged(list(phases_a), list(phases_b))]:
        in_a, in_b = phases_a.get(name or ""), phases_b.get(name or "")
        phase = None
        if name is not None:
            sides = _phase_side(in_a), _phase_side(in_b)
            phase = ComparedItem(name=name, a=sides[0], b=sides[1], over_a=a.task.ended, over_b=b.task.ended)
        over_a = a.task.ended or bool(in_a and in_a.state != "open")
        over_b = b.task.ended or bool(in_b and in_b.state != "open")
        here_a, here_b = work_a.get(name, {}), work_b.get(name, {})
        items = [
            ComparedItem(
                name=span_paths.name(path),
                within=span_paths.within(path),
                a=here_a.get(path),
                b=here_b.get(path),
                over_a=over_a,
                over_b=over_b,
            )
            for path in merged(list(here_a), list(here_b))
        ]
        if phase or items:
            found.append(ComparedPhase(phase=phase, work=items))
    return found


def _work(run: ComparedRun, span_paths: Paths) -> dict[str | None, dict[Path, Side]]:
    named = {phase.phase for phase in run.phases}
    counts: Counter[tuple[str | None, Path, str]] = Counter()
    paths: dict[str, Path] = {}
    found: dict[str | None, dict[Path, Side]] = {}
    for span in run.spans:
        if span.kind not in ("work_item", "tool"):
            continue
        phase = span.phase if span.phase in named else None
        above = paths.get(span.parent_span_id or "", 0)
        label = span.work_item_id or span.name
        counts[phase, above, label] += 1
        path = paths[span.span_id] = span_paths.step(above, label, counts[phase, above, label])
        took = seconds(span.started_at, span.ended_at) if span.ended_at and span.state != "open" else None
        found.setdefault(phase, {})[path] = Side(span.state, took, span.started_seq)
    return found


def parted(found: Sequence[ComparedPhase]) -> tuple[str, ComparedItem] | None:
    """Return the first item, in the order of the runs, that parted, with the name of its phase.

    If a phase is in both runs, its items decide.
    """
    for group in found:
        phase = group.phase
        in_both = phase and phase.a and phase.b
        for item in [*group.work, phase] if in_both else [phase, *group.work]:
            if item and item.parted:
                return phase.name if phase else "", item
    return None


def merged(first: Sequence[K], second: Sequence[K]) -> list[K]:
    """Merge two sequences. A key that only `second` has comes after its predecessor in `second`."""
    known = set(first)
    following: dict[K | None, list[K]] = {}
    last: K | None = None
    for key in second:
        if key in known:
            last = key
        else:
            following.setdefault(last, []).append(key)
    return [*following.get(None, []), *(each for key in first for each in (key, *following.get(key, [])))]


def _phase_side(phase: Phase | None) -> Side | None:
    if phase is None:
        return None
    took = seconds(phase.entered_at, phase.exited_at) if phase.exited_at and phase.state != "open" else None
    return Side(phase.state, took, phase.first_seq)


def _settled(side: Side | None, over: bool) -> bool:
    return over or (side is not None and side.state in ENDED_STATUSES)
