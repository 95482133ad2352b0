"""A store with rows in every table, and with the values that databases treat differently."""

from __future__ import annotations

from io import BytesIO

from signalbox.store import NewEvent, Store
from signalbox.store.contract import Who
from signalbox.store.people import LoginBudget, digest_of
from signalbox.store.state import Unfinished
from tests.support.varied_log import record, varied_log

LONG_ID = "checkpoint \x00 " + "é" * 1000
"""The id of a checkpoint that is too long for an index of PostgreSQL."""


def fill(store: Store) -> None:
    """Write to every table."""
    people, ada = store.people, Who("ada@example.org", "account", None)
    people.add_project("other", "Other", agent={"command": ["run", "ü"]}, actor=ada, source="nul \x00 here")
    account = people.add_account("ada@example.org", "hash", admin=True, project_id="other", role="owner")
    people.add_account("bob@example.org", "hash")
    people.add_token("ci", digest_of("secret-1"), scopes=("emit",), project_id="other", actor=ada)
    people.revoke_token(
        people.add_token("old", digest_of("secret-2"), scopes=("read",), account_id=account.account_id).token_id
    )
    people.add_session(account.account_id, digest_of("secret-3"), "2999-01-01T00:00:00.000000Z")
    people.wait(people.astart_login("attempt-1", [LoginBudget("budget", 5, 600.0)]))
    people.wait(people.astart_login("attempt-2", [LoginBudget("budget-2", 5, 600.0)]))
    people.wait(people.afinish_login("attempt-2", "budget-2", "place"))
    for number, size in enumerate((300, 40, 1)):
        log = varied_log(f"t{number}", size, number, ended=number == 0)
        store.import_task(record(f"t{number}", number), log, "other" if number == 1 else None)
    store.import_task(record("empty", 9), [])
    store.append("odd", [NewEvent(event_type="log", payload=payload) for payload in ODD_PAYLOADS])
    ids = {"checkpoint_commit": "checkpoint_id", "permission_request": "request_id"}
    for event_type, name in ids.items():
        store.append(
            "odd", [NewEvent(event_type=event_type, payload={name: key}) for key in (LONG_ID, "nul \x00", "a")]
        )
    store.append_audited(
        "odd",
        NewEvent(event_type="permission_response", payload={"request_id": "a", "response": "allow"}),
        actor=ada,
        action="permission_response",
    )
    store.append("odd", [NewEvent(event_type="runner_heartbeat")] * 3)
    store.append("odd", NewEvent(event_type="log", key="retry", payload={"message": "once"}))
    store.append("deleted", NewEvent(event_type="log"))
    store.delete_task("deleted", actor=None)
    store.append("again", [NewEvent(event_type="log", key="same", payload={"message": "first"})] * 3)
    store.delete_task("again")
    store.append("again", NewEvent(event_type="log", key="same", payload={"message": "second"}))
    store.archive_task("t1", True, actor=ada)
    store.append("running", NewEvent(event_type="status", payload={"status": "running"}))
    store.mark_stale("running", 1)
    store.set_unfinished("odd", [Unfinished("50 %", "stdout"), Unfinished("nul \x00")])
    for name, content in (("big", b"\0\xff" * 300_000), ("same", b"\0\xff" * 300_000), ("empty", b"")):
        store.add_artifact("odd", BytesIO(content), name)
    store.create_task("tagged", metadata={"tags": {"branch": "main", "ü": "ü"}})
    store.append("tagged", NewEvent(event_type="tags_changed", payload={"tags": {"branch": None, "n": 1}}))
    store.save_view("failed", "status=failed&text=\x00", actor=ada)
    deleted = store.save_view("gone", "status=done", actor=ada, project_id="other")
    store.delete_view(deleted.view_id, actor=ada)
    store.claim("reader", "holder", 60)
    store.commit_position("reader", "holder", store.epoch, 7, 60)


ODD_PAYLOADS = (
    {"z": 1, "a": 2, "message": "keys in this order"},
    {"n": 123456789012345678901234567890, "f": 0.1, "e": 1e300, "message": "nul \x00 and \x1b[31mred\x1b[0m"},
    {"message": "x" * 60_000, "level": "error"},
    {"message": "\U000f0000 private, \u2028 line, \U0001d11e clef, \ue000"},
    {},
)
