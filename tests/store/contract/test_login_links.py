"""One-time links: invitations and resets of passwords."""

from __future__ import annotations

import pytest

from signalbox.store import Conflict, InvalidEvent, NotFound, Store
from signalbox.store.people import digest_of
from tests.support.people import time_from_now

HASH = "$argon2id$other"
FIRST, SECOND = digest_of("first"), digest_of("second")


async def test_an_invited_person_sets_a_password_once(store: Store) -> None:
    people = store.people
    await people.aadd_project("web", "Web")
    ada = await people.ainvite(
        "Ada@example.org", FIRST, time_from_now(60), project_id="web", role="operator", actor="root"
    )
    assert (ada.email, ada.invited, ada.admin) == ("ada@example.org", True, False)
    assert await people.roles(ada.account_id) == {"web": "operator"}
    link = await people.login_link(FIRST)
    assert link is not None
    assert (link.account_id, link.purpose) == (ada.account_id, "invitation")
    assert await people.login_links() == [link]
    assert (await people.ause_login_link(FIRST, HASH, source="192.0.2.1")).account_id == ada.account_id
    account = await people.account(ada.account_id)
    assert account is not None
    assert not account.invited
    assert await people.account_by_email("ada@example.org") == (account, HASH)
    with pytest.raises(NotFound, match="expired or was used"):
        await people.ause_login_link(FIRST, HASH)
    async with store.read() as view:
        found = [(one["actor"], one["action"], one["source"]) for one in await view.audits()]
    assert found == [("ada@example.org", "invitation_accept", "192.0.2.1"), ("root", "user_invite", None)]


async def test_a_new_link_replaces_the_earlier_one_and_ends_sessions_when_used(store: Store) -> None:
    people = store.people
    ada = await people.aadd_account("ada@example.org", HASH)
    await people.aadd_session(ada.account_id, digest_of("session"), time_from_now(60))
    link = await people.aadd_login_link(ada.account_id, FIRST, time_from_now(60), actor="root")
    assert link.purpose == "reset"
    await people.aadd_login_link(ada.account_id, SECOND, time_from_now(60), actor="root")
    assert await people.login_link(FIRST) is None
    assert await people.session(digest_of("session")) is not None
    await people.ause_login_link(SECOND, HASH)
    assert await people.session(digest_of("session")) is None


async def test_links_end_with_time_with_a_password_and_with_the_account(store: Store) -> None:
    people = store.people
    ada = await people.aadd_account("ada@example.org", HASH)
    await people.aadd_login_link(ada.account_id, FIRST, time_from_now(-1))
    assert await people.login_link(FIRST) is None
    with pytest.raises(NotFound):
        await people.ause_login_link(FIRST, HASH)
    await people.aadd_login_link(ada.account_id, FIRST, time_from_now(60))
    await people.aset_password(ada.account_id, HASH)
    assert await people.login_link(FIRST) is None
    await people.aadd_login_link(ada.account_id, FIRST, time_from_now(60))
    await people.aset_disabled(ada.account_id, True)
    assert await people.login_link(FIRST) is None
    with pytest.raises(Conflict, match="disabled"):
        await people.aadd_login_link(ada.account_id, SECOND, time_from_now(60))
    await people.aset_disabled(ada.account_id, False)
    await people.aadd_login_link(ada.account_id, SECOND, time_from_now(60))
    await people.aremove_account(ada.account_id)
    assert await people.login_link(SECOND) is None


async def test_a_bad_invitation_changes_nothing(store: Store) -> None:
    people = store.people
    await people.aadd_account("ada@example.org", HASH)
    with pytest.raises(Conflict, match="already"):
        await people.ainvite("ADA@example.org", FIRST, time_from_now(60))
    with pytest.raises(NotFound, match="no project"):
        await people.ainvite("bob@example.org", FIRST, time_from_now(60), project_id="nowhere", role="viewer")
    with pytest.raises(InvalidEvent, match="digest"):
        await people.ainvite("bob@example.org", "the secret itself", time_from_now(60))
    with pytest.raises(InvalidEvent, match="role"):
        await people.ainvite("bob@example.org", FIRST, time_from_now(60), project_id="default")
    assert [account.email for account in await people.accounts()] == ["ada@example.org"]
    assert await people.login_links() == []
