"""`signalbox project`: managing projects, their members and agents in the database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from signalbox.store.sqlite import SqliteStore
from tests.support.terminal import Terminal


@pytest.fixture
def terminal(store: SqliteStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(store, capsys, monkeypatch)


def test_projects_have_members_and_tasks(terminal: Terminal) -> None:
    terminal.run("project", "add", "web", "--name", "The web site")
    terminal.add_user("ann@example.org")
    terminal.run("project", "member", "web", "ann@example.org", "owner")
    terminal.store.create_task("t", project_id="web")
    _, default, web = terminal.run("project", "list").splitlines()
    assert default.split()[:3] == ["default", "Default", "0"]
    assert web.startswith("web")
    assert "The web site  1      ann@example.org owner" in web
    assert "has 1 task" in terminal.run_failing("project", "remove", "web", code=1)
    terminal.run("project", "member", "web", "ann@example.org", "none")
    terminal.store.delete_task("t")
    terminal.run("project", "remove", "web")
    assert [project["project_id"] for project in json.loads(terminal.run("project", "list", "--json"))] == ["default"]


def test_a_project_has_an_agent_or_none(terminal: Terminal) -> None:
    terminal.run("project", "add", "web")
    for agent in (
        {"kind": "command", "argv": ["make", "all"], "cwd": "/srv/web", "env": {"KEY": "s3cret"}, "time_limit": 60},
        {"kind": "upstream", "url": "https://agent.example.org"},
    ):
        terminal.run("project", "agent", "web", json.dumps(agent))
        (_, web) = json.loads(terminal.run("project", "list", "--json"))
        assert web["agent"] == agent
    assert "s3cret" not in json.dumps(terminal.audits)
    terminal.run("project", "agent", "web", "none")
    (_, web) = json.loads(terminal.run("project", "list", "--json"))
    assert web["agent"] is None


@pytest.mark.parametrize(
    "agent",
    [
        {"kind": "shell"},
        {"argv": ["make"]},
        {"kind": "command"},
        {"kind": "command", "argv": []},
        {"kind": "command", "argv": "make all"},
        {"kind": "command", "argv": ["make"], "time_limit": 0},
        {"kind": "command", "argv": ["make"], "env": {"A": 1}},
        {"kind": "command", "argv": ["make"], "nice": 1},
        {"kind": "upstream", "url": "agent.example.org"},
    ],
    ids=json.dumps,
)
def test_an_agent_that_could_not_be_started_is_refused(terminal: Terminal, agent: dict[str, Any]) -> None:
    assert "agent" in terminal.run_failing("project", "agent", "default", json.dumps(agent), code=2)
