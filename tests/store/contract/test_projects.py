"""Test projects and their members on every kind of store."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import Conflict, InvalidEvent, NewEvent, Store, open_task
from signalbox.store.people import Account, Token, digest_of


def add_account(store: Store, email: str = "ann@example.org", **options: Any) -> Account:
    return store.people.add_account(email, "$argon2id$hash", **options)


def token(store: Store, name: str = "ci", **options: Any) -> Token:
    return store.people.add_token(name, digest_of(name), **{"scopes": ("read",), **options})


async def test_a_project_has_a_name_and_an_optional_agent(store: Store) -> None:
    agent = {"kind": "command", "argv": ["make"], "env": {"A": "1"}}
    web = store.people.add_project("web", "The web site", agent=agent)
    assert (web.project_id, web.name, web.agent) == ("web", "The web site", agent)
    assert await store.people.project("web") == web
    assert [project.project_id for project in await store.people.projects()] == ["default", "web"]
    store.people.set_agent("web", None)
    changed = await store.people.project("web")
    assert changed is not None
    assert changed.agent is None
    assert await store.people.project("other") is None
    with pytest.raises(Conflict):
        store.people.add_project("web", "Again")


@pytest.mark.parametrize("project_id", ["", "Web", "-web", "w b", "w" * 65, "ä", "a/b", "a\n"])
def test_an_invalid_project_id_is_refused(store: Store, project_id: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        store.people.add_project(project_id, "Web")
    assert refused.value.field == "project_id"


async def test_a_task_belongs_to_its_project_from_the_start(store: Store) -> None:
    store.people.add_project("web", "Web")
    with open_task(store, "run", project_id="web"):
        pass
    assert await store.people.project_of("run") == "web"
    with pytest.raises(InvalidEvent) as refused, open_task(store, "lost", project_id="nowhere"):
        pass
    assert refused.value.field == "project_id"
    assert await store.people.project_of("lost") is None


async def test_members_have_one_role_each(store: Store) -> None:
    store.people.add_project("web", "Web")
    bob, account = add_account(store, "bob@example.org"), add_account(store)
    store.people.set_member("web", bob.account_id, "viewer")
    store.people.set_member("web", account.account_id, "viewer")
    store.people.set_member("web", account.account_id, "owner")
    store.people.set_member("default", account.account_id, "operator")
    members = await store.people.members("web")
    assert [(member.email, member.role) for member in members] == [(account.email, "owner"), (bob.email, "viewer")]
    assert await store.people.roles(account.account_id) == {"default": "operator", "web": "owner"}
    store.people.set_member("web", account.account_id, None)
    store.people.set_member("web", account.account_id, None)
    assert await store.people.roles(account.account_id) == {"default": "operator"}
    with pytest.raises(InvalidEvent):
        store.people.set_member("web", bob.account_id, "king")  # type: ignore[arg-type]


async def test_a_project_with_tasks_cannot_be_removed(store: Store) -> None:
    store.people.add_project("web", "Web")
    account = add_account(store)
    store.people.set_member("web", account.account_id, "owner")
    token(store, project_id="web")
    store.create_task("t", project_id="web")
    store.append("other", NewEvent(event_type="log"))
    assert await store.people.project_of("t") == "web"
    assert await store.people.project_of("other") == "default"
    assert await store.people.project_of("nobody") is None
    with pytest.raises(Conflict, match="1 task"):
        store.people.remove_project("web")
    store.delete_task("t")
    store.people.remove_project("web")
    assert await store.people.project("web") is None
    assert await store.people.tokens() == []
    assert await store.people.roles(account.account_id) == {}
    with pytest.raises(Conflict):
        store.people.remove_project("default")
