"""Exports of a run (raw, NDJSON, CSV, HTML), and the import of NDJSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from e2e.random_run import run
from signalbox.store import Event, NewEvent, open_store
from signalbox.store.chain.heads import Reason, SignedHead
from signalbox.webapp.views.heads import all_heads
from tests.support.command import signalbox
from tests.support.log import append_audited, log_of, spans_of, task_of
from tests.support.server import Server

SECRETS = [
    NewEvent(
        event_type="runner_spawn",
        span_id="main",
        payload={"command": ["curl", "--token", "s3cret"], "runner_pid": 1},
        key="spawn",
    ),
    NewEvent(
        event_type="log", payload={"message": "Authorization: Bearer s3cret\n\x1b[31mred\x1b[0m", "token": "s3cret"}
    ),
    NewEvent(
        event_type="work_item_failed",
        span_id="item",
        parent_span_id="main",
        payload={"work_item_id": "=1+1", "message": "password=s3cret"},
    ),
]


@pytest.fixture(scope="module")
def secret(shared_server: Server) -> str:
    shared_server.store.create_task(
        "secret", title="<b>login</b> --password s3cret", metadata={"token": "s3cret", "n": 1}
    )
    shared_server.emit("secret", *SECRETS)
    return "/tasks/secret"


def comparable(event: Event) -> tuple[object, ...]:
    return (
        event.seq,
        event.event_type,
        event.phase,
        event.actor,
        event.span_id,
        event.payload,
        event.created_at,
        event.occurred_at,
        event.key,
    )


# raw


def test_the_raw_log_has_one_line_per_event(server: Server, secret: str) -> None:
    response = server.get(f"{secret}/raw")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "content-disposition" not in response.headers
    lines = response.text.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["#1", "#2", "#3"]
    assert lines[1].endswith("#2 - runner Authorization: Bearer s3cret ⏎ red")
    assert "\x1b[31mred" in server.get(f"{secret}/raw?ansi=1").text
    assert "secret.log" in server.get(f"{secret}/raw?download=1").headers["content-disposition"]


def test_the_full_raw_log_has_arguments_and_results_without_their_secrets(server: Server) -> None:
    server.emit(
        "full",
        NewEvent(
            event_type="tool_status",
            payload={"tool_name": "bash", "status": "running", "arguments": {"command": "ls", "token": "s3cret"}},
        ),
        NewEvent(
            event_type="tool_result",
            payload={
                "tool_name": "bash",
                "status": "done",
                "result": "one\r\n\x1b[31mtwo\x1b[0m\u2028three password=s3cret",
            },
        ),
        NewEvent(event_type="work_item_complete", span_id="w", payload={"work_item_id": "w", "result": [1, 2]}),
        NewEvent(event_type="log", payload={"message": "hello", "stream": "stderr", "usage": {"n": 1}}),
        NewEvent(event_type="own", payload={"anything": {"deep": 1}}),
        "last",
    )
    text = server.get("/tasks/full/raw?full=1").text
    assert "s3cret" not in text
    events = [block.split(" ", 1)[1] for block in re.split(r"^(?=\d)", text, flags=re.MULTILINE)[1:]]
    assert events == [
        '#1 - runner tool_status bash  running\n    arguments: {"command":"ls","token":"[redacted]"}\n',
        "#2 - runner tool_result bash  done\n    result:\n"
        "        one\n        two\n        three password=[redacted]\n",
        "#3 - runner work_item_complete w\n    result: [1,2]\n",
        '#4 - runner stderr: hello\n    usage: {"n":1}\n',
        '#5 - runner own {"anything":{"deep":1}}\n',
        "#6 - runner last\n",
    ]
    assert "\x1b[31mtwo" in server.get("/tasks/full/raw?full=1&ansi=1").text
    assert "arguments" not in server.get("/tasks/full/raw").text


def test_a_long_raw_log_is_complete_and_in_order(server: Server) -> None:
    server.emit("long", *[f"line {n}" for n in range(1, 3501)])
    lines = server.get("/tasks/long/raw").text.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == [str(n) for n in range(1, 3501)]


def test_a_reader_that_disconnects_does_not_harm_the_server(server: Server) -> None:
    server.emit("left", *[f"line {n} {'x' * 2000}" for n in range(5000)])
    with httpx.stream("GET", f"{server.url}/tasks/left/raw") as response:
        assert next(response.iter_lines()).endswith("x")
    assert server.get("/api/tasks/left").status_code == 200


# NDJSON export and import


def test_an_export_hides_secrets_unless_full_is_requested(server: Server, secret: str) -> None:
    redacted = server.get(f"{secret}/export.ndjson").text
    assert "s3cret" not in redacted
    assert json.loads(redacted.splitlines()[0])["redacted"] is True
    full = server.get(f"{secret}/export.ndjson?full=1").text
    assert full.count("s3cret") == 6
    assert json.loads(full.splitlines()[0])["redacted"] is False


def test_an_import_restores_the_exported_task_exactly(server: Server, tmp_path: Path) -> None:
    server.store.create_task("trip", title="A trip", kind="test", metadata={"n": 1})
    server.emit("trip", *run(seed=7, length=2500))
    file, url = tmp_path / "trip.ndjson", f"sqlite:///{tmp_path / 'other.db'}"
    file.write_bytes(server.get("/tasks/trip/export.ndjson?full=1").content)
    imported = signalbox("import", str(file), "--store", url)
    before = task_of(server.store, "trip")
    assert imported.stdout == f"trip: {before.latest_seq} events, {before.status}\n"

    other = open_store(url)
    try:
        assert [comparable(e) for e in log_of(other, "trip")] == [comparable(e) for e in log_of(server.store, "trip")]
        restored = task_of(other, "trip")
        # An import creates a new task with the same id, so its identity differs.
        assert msgspec.structs.replace(restored, identity=before.identity) == before
        assert spans_of(other, "trip") == spans_of(server.store, "trip")
        (appended,) = other.append("trip", NewEvent(event_type="log"))
        assert appended.seq == before.latest_seq + 1
    finally:
        other.close()


def test_an_import_never_overwrites_a_task(server: Server, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.ndjson"
    file.write_bytes(server.get(f"{secret}/export.ndjson").content)
    refused = signalbox("import", str(file), "--store", server.store_url)
    assert refused.returncode == 1
    assert "there is a task secret already" in refused.stderr
    signalbox("import", str(file), "--as", "copy", "--store", server.store_url)
    assert server.latest("copy") == 3
    assert server.get("/tasks/copy").status_code == 200
    assert log_of(server.store, "copy")[0].key == "spawn"


def with_value(line: bytes, value: bytes) -> bytes:
    return line.replace(b'"payload":{', b'"payload":{"value":' + value + b",")


def with_metadata(line: bytes, value: object) -> bytes:
    header = json.loads(line)
    header["task"]["metadata"] = {"value": value}
    return json.dumps(header).encode()


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda lines: lines[1:], "line 1"),
        (lambda lines: [*lines[:2], lines[2][:20], *lines[3:]], "line 3"),
        (lambda lines: [lines[0], *lines[2:]], "#2 where #1 must be"),
        (lambda lines: [*lines, lines[-1]], "#3 where #4 must be"),
        (lambda lines: [lines[0], lines[1].replace(b'"runner_spawn"', b'""'), *lines[2:]], "event_type"),
        (lambda lines: [], "line 1"),
        (lambda lines: [lines[0], with_value(lines[1], b'"\xff"'), *lines[2:]], "the payload of #1 cannot be read"),
        (lambda lines: [lines[0], with_value(lines[1], b"1e999"), *lines[2:]], "the payload of #1 cannot be read"),
        (lambda lines: [with_metadata(lines[0], "x" * 300_000), *lines[1:]], "metadata must be at most 262144 bytes"),
        (lambda lines: [with_metadata(lines[0], nested(200)), *lines[1:]], "metadata must be nested at most 100"),
    ],
)
def test_a_damaged_file_is_refused_as_a_whole(
    server: Server, secret: str, tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], expected: str
) -> None:
    lines = server.get(f"{secret}/export.ndjson").content.splitlines()
    file, url = tmp_path / "damaged.ndjson", f"sqlite:///{tmp_path / 'other.db'}"
    file.write_bytes(b"\n".join(damage(lines)))
    refused = signalbox("import", str(file), "--store", url)
    assert refused.returncode == 2
    assert expected in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert signalbox("import", "-", "--store", url, input=b"\n".join(lines).decode()).returncode == 0


# CSV and HTML


def test_the_csv_of_spans_contains_no_spreadsheet_formulas(server: Server, secret: str) -> None:
    response = server.get(f"{secret}/spans.csv?download=1")
    assert "secret-spans.csv" in response.headers["content-disposition"]
    spans = {row["span_id"]: row for row in csv.DictReader(io.StringIO(response.text))}
    assert spans["item"]["name"] == "'=1+1"
    assert spans["item"]["parent_span_id"] == "main"
    assert spans["main"]["state"] == "open"
    assert "s3cret" not in response.text


def test_the_html_export_is_self_contained_and_hides_secrets(server: Server, secret: str) -> None:
    response = server.get(f"{secret}/export.html")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'unsafe-inline'" in response.headers["content-security-policy"]
    page = response.text
    assert "s3cret" not in page
    assert "<script" not in page
    assert "src=" not in page
    assert 'href="/' not in page
    assert "&lt;b&gt;login&lt;/b&gt;" in page
    assert 'id="e3"' in page


def test_the_html_export_hides_secrets_in_every_part(server: Server) -> None:
    server.emit(
        "told",
        NewEvent(event_type="links_changed", payload={"links": {"ci": "https://ci.example/job?token=s3cret"}}),
        NewEvent(event_type="tags_changed", payload={"tags": {"api-key": "s3cret", "branch": "main"}}),
        NewEvent(event_type="permission_request", payload={"request_id": "r", "tool_name": "log_in", "choices": ["a"]}),
    )
    said: list[tuple[str, dict[str, Any]]] = [
        ("message_sent", {"text": "use password=s3cret", "data": {"password": "s3cret"}}),
        ("permission_response", {"request_id": "r", "approved": True, "value": {"password": "s3cret", "user": "bot"}}),
    ]
    for event_type, payload in said:
        append_audited(server.store, "told", event_type, "ann", by="ann", **payload)
    server.store.hold_task("told", "the password=s3cret leaked", actor="ann")
    page = server.get("/tasks/told/export.html").text
    for text in ("use password=[redacted]", "token=[redacted]", "branch=", "bot", "the password=[redacted] leaked"):
        assert text in page, text
    assert "s3cret" not in page


def test_the_html_export_shows_labels_artifacts_holds_and_erased_events(server: Server) -> None:
    labels = {"tags": {"branch": "main"}, "links": {"Pull request": "https://example.org/pr/7"}, "host": "build-7"}
    server.store.create_task("whole", metadata={**labels, "retry_of": "first", "attempt": 2})
    server.emit("whole", "before", NewEvent(event_type="log", payload={"message": "Zyxwv token=s3cret"}))
    (artifact,) = [server.store.add_artifact("whole", io.BytesIO(b"a report"), "report token=s3cret.txt")]
    server.emit("whole", NewEvent(event_type="runner_exit", payload={"exit_code": 0}))
    server.store.erase_events("whole", [2], actor="ann", reason="the customer asked for it")
    page = server.get("/tasks/whole/export.html").text
    for text in ("branch=</span>main", 'href="https://example.org/pr/7"', "build-7", "retry of <span", "first</span>"):
        assert text in page, text
    assert "Zyxwv" not in page
    assert "s3cret" not in page
    assert "Erased by ann" in page
    assert "the customer asked for it" in page
    assert str(artifact.payload["sha256"]) in page
    assert 'href="/' not in page
    link = json.loads(server.get("/tasks/whole/export.ndjson").text.splitlines()[0])["chain"]["link"]
    assert f"{link}</span>" in page
    server.store.hold_task("whole", "evidence of May", actor="ann")
    assert re.search("Held by ann since .*evidence of May", server.get("/tasks/whole/export.html").text)
    server.store.hold_task("whole", None, actor="ann")
    before = server.get("/tasks/whole/export.html").text
    asyncio.run(server.store.cold.amove("whole"))
    cold = server.get("/tasks/whole/export.html").text
    assert "In cold storage since" in cold
    facts = r"signed up to #\d+ by .*?</time>|not signed|<p class=\"quiet\">In cold storage since.*?</p>\n"
    assert re.sub(facts, "", cold) == re.sub(facts, "", before)


def test_an_export_has_all_signed_heads_of_a_very_long_log(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.webapp.views.heads.PAGE", 3)
    store = open_store(url)
    store.append("run", [NewEvent(event_type="log")] * 5)
    identity = task_of(store, "run").identity

    def head(seq: int, reason: Reason) -> SignedHead:
        names = {"task_id": "run", "identity": identity, "link": "00" * 32, "signed_at": "T", "key_id": "k"}
        return SignedHead(**names, seq=seq, reason=reason, signature="s")

    heads = [*(head(seq, "events") for seq in (1, 2, 3)), *(head(seq, "end") for seq in (3, 4, 5))]

    async def read() -> list[SignedHead]:
        await store.asign_heads(heads)
        async with store.read() as view:
            return await all_heads(view, "run")

    found = asyncio.run(read())
    assert sorted((head.seq, head.reason) for head in found) == sorted((head.seq, head.reason) for head in heads)
    store.close()


def test_the_html_export_of_a_very_long_run_is_cut_with_a_note(server: Server) -> None:
    server.emit("huge", *[f"line {n}" for n in range(1, 5101)])
    page = server.get("/tasks/huge/export.html").text
    assert "the newest 5,000 of 5,100 events" in page
    assert 'id="e100"' not in page
    assert 'id="e101"' in page
    ids = set(re.findall(r'id="(e\d+)"', page))
    assert set(re.findall(r'href="#(e\d+)"', page)) <= ids


@pytest.mark.long
def test_the_html_export_reads_a_limited_size_of_each_part(server: Server) -> None:
    long = "x" * 240_000
    for number in range(90):
        ask = {"request_id": f"r{number}", "tool_name": f"tool-{number:02}", "arguments": {"text": long}}
        done = {"checkpoint_id": f"c{number:02}", "evidence_refs": {"commit_hash": long}}
        asked = NewEvent(event_type="permission_request", payload=ask)
        committed = NewEvent(event_type="checkpoint_commit", payload=done)
        server.emit("long-parts", asked)
        server.emit("long-parts", committed)
    for number in range(120):
        server.emit("long-parts", NewEvent(event_type="log", payload={"message": f"line {number}", "more": long}))
    page = server.get("/tasks/long-parts/export.html").text
    assert re.search(r"the newest (\d+) of 90</span></h2>", page)
    assert re.search(r"the first \d+</span></h2>", page)
    assert re.search(r"the newest 2\d\d of 300 events", page)
    parts, _, _ = page.partition(">Log <")
    for shown, omitted in (("c89", "c00"), ("tool-00", "tool-89")):
        assert (shown in parts, omitted in parts) == (True, False)


@pytest.mark.parametrize("export", ["raw", "export.ndjson", "spans.csv", "export.html"])
def test_exports_of_an_unknown_task_are_404(server: Server, export: str) -> None:
    assert server.get(f"/tasks/nobody/{export}").status_code == 404


def test_deeply_nested_payloads_of_an_older_version_are_served(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.store.create_task("deep", metadata={"a": 1})
    server.emit("deep", NewEvent(event_type="log", payload={"message": "here", "token": "s3cret"}))
    server.kill()
    for depth in (300, 950):
        nested = '{"a":' * depth + "1" + "}" * depth
        with closing(sqlite3.connect(server.path)) as db, db:
            state = json.loads(db.execute("SELECT state FROM tasks").fetchone()[0])
            state["metadata"] = "METADATA"
            db.execute("UPDATE tasks SET state = ?", (json.dumps(state).replace('"METADATA"', nested),))
            db.execute("UPDATE task_events SET payload = ?", (f'{{"message":"here","deep":{nested}}}',))
        server.start()
        paths = [
            "",
            "/raw",
            "/raw?full=1",
            "/export.ndjson",
            "/export.ndjson?full=1",
            "/export.html",
            "/spans.csv",
        ]
        for path in ["/tasks", "/compare?a=deep&b=deep", *[f"/tasks/deep{path}" for path in paths], "/api/tasks"]:
            response = server.get(path, timeout=60)
            assert response.status_code == 200, (depth, path, response.status_code)
        assert re.search("here|nested more than", server.get("/tasks/deep/raw").text)
        server.kill()
        with closing(sqlite3.connect(server.path)) as db, db:
            state["metadata"] = {}
            db.execute("UPDATE tasks SET state = ?", (json.dumps(state),))


def test_deeply_nested_payloads_are_refused_with_the_reason(server: Server) -> None:
    for depth in (200, 2000, 90_000):
        nested = '{"a":' * depth + "1" + "}" * depth
        events = f'{{"event_type":"log","payload":{nested}}}'
        task = f'{{"task_id":"never","metadata":{nested}}}'
        for path, body in (("/api/tasks/never/events", events), ("/api/tasks", task)):
            response = httpx.post(server.url + path, content=body)
            assert response.status_code == 400, (depth, path, response.text)
            assert "nested" in response.json()["error"]["message"]
