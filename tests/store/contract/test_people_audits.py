"""Test that a change to people and its audit are one transaction."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from signalbox.store import InvalidEvent, Store, Who
from signalbox.store.people import digest_of

FUTURE = "2999-01-01T00:00:00.000000Z"
ROOT = Who("root@example.org", "the-account-of-root", "a-token")
TOO_LONG = Who("x" * 1000)

Change = Callable[..., Coroutine[Any, Any, object]]


class Person:
    """An account with a token and a session, and a project."""

    def __init__(self, store: Store) -> None:
        people = store.people
        self.account = people.add_account("ann@example.org", "$argon2id$hash")
        self.token = people.add_token("ci", digest_of("ci"), scopes=("read",))
        people.add_session(self.account.account_id, digest_of("one"), FUTURE)
        people.add_project("web", "Web")


CHANGES: dict[str, Callable[[Store, Person], Change]] = {
    "user_add": lambda store, ann: (
        lambda **by: store.people.aadd_account(
            "bob@example.org", "$argon2id$hash", project_id="web", role="viewer", **by
        )
    ),
    "user_password": lambda store, ann: (
        lambda **by: store.people.aset_password(ann.account.account_id, "$argon2id$other", **by)
    ),
    "user_disable": lambda store, ann: lambda **by: store.people.aset_disabled(ann.account.account_id, True, **by),
    "user_enable": lambda store, ann: lambda **by: store.people.aset_disabled(ann.account.account_id, False, **by),
    "user_remove": lambda store, ann: lambda **by: store.people.aremove_account(ann.account.account_id, **by),
    "token_create": lambda store, ann: (
        lambda **by: store.people.aadd_token(
            "new", digest_of("new"), scopes=("read",), account_id=ann.account.account_id, **by
        )
    ),
    "token_quota": lambda store, ann: lambda **by: store.people.aset_quota(ann.token.token_id, 100, None, **by),
    "token_revoke": lambda store, ann: lambda **by: store.people.arevoke_token(ann.token.token_id, **by),
    "log_in": lambda store, ann: (
        lambda **by: store.people.aadd_session(ann.account.account_id, digest_of("two"), FUTURE, **by)
    ),
    "log_out": lambda store, ann: lambda **by: store.people.aend_session(digest_of("one"), **by),
    "project_add": lambda store, ann: lambda **by: store.people.aadd_project("new", "New", **by),
    "project_agent": lambda store, ann: lambda **by: store.people.aset_agent("web", {"kind": "upstream"}, **by),
    "project_remove": lambda store, ann: lambda **by: store.people.aremove_project("web", **by),
    "project_member": lambda store, ann: (
        lambda **by: store.people.aset_member("web", ann.account.account_id, "owner", **by)
    ),
}
DETAILS = {
    "user_add": {"email": "bob@example.org", "admin": False, "project_id": "web", "role": "viewer"},
    "project_agent": {"project_id": "web", "kind": "upstream"},
    "project_member": {"project_id": "web", "email": "ann@example.org", "role": "owner"},
}


async def audits(store: Store) -> list[dict[str, Any]]:
    async with store.read() as view:
        return await view.audits()


async def people_state(store: Store) -> list[object]:
    """Return everything that the store keeps about people."""
    people = store.people
    return [
        await people.accounts(),
        await people.account_by_email("ann@example.org"),
        await people.tokens(),
        await people.projects(),
        await people.members("web"),
        [await people.session(digest_of(secret)) for secret in ("one", "two")],
        await people.version(),
    ]


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_and_its_audit_share_a_transaction(store: Store, action: str) -> None:
    change = CHANGES[action](store, Person(store))
    before, commits = await people_state(store), store.stats().commits
    with pytest.raises(InvalidEvent, match="actor"):
        await change(actor=TOO_LONG)
    assert await people_state(store) == before, "without an audit there is no change"
    await change(actor=ROOT, source="10.0.0.7")
    assert store.stats().commits == commits + 1
    (audit,) = await audits(store)
    recorded = [audit[name] for name in ("actor", "account_id", "token_id", "action", "source")]
    assert recorded == [ROOT.name, ROOT.account_id, ROOT.token_id, action, "10.0.0.7"]
    assert audit["detail"] == DETAILS.get(action, audit["detail"])


@pytest.mark.parametrize("action", CHANGES)
async def test_a_change_without_an_actor_leaves_no_audit(store: Store, action: str) -> None:
    await CHANGES[action](store, Person(store))()
    assert await audits(store) == []


async def test_an_account_and_its_membership_are_created_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(Exception, match="no project 'nowhere'"):
        await store.people.aadd_account("bob@example.org", "$argon2id$hash", project_id="nowhere", role="viewer")
    assert await store.people.accounts() == []
    with pytest.raises(InvalidEvent, match="belong together"):
        await store.people.aadd_account("bob@example.org", "$argon2id$hash", role="viewer")
    bob = await store.people.aadd_account("bob@example.org", "$argon2id$hash", project_id="default", role="viewer")
    assert await store.people.roles(bob.account_id) == {"default": "viewer"}


async def test_the_audit_distinguishes_a_password_change_from_an_administrators_reset(store: Store) -> None:
    ann = Person(store).account
    await store.people.aset_password(ann.account_id, "$argon2id$other", actor=Who(ann.email, ann.account_id))
    await store.people.aset_password(ann.account_id, "$argon2id$third", actor=ROOT)
    assert [audit["action"] for audit in await audits(store)] == ["user_password", "password_change"]


async def test_ending_an_expired_session_leaves_no_audit(store: Store) -> None:
    await store.people.aend_session(digest_of("nobody's"), actor=ROOT)
    assert await audits(store) == []
