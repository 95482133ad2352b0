"""The ticket: what a stream was opened with. A stream ends when its right does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signalbox.webapp.auth.directory import Credential
from signalbox.webapp.auth.principal import LOCAL, Principal, ProjectIds

Verdict = Literal["holds", "changed", "lost"]


@dataclass(eq=False, slots=True)
class Ticket:
    """Who reads a stream. `project_id` is whose log it is, None for one that shows all that its reader may see."""

    principal: Principal = LOCAL
    credential: Credential | None = None
    project_id: str | None = None

    @property
    def sight(self) -> ProjectIds:
        """The projects that its reader sees."""
        return self.principal.projects("read")

    def verdict(self, now: Principal) -> Verdict:
        """What has become of the right to read, and of what else the page shows: who may read may perhaps answer."""
        then, project_id = self.principal, self.project_id
        if now is then or now.grants == then.grants:
            return "holds"
        if not now.known:
            return "lost"
        if project_id is None:
            same = all(now.projects(scope) == then.projects(scope) for scope in ("read", "respond"))
            return "holds" if same else "changed"
        if not now.may("read", project_id):
            return "lost"
        return "holds" if now.may("respond", project_id) == then.may("respond", project_id) else "changed"
