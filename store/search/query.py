"""The query of a search over all runs."""

from __future__ import annotations

import msgspec

MIN_TEXT_CHARS = 3
"""The index knows pieces of three characters, so a shorter text cannot be searched for."""

SEARCH_SECONDS = 0.2
"""How long a search may take. After half of this, it only looks for a page that is not full yet."""

PERIODS = {"1h": 3600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}
"""The periods by which hits are counted, in seconds."""


class SearchQuery(msgspec.Struct, frozen=True):
    """Filters for the events of all tasks, and the page to read. An empty field does not restrict the result.

    `text` is searched for in the texts of the events (`texts.TEXT_KEYS`), ignoring case. `event_type`, `phase`,
    `actor`, `level`, `stream` and `failures` mean the same as in a `LogQuery`. `kind`, `project` and `statuses` are
    those of the tasks, and `projects` are the projects that may be searched, or None for all. `since` and `until`
    (exclusive) are timestamps between which the events happened, or relative times such as `24h`.

    A page has the newest `limit` hits below the event id `before`, or the oldest `limit` hits above `after`.
    """

    text: str = ""
    event_type: str = ""
    phase: str = ""
    actor: str = ""
    level: str = ""
    stream: str = ""
    failures: bool = False
    kind: str = ""
    project: str = ""
    statuses: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None
    projects: tuple[str, ...] | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 50

    @property
    def within(self) -> tuple[str, ...] | None:
        """The projects to search. None means all projects, and () none."""
        if not self.project:
            return self.projects
        return (self.project,) if self.projects is None or self.project in self.projects else ()

    @property
    def is_empty(self) -> bool:
        """Whether the query excludes no event."""
        return self == SearchQuery(projects=self.projects, before=self.before, after=self.after, limit=self.limit)

    @property
    def is_too_short(self) -> bool:
        """Whether the text is too short to be searched for."""
        return 0 < len(self.text) < MIN_TEXT_CHARS
