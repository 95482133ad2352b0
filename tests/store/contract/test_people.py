"""Test accounts, tokens and sessions, and the rules for everything that a store keeps about people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from signalbox.store import Conflict, InvalidEvent, NotFound, Store, open_store
from signalbox.store.people import Account, Token, digest_of
from signalbox.store.times import now
from tests.support.forked_functions import processes

PAST, FUTURE = "2020-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def add_account(store: Store, email: str = "ann@example.org", **options: Any) -> Account:
    return store.people.add_account(email, "$argon2id$hash", **options)


def token(store: Store, name: str = "ci", **options: Any) -> Token:
    return store.people.add_token(name, digest_of(name), **{"scopes": ("read",), **options})


def session(store: Store, account: Account, secret: str, expires_at: str = FUTURE) -> None:
    store.people.add_session(account.account_id, digest_of(secret), expires_at)


# accounts


async def test_an_account_is_found_by_its_address_in_any_case(store: Store) -> None:
    account = add_account(store, "Ann.Löw@Example.ORG", admin=True)
    assert (account.email, account.admin, account.disabled_at) == ("ann.löw@example.org", True, None)
    assert await store.people.account_by_email("ANN.LÖW@example.org") == (account, "$argon2id$hash")
    assert await store.people.account(account.account_id) == account
    assert await store.people.account_by_email("nobody@example.org") is None
    assert await store.people.account_by_email("not an address") is None
    with pytest.raises(Conflict):
        add_account(store, "ann.lÖw@example.org")
    bob = add_account(store, "bob@example.org")
    assert await store.people.accounts() == [account, bob]


@pytest.mark.parametrize(
    "email", ["", "ann", "@example.org", "ann@", "ann@a@b", "a nn@example.org", "a\n@b.org", f"a@{'b' * 253}"]
)
def test_an_invalid_address_is_refused(store: Store, email: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        add_account(store, email)
    assert refused.value.field == "email"


async def test_changing_a_password_or_disabling_an_account_ends_all_sessions(store: Store) -> None:
    account, other = add_account(store), add_account(store, "bob@example.org")
    session(store, other, "bob")
    session(store, account, "one")
    store.people.set_password(account.account_id, "$argon2id$other")
    assert await store.people.session(digest_of("one")) is None
    assert await store.people.account_by_email(account.email) == (account, "$argon2id$other")
    session(store, account, "two")
    store.people.set_disabled(account.account_id, True)
    assert await store.people.session(digest_of("two")) is None
    disabled = await store.people.account(account.account_id)
    assert disabled is not None
    assert disabled.disabled_at is not None
    store.people.set_disabled(account.account_id, True)
    assert await store.people.account(account.account_id) == disabled
    store.people.set_disabled(account.account_id, False)
    assert await store.people.account(account.account_id) == account
    assert await store.people.session(digest_of("bob")) is not None


async def test_a_renewed_hash_does_not_overwrite_a_changed_password(store: Store) -> None:
    account = add_account(store)
    session(store, account, "one")
    store.people.renew_hash(account.account_id, "$argon2id$hash", "$argon2id$renewed")
    assert await store.people.account_by_email(account.email) == (account, "$argon2id$renewed")
    store.people.renew_hash(account.account_id, "$argon2id$hash", "$argon2id$late")
    assert await store.people.account_by_email(account.email) == (account, "$argon2id$renewed")
    assert await store.people.session(digest_of("one")) is not None


async def test_removing_an_account_removes_its_tokens_sessions_and_memberships(store: Store) -> None:
    account = add_account(store)
    store.people.set_member("default", account.account_id, "owner")
    token(store, account_id=account.account_id)
    session(store, account, "one")
    store.people.remove_account(account.account_id)
    assert await store.people.accounts() == []
    assert await store.people.tokens() == []
    assert await store.people.members("default") == []
    assert await store.people.session(digest_of("one")) is None


# tokens and sessions


async def test_a_token_is_found_by_its_digest(store: Store) -> None:
    account = add_account(store)
    store.people.add_project("web", "Web")
    token_value = token(
        store,
        "deploy",
        scopes=("emit", "read", "emit"),
        account_id=account.account_id,
        project_id="web",
        expires_at=PAST,
    )
    assert token_value.scopes == ("read", "emit")
    assert (token_value.account_id, token_value.project_id, token_value.expires_at) == (account.account_id, "web", PAST)
    assert await store.people.token(digest_of("deploy")) == token_value
    assert await store.people.token(digest_of("other")) is None
    free = token(store, "free")
    assert await store.people.tokens() == [token_value, free]
    assert await store.people.tokens(account.account_id) == [token_value]


async def test_a_token_is_revoked_once_and_permanently(store: Store) -> None:
    token_value = token(store)
    store.people.revoke_token(token_value.token_id)
    revoked = await store.people.token(digest_of("ci"))
    assert revoked is not None
    assert revoked.revoked_at is not None
    assert token_value.created_at <= revoked.revoked_at <= now()
    store.people.revoke_token(token_value.token_id)
    assert await store.people.tokens() == [revoked]


async def test_tokens_of_a_disabled_account_do_not_work(store: Store) -> None:
    account = add_account(store)
    token_value = token(store, account_id=account.account_id)
    token(store, "free")
    store.people.set_disabled(account.account_id, True)
    assert await store.people.token(digest_of("ci")) is None
    assert await store.people.token(digest_of("free")) is not None
    assert await store.people.tokens(account.account_id) == [token_value]
    store.people.set_disabled(account.account_id, False)
    assert await store.people.token(digest_of("ci")) == token_value


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "x" * 129}),
        ("name", {"name": "a\nb"}),
        ("scopes", {"scopes": ()}),
        ("scopes", {"scopes": ("read", "everything")}),
        ("expires_at", {"expires_at": "tomorrow"}),
        ("digest", {"digest": "sbx_the-secret-itself"}),
    ],
)
def test_an_invalid_token_is_refused(store: Store, field: str, given: dict[str, Any]) -> None:
    fields = {"name": "ci", "digest": digest_of("ci"), "scopes": ("read",), **given}
    with pytest.raises(InvalidEvent) as refused:
        store.people.add_token(fields.pop("name"), fields.pop("digest"), **fields)
    assert refused.value.field == field


async def test_sessions_begin_end_and_expire(store: Store) -> None:
    account = add_account(store)
    session(store, account, "one")
    session(store, account, "two")
    session(store, account, "over", PAST)
    stored = await store.people.session(digest_of("one"))
    assert stored is not None
    assert (stored.account_id, stored.expires_at) == (account.account_id, FUTURE)
    assert await store.people.session(digest_of("over")) is None
    store.people.end_session(digest_of("one"))
    store.people.end_session(digest_of("one"))
    assert await store.people.session(digest_of("one")) is None
    assert await store.people.session(digest_of("two")) is not None


# accounts, tokens and sessions together

UNKNOWN: dict[str, Callable[[Store], object]] = {
    "password": lambda store: store.people.set_password(NOBODY, "$argon2id$hash"),
    "disable": lambda store: store.people.set_disabled(NOBODY, True),
    "remove account": lambda store: store.people.remove_account(NOBODY),
    "token of an unknown account": lambda store: token(store, account_id=NOBODY),
    "token of no project": lambda store: token(store, project_id="nowhere"),
    "revoke": lambda store: store.people.revoke_token(NOBODY),
    "session": lambda store: store.people.add_session(NOBODY, digest_of("x"), FUTURE),
    "agent": lambda store: store.people.set_agent("nowhere", None),
    "remove project": lambda store: store.people.remove_project("nowhere"),
    "member of no project": lambda store: store.people.set_member("nowhere", NOBODY, "viewer"),
    "membership of an unknown account": lambda store: store.people.set_member("default", NOBODY, "viewer"),
    "end of the membership of an unknown account": lambda store: store.people.set_member("default", NOBODY, None),
}


@pytest.mark.parametrize("what", UNKNOWN)
async def test_an_unknown_id_is_reported_and_changes_nothing(store: Store, what: str) -> None:
    before = await store.people.version()
    with pytest.raises(NotFound):
        UNKNOWN[what](store)
    assert await store.people.version() == before


async def test_a_store_is_guarded_from_its_first_account_or_token(store: Store) -> None:
    assert not await store.people.guarded()
    account = add_account(store)
    assert await store.people.guarded()
    store.people.set_disabled(account.account_id, True)
    assert await store.people.guarded()
    store.people.remove_account(account.account_id)
    assert not await store.people.guarded()
    token_value = token(store, expires_at=PAST)
    store.people.revoke_token(token_value.token_id)
    assert await store.people.guarded()


async def test_every_write_raises_the_version(store: Store) -> None:
    seen = [await store.people.version()]

    async def raised() -> None:
        seen.append(await store.people.version())

    account = add_account(store)
    await raised()
    store.people.set_password(account.account_id, "$argon2id$other")
    await raised()
    token_value = token(store)
    await raised()
    store.people.revoke_token(token_value.token_id)
    await raised()
    session(store, account, "one")
    assert await store.people.version() == seen[-1], "a log-in changes no rights"
    store.people.end_session(digest_of("one"))
    await raised()
    store.people.add_project("web", "Web")
    await raised()
    store.people.set_agent("web", {"kind": "upstream"})
    await raised()
    store.people.set_member("web", account.account_id, "owner")
    await raised()
    store.people.set_disabled(account.account_id, True)
    await raised()
    store.people.remove_account(account.account_id)
    await raised()
    store.people.remove_project("web")
    await raised()
    assert seen == sorted(set(seen))


def _add_people(url: str, name: str) -> None:
    store = open_store(url)
    for n in range(10):
        add_account(store, f"{name}-{n}@example.org")
    store.close()


async def test_writes_of_other_processes_are_visible_with_their_version(store: Store, url: str) -> None:
    before = await store.people.version()
    others = [processes.Process(target=_add_people, args=(url, name)) for name in ("ann", "bob")]
    for other in others:
        other.start()
    for other in others:
        other.join(120)
    assert [other.exitcode for other in others] == [0, 0]
    assert len(await store.people.accounts()) == 20
    assert await store.people.version() == before + 20
