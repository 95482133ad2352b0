"""The log page: the window that its address names, and jumps to a failure or a time.

A window keeps its first row and grows at its end until it is full.
"""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Reading
from signalbox.store.state import Task
from signalbox.webapp.views.log import LOG_WINDOW, LogWindow, log_window


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """A place in the log: before, after or around a seq; false without a seq. `heartbeats`: heartbeats are rows too."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    heartbeats: bool = False

    @property
    def parameters(self) -> list[tuple[str, object]]:
        """The parameters of the page's address."""
        seqs = [(name, getattr(self, name)) for name in ("before", "after", "around")]
        return [*seqs, ("heartbeats", "1" if self.heartbeats else None)]

    def __bool__(self) -> bool:
        return any(seq is not None for seq in (self.before, self.after, self.around))

    async def window(self, view: Reading, task_id: str) -> LogWindow:
        """Read the window at this place. Raises UnknownTask."""
        return await log_window(
            view,
            task_id,
            before=self.before,
            after=self.after,
            around=self.around,
            with_heartbeats=self.heartbeats,
        )


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A jump to the next or the previous failure, or to the first event at or after a time. False if none is given.

    The next failure is the first one after a seq, and the previous one the last before a seq, or of all (0).
    """

    failure_after: int | None = None
    failure_before: int | None = None
    at: str | None = None

    def __bool__(self) -> bool:
        return any(given is not None for given in (self.failure_after, self.failure_before, self.at))

    async def aim(self, view: Reading, task_id: str) -> int | None:
        """Return the seq of the target; None while there is none."""
        if self.at is not None:
            seq = await view.first_seq_at(task_id, self.at)
            rows = await view.rows_after(task_id, seq - 1, 1) if seq else []
            return rows[0].seq if rows else None
        if self.failure_before is not None:
            return await view.previous_failure(task_id, self.failure_before or 2**53)
        return None if self.failure_after is None else await view.next_failure(task_id, self.failure_after)

    @property
    def missed(self) -> str:
        """The message if there is no target."""
        if self.at is not None:
            return "No events at or after this time. This is the end of the log."
        if self.failure_before:
            return f"No failure before #{self.failure_before}."
        if self.failure_after is None:
            return "No failure in this log." if self.failure_before is not None else ""
        return f"No failure after #{self.failure_after}." if self.failure_after else "No failure in this log."


@dataclass(frozen=True, kw_only=True)
class LogPageView:
    """The log page. `missed` says why the window is not the one that was requested, or is empty.

    `found` is the seq of the jump's target, if it exists by now.
    """

    log: LogWindow
    missed: str
    found: int | None

    @property
    def task(self) -> Task:
        """The task whose log it is."""
        return self.log.task


async def log_page_view(view: Reading, task_id: str, place: LogPlace, jump: Jump) -> LogPageView:
    """Return the window at `place`, with the message of a `jump` that had no target. Raises UnknownTask."""
    log = await place.window(view, task_id)
    missed, latest = jump.missed, log.task.latest_seq
    if not missed and place.around is not None and place.around > latest:
        missed = f"There is no #{place.around}. This is the end of the log."
    return LogPageView(log=log, missed=missed, found=await jump.aim(view, task_id))


def newest(latest: int) -> int:
    """Return the cursor of a window at the end of the log: half of it is filled, half is left for new rows."""
    return max(0, latest - LOG_WINDOW // 2)
