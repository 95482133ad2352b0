"""A stretch of a log as its address names it: it begins where it begins, and grows until it is full."""

from __future__ import annotations

from dataclasses import dataclass

from signalbox.store import Reading
from signalbox.store.state import Task
from signalbox.webapp.views.log import LOG_WINDOW, LogWindow, log_window


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """Just before or after a seq, or around one; all None is no place. `heartbeats`: they are rows too."""

    before: int | None = None
    after: int | None = None
    around: int | None = None
    heartbeats: bool = False

    @property
    def parameters(self) -> list[tuple[str, object]]:
        """The parameters of its address."""
        seqs = [(name, getattr(self, name)) for name in ("before", "after", "around")]
        return [*seqs, ("heartbeats", "1" if self.heartbeats else None)]

    def __bool__(self) -> bool:
        return any(seq is not None for seq in (self.before, self.after, self.around))

    async def window(self, view: Reading, task_id: str) -> LogWindow:
        """The stretch of the log that is there. Raises UnknownTask."""
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
    """To the first failure after a seq, or to the first event at or after a time; neither is no jump."""

    failure_after: int | None = None
    at: str | None = None

    def __bool__(self) -> bool:
        return self.failure_after is not None or self.at is not None

    async def aim(self, view: Reading, task_id: str) -> int | None:
        """The seq that it leads to, None while there is none."""
        if self.at is not None:
            seq = await view.first_seq_at(task_id, self.at)
            rows = await view.rows_after(task_id, seq - 1, 1) if seq else []
            return rows[0].seq if rows else None
        return None if self.failure_after is None else await view.next_failure(task_id, self.failure_after)

    @property
    def missed(self) -> str:
        """What is said when it leads nowhere."""
        if self.at is not None:
            return "Nothing was said then or later. This is the end of the log."
        if self.failure_after is None:
            return ""
        return f"No failure after #{self.failure_after}." if self.failure_after else "No failure in this log."


@dataclass(frozen=True, kw_only=True)
class LogPageView:
    """A stretch of a log. `missed` is why it is not what was asked for; by now that may be at the seq `found`."""

    log: LogWindow
    missed: str
    found: int | None

    @property
    def task(self) -> Task:
        """The task whose log it is."""
        return self.log.task


async def log_page_view(view: Reading, task_id: str, place: LogPlace, jump: Jump) -> LogPageView:
    """The events at `place`, where the `jump` that led nowhere ended. Raises UnknownTask."""
    log = await place.window(view, task_id)
    missed, latest = jump.missed, log.task.latest_seq
    if not missed and place.around is not None and place.around > latest:
        missed = f"There is no #{place.around}. This is the end of the log."
    return LogPageView(log=log, missed=missed, found=await jump.aim(view, task_id))


def newest(latest: int) -> int:
    """The cursor of the stretch at the end of a log: half of a window is there, and half of it is to come."""
    return max(0, latest - LOG_WINDOW // 2)
