"""The ticket: the rights with which a stream was opened. The stream ends when they are revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signalbox.webapp.auth.directory import Credential
from signalbox.webapp.auth.principal import LOCAL, Principal, ProjectIds

Verdict = Literal["holds", "changed", "lost"]


@dataclass(eq=False, slots=True)
class Ticket:
    """The reader of a stream. `project_id` is the project of its log; None for a stream over all visible projects."""

    principal: Principal = LOCAL
    credential: Credential | None = None
    project_id: str | None = None

    @property
    def visible_projects(self) -> ProjectIds:
        """The projects that the reader may see."""
        return self.principal.projects("read")

    def verdict(self, now: Principal) -> Verdict:
        """Compare the rights with those of `now`: the stream may continue, must reload, or has lost its right."""
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
