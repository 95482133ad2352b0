"""Check the pages of a run with axe, in all themes, on a phone and enlarged."""

from __future__ import annotations

import pytest

from e2e.accessibility.site import Site, check
from e2e.visitor import SCREENS, Visitor

PAGES = {
    "a task that runs": "/tasks/running",
    "a task that waits": "/tasks/waiting",
    "a task that failed": "/tasks/failed",
    "a task that is done": "/tasks/done",
    "a log of all colours": "/tasks/colours",
    "a task as of an event": "/tasks/done?at=40",
    "a checkpoint as of an event": "/tasks/proven/checkpoints/c1?at=1",
    "the waterfall as of an event": "/tasks/done/waterfall?at=40",
    "a log": "/tasks/done/log",
    "a log, searched": "/tasks/done/log?q=line",
    "a log, nothing found": "/tasks/done/log?q=there-is-no-such-line",
    "the spans": "/tasks/done/spans",
    "a span": "/tasks/done/spans/phase-1",
    "the waterfall": "/tasks/done/waterfall",
    "the waterfall of a task that runs": "/tasks/running/waterfall",
    "the timeline": "/tasks/done/timeline",
    "a checkpoint": "/tasks/proven/checkpoints/c1",
    "a payload as JSON": "/tasks/payloads/events/1/payload?view=json&q=line",
    "a payload as Markdown": "/tasks/payloads/events/1/payload?view=markdown",
    "a payload as text": "/tasks/payloads/events/1/payload?view=text",
    "a permission": "/tasks/waiting/permissions/p1",
    "a task that asks for values": "/tasks/asking",
    "the audit log of a task": "/tasks/answered/audits",
    "an export": "/tasks/done/export.html",
}


@pytest.mark.parametrize("look", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_a_run_is_accessible(site: Site, visitor: Visitor, name: str, look: str) -> None:
    check(visitor.show(site.filled.url + PAGES[name], look), look)
