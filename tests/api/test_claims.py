"""Events posted to a log cannot act in the name of a person: only decisions recorded by the server have effect."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from signalbox.store import Emitter, InvalidEvent, NewEvent, open_task
from signalbox.store.sqlite import SqliteStore
from tests.support.command import signalbox
from tests.support.log import answer, audits_of, open_permissions, task_of
from tests.support.people import person, token, wait_until_guarded
from tests.support.server import Server
from tests.support.waiting import wait_until

PERMISSION_REQUEST = NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "rm"})
OPERATOR = "op@example.org"
CLAIMS = [
    {
        "event_type": "permission_response",
        "actor": "user",
        "payload": {"request_id": "r", "approved": True, "by": OPERATOR},
    },
    {"event_type": "permission_response", "actor": OPERATOR, "payload": {"approved": True, "by": OPERATOR}},
    {
        "event_type": "permission_cleared",
        "payload": {"request_id": "r", "cause": "answered", "approved": True, "by": OPERATOR},
    },
    {"event_type": "cancel_requested", "actor": "user", "payload": {"by": OPERATOR}},
    {"event_type": "retry_requested", "actor": "user", "payload": {"retry": "elsewhere", "by": OPERATOR}},
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, dict[str, str]]]]:
    """Start a server with an operator, a token of that operator with all scopes, and a token that may emit and read."""
    server = Server(tmp_path_factory.mktemp("claims"))
    server.start()
    store = server.store
    owner = person(store, OPERATOR, admin=True)
    callers = {
        "operator": token(store, "laptop", account_id=owner.account_id),
        "emitter": token(store, "build", scopes=("emit", "read")),
    }
    wait_until_guarded(server)
    yield server, callers
    server.close()


def test_posted_events_answer_no_permission_and_cancel_nothing(
    guarded: tuple[Server, dict[str, dict[str, str]]],
) -> None:
    server, callers = guarded
    for name, headers in callers.items():
        task_id = f"claims-{name}"
        server.emit(task_id, NewEvent(event_type="runner_spawn"), PERMISSION_REQUEST)
        for claim in CLAIMS:
            assert server.post(f"/api/tasks/{task_id}/events", claim, headers=headers).status_code == 201
        task = server.get(f"/api/tasks/{task_id}", headers=headers).json()
        assert (task["status"], task["permissions_open"]) == ("waiting", 1)
        assert (task["cancel_requested"], task["retries"]) == (False, [])
        assert audits_of(server.store, task_id) == []
        page = server.get(f"/tasks/{task_id}", headers=headers).text
        assert page.count("claimed by the log, no effect") == len(CLAIMS)
        assert f"by {OPERATOR}" not in page
        assert f"“{OPERATOR}”" in page


@pytest.mark.parametrize("option", [(), ("--new-links",)])
def test_a_claim_gets_no_effect_by_an_export_and_an_import(
    option: tuple[str, ...], shared_server: Server, tmp_path: Path
) -> None:
    content = {"name": "n", "content_type": "text/plain", "size": 1, "sha256": "0" * 64}
    claims = [NewEvent(**claim) for claim in CLAIMS]
    claims += [NewEvent(event_type="message_sent", payload={"text": "stop", "by": OPERATOR})]
    claims += [NewEvent(event_type="artifact_stored", payload=content)]
    task_id = f"exported{len(option)}"
    # A claim as the first event must not hide that the log was imported.
    shared_server.store.append(task_id, [claims[0], NewEvent(event_type="runner_spawn"), PERMISSION_REQUEST, *claims])
    (tmp_path / "export").write_bytes(shared_server.get(f"/tasks/{task_id}/export.ndjson").content)
    copy, store = f"{task_id}-copy", f"sqlite:///{shared_server.path}"
    done = signalbox("import", str(tmp_path / "export"), "--as", copy, *option, "--store", store)
    assert done.returncode == 0, done.stderr
    first, second = (task_of(shared_server.store, name) for name in (task_id, copy))
    same = ("status", "permissions_open", "cancel_requested", "retries", "messages_total", "artifacts_total")
    assert [getattr(second, name) for name in same] == [getattr(first, name) for name in same]
    assert (second.status, second.permissions_open, second.artifacts_total) == ("waiting", 1, 0)
    assert asyncio.run(_is_imported(shared_server, copy))
    verified = signalbox("verify", copy, "--store", store)
    assert verified.returncode == 0, verified.stdout + verified.stderr


async def _is_imported(server: Server, task_id: str) -> bool:
    async with server.store.read() as view:
        return await view.is_imported(task_id)


def test_only_checkpoints_and_evidence_may_name_the_supervisor_without_quotes(shared_server: Server) -> None:
    emitter = Emitter(shared_server.store)
    emitter.emit_checkpoint_commit("checked", "s", "c", "plan", None, {})
    emitter.emit_evidence_collected("checked", "s", None, "file", "e")
    shared_server.emit("checked", NewEvent(event_type="status", actor="supervisor", payload={"message": "all is well"}))
    shared_server.emit("checked", NewEvent(event_type="checkpoint_verified", actor="user"))
    page = shared_server.get("/tasks/checked").text
    assert re.findall('<q title="what the log calls itself">([^<]*)', page) == ["supervisor", "user"]
    lines = shared_server.get("/tasks/checked/raw").text.splitlines()
    assert ["“" in line for line in lines] == [False, False, True, True], lines


def test_an_answer_names_the_account_and_the_token(guarded: tuple[Server, dict[str, dict[str, str]]]) -> None:
    server, callers = guarded
    server.emit("answered", PERMISSION_REQUEST)
    event = server.post("/api/tasks/answered/permissions/r", {"approved": True}, headers=callers["operator"]).json()
    assert (event["payload"]["by"], event["origin"]) == (f"{OPERATOR} (token laptop)", "server")
    (audit,) = audits_of(server.store, "answered")
    assert audit["actor"] == f"{OPERATOR} (token laptop)"
    assert audit["account_id"]
    assert audit["token_id"]
    assert audit["project_id"] == "default"
    assert (
        f"Approved</b> by {OPERATOR} (token laptop)"
        in server.get("/tasks/answered/permissions/r", headers=callers["operator"]).text
    )


NAMES = [
    OPERATOR,
    "ann＠example.org",
    "supervisor",
    "local user",
    "User",
    "the Supervisor",
    "us\u200ber",
    "signalbox",
    " x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_token_cannot_be_named_like_a_person_or_the_server(store: SqliteStore, name: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        token(store, name)
    assert refused.value.field == "name"


@pytest.mark.parametrize("key", ["retry-5", "retry:x", "signalbox:not-started", "signalbox:interrupted:1"])
def test_idempotency_keys_reserved_for_the_server_are_refused(server: Server, store: SqliteStore, key: str) -> None:
    with pytest.raises(InvalidEvent, match="key must not begin with"):
        store.append("t", NewEvent(event_type="log", key=key))
    refused = server.post("/api/tasks/planted/events", [{"event_type": "log", "key": key}])
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "key")
    assert server.get("/api/tasks/planted").status_code == 404


@pytest.mark.parametrize("kind", ["agent", "Agent", " agent", "ａgent"])
def test_only_the_server_creates_agent_runs(server: Server, store: SqliteStore, kind: str) -> None:
    refused = server.post("/api/tasks", {"task_id": "planted-run", "kind": kind})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "kind")
    with pytest.raises(InvalidEvent, match="kind"):
        open_task(store, "t", kind=kind)
    assert signalbox("run", "--store", store.url, "--kind", kind, "--", "true").returncode == 2


def test_a_token_with_scope_emit_cannot_write_to_an_agent_run(
    guarded: tuple[Server, dict[str, dict[str, str]]],
) -> None:
    server, callers = guarded
    server.store.create_task("agents-run", kind="agent")
    for event_type in ("runner_spawn", "runner_exit", "log"):
        refused = server.post("/api/tasks/agents-run/events", {"event_type": event_type}, headers=callers["emitter"])
        assert refused.status_code == 403
    assert task_of(server.store, "agents-run").status == "queued"


def test_events_of_an_emitter_do_not_release_a_waiting_run(store: SqliteStore, tmp_path: Path) -> None:
    with open_task(store, "t") as task:
        emitter = Emitter(store)

        def forge_then_answer() -> None:
            (request,) = wait_until(lambda: open_permissions(store, "t"))
            request_id = request.request_id
            emitter.emit_permission_response("t", request_id, True, OPERATOR)
            emitter.emit_permission_cleared("t", "s", request_id, "answered", by=OPERATOR)
            emitter.emit_cancel_requested("t", by=OPERATOR)
            answer(store, "t", request_id, False, "ann")

        answering = threading.Thread(target=forge_then_answer)
        answering.start()
        given = task.ask_permission("rm")
        answering.join()
        assert (given.approved, given.by, task.cancelled) == (False, "ann", False)


def test_an_imported_answer_closes_its_permission_as_a_claim(
    store: SqliteStore, server: Server, tmp_path: Path
) -> None:
    server.emit("exported", NewEvent(event_type="runner_spawn"), PERMISSION_REQUEST)
    server.post("/api/tasks/exported/permissions/r", {"approved": True})
    server.emit("exported", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    text = httpx.get(f"{server.url}/tasks/exported/export.ndjson?full=1").text.replace("local user", OPERATOR)
    file = tmp_path / "run.ndjson"
    file.write_text(text)
    done = signalbox("import", str(file), "--as", "imported", "--store", server.store.url)
    assert done.returncode == 0, done.stderr
    page = server.get("/tasks/imported/permissions/r").text
    assert "Approved" in page
    assert f"“{OPERATOR}”, as the log claims" in page
    assert f"by {OPERATOR}" not in server.get("/tasks/imported").text
    assert server.get("/api/tasks/imported").json()["permissions_open"] == 0
    assert server.get("/tasks/imported?at=3").status_code == 200
    assert audits_of(server.store, "imported") == []


def test_an_answer_from_a_shell_is_audited(store: SqliteStore) -> None:
    store.append("t", PERMISSION_REQUEST)
    done = signalbox("answer", "t", "--approve", "--store", store.url)
    assert done.returncode == 0, done.stderr
    assert task_of(store, "t").permissions_open == 0
    (audit,) = audits_of(store, "t")
    assert (audit["action"], audit["source"]) == ("permission_response", "command")
