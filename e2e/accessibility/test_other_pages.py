"""Check the pages with many runs, of people and of the server with axe, in all themes, on a phone and enlarged."""

from __future__ import annotations

import pytest

from e2e.accessibility.site import Site, check
from e2e.axe import THEMES, expect_accessible
from e2e.visitor import SCREENS, Visitor

PAGES = {
    "the task list": "/tasks",
    "two runs compared": "/compare?a=done&b=failed",
    "a run to compare": "/compare?a=done",
    "two runs to watch": "/watch?task=done&task=failed",
    "the task list, filtered": "/tasks?status=failed&q=fail",
    "the task list, nothing found": "/tasks?q=there-is-no-such-task",
    "the task list, sorted and bounded": "/tasks?sort=active&kind=none&created_since=2020-01-01&created_until=1h",
    "selected tasks": "/selection?do=delete&task=done&task=running&task=gone",
    "selected tasks, none": "/selection?do=archive",
    "the permissions": "/permissions",
    "the answered permissions": "/permissions?show=answered",
    "the audit log": "/audits",
    "the audit log, filtered": "/audits?person=nobody",
    "the help": "/help",
    "the accounts": "/admin/accounts",
    "the projects": "/admin/projects",
    "a project": "/admin/projects/default",
    "the settings": "/admin/settings",
    "the health": "/admin/health",
    "the demo": "/demo?task=running",
    "no such page": "/there-is-no-such-page",
    "no such task": "/tasks/there-is-no-such-task",
}
EMPTY = {"the task list": "/tasks", "the permissions": "/permissions", "the audit log": "/audits", "the demo": "/demo"}


@pytest.mark.parametrize("look", SCREENS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(site: Site, visitor: Visitor, name: str, look: str) -> None:
    check(visitor.show(site.filled.url + PAGES[name], look), look)


@pytest.mark.parametrize("look", THEMES)
@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_page_is_accessible(site: Site, visitor: Visitor, name: str, look: str) -> None:
    expect_accessible(visitor.show(site.empty.url + EMPTY[name], look))
