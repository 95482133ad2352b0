"""A page of a task as of an earlier event: the same view and the same templates, from the log so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from signalbox.store import Reading
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.webapp.views.addresses import TaskPosition, as_of


class TravelStep(NamedTuple):
    """A link to another event. `seq` is None if there is no such event. `key` is the keyboard shortcut."""

    name: str
    label: str
    seq: int | None
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class TimeTravel:
    """The state of a page as of the event `seq`, appended at `at`.

    `asked` is the requested seq, `first` the first seq with something to show, and `latest` the newest seq now. `here`
    is the path of the page, and `parameters` are its parameters besides `at`. `identity` is that of the task.
    """

    seq: int
    at: str
    asked: int
    latest: int
    here: str
    identity: str
    first: int = 1
    parameters: Sequence[tuple[str, str]] = ()

    @property
    def is_unreached(self) -> bool:
        """Whether the log has not reached the requested seq yet. Until it does, the page is live."""
        return self.asked > self.latest

    @property
    def live(self) -> str:
        """The address of this page now."""
        return f"{self.here}?{urlencode(self.parameters)}" if self.parameters else self.here

    def address(self, seq: int) -> str:
        """Return the address of this page as of another event."""
        return as_of(self.live, TaskPosition(seq, self.identity))

    @property
    def position(self) -> TaskPosition:
        """The requested event."""
        return TaskPosition(self.asked, self.identity)

    @property
    def steps(self) -> list[TravelStep]:
        """Return the links to earlier and later seqs."""
        first, last = min(self.first, self.latest), self.latest

        def to(seq: int) -> int | None:
            aim = min(max(seq, first), last)
            return None if aim == self.seq else aim

        return [
            TravelStep("first", "First event", to(first)),
            TravelStep("−10", "Ten events back", to(self.seq - 10)),
            TravelStep("−1", "One event back", to(self.seq - 1), "["),
            TravelStep("+1", "One event forward", to(self.seq + 1), "]"),
            TravelStep("+10", "Ten events forward", to(self.seq + 10)),
            TravelStep("last", "Last event", to(last)),
        ]


async def reading_as_of(view: Reading, history: History, task_id: str, seq: int) -> PastReading:
    """Return a task after the event `seq`, or as it is if there are fewer. Raises UnknownTask."""
    return PastReading(view, await history.state_at(view, task_id, seq))
