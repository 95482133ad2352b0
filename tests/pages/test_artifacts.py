"""Artifacts over HTTP: uploads and their limits, previews, safe responses, the command, and the page of the run."""

from __future__ import annotations

import errno
import os
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from signalbox.store import NewEvent, open_task
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.app import create_app
from signalbox.webapp.http import uploads
from signalbox.webapp.junit.report import MAX_TESTS, NotJUnit, junit_report, read_report
from signalbox.webapp.settings import Settings
from signalbox.webapp.views.artifact import artifact_view, with_report
from tests.support.command import signalbox
from tests.support.dom import parse
from tests.support.rendering import FRAGMENTS
from tests.support.server import Server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
JUNIT = b"""<?xml version="1.0"?>
<testsuites><testsuite name="all" tests="3">
<testcase classname="pkg.test_a" name="test_good" time="0.25"/>
<testcase classname="pkg.test_a" name="test_bad" time="1.5">
<failure message="assert 1 == 2">at line &lt;7&gt;</failure></testcase>
<testcase name="test_later"><skipped/></testcase>
</testsuite></testsuites>"""
LIMIT = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:  # type: ignore[misc]
    running = Server(tmp_path_factory.mktemp("artifacts"), max_artifact=LIMIT, max_body=100_000).start()
    running.emit("run", NewEvent(event_type="runner_spawn"))
    yield running
    running.close()


def put(server: Server, name: str, content: bytes, content_type: str | None = None) -> int:
    headers = {"Content-Type": content_type} if content_type else {}
    stored = httpx.post(f"{server.url}/api/tasks/run/artifacts?name={name}", content=content, headers=headers)
    assert stored.status_code == 201, stored.text
    return int(stored.json()["seq"])


def test_an_upload_is_listed_and_downloaded(server: Server) -> None:
    content = b"x" * LIMIT
    seq = put(server, "größe.bin", content)
    (newest, *_) = server.get("/api/tasks/run/artifacts").json()
    assert (newest["seq"], newest["name"], newest["size"]) == (seq, "größe.bin", LIMIT)
    found = server.get(f"/api/tasks/run/artifacts/{seq}/content")
    assert found.content == content
    assert found.headers["Content-Disposition"].endswith("filename*=UTF-8''gr%C3%B6%C3%9Fe.bin")
    first = server.get("/api/tasks/run/artifacts?limit=1")
    assert len(first.json()) == 1


def test_a_file_may_be_empty_as_the_document_says(server: Server) -> None:
    seq = put(server, "empty.log", b"")
    assert server.get(f"/api/tasks/run/artifacts/{seq}/content").content == b""
    document = server.get("/api/openapi.json").json()
    assert document["paths"]["/api/tasks/{task_id}/artifacts"]["post"]["requestBody"]["required"] is False


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_over_the_limit_is_refused_with_both_numbers(server: Server, chunked: bool) -> None:
    content = bytes(LIMIT + 1)
    body = iter([content[:200_000], content[200_000:]]) if chunked else content
    refused = httpx.post(f"{server.url}/api/tasks/run/artifacts?name=a", content=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_large")
    assert str(LIMIT) in refused.text
    assert chunked or str(LIMIT + 1) in refused.text


class FullDisk(BytesIO):
    """A temporary file on a disk without room."""

    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_an_upload_without_room_for_its_temporary_file_may_be_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "SpooledTemporaryFile", lambda _: FullDisk())
    async with create_app(Settings(store=url)).test_app() as app:
        client, headers = app.test_client(), {"Host": "localhost"}
        await client.post("/api/tasks", json={"task_id": "run"}, headers=headers)
        refused = await client.post("/api/tasks/run/artifacts?name=a", data=b"content", headers=headers)
        answer = await refused.get_json()
    assert (refused.status_code, "no room to receive" in answer["error"]["message"]) == (503, True)
    assert int(refused.headers["Retry-After"]) > 0


def test_bad_uploads_are_refused_with_a_reason(server: Server) -> None:
    address = f"{server.url}/api/tasks"
    for path, status, reason in (
        ("run/artifacts", 400, "name must be given"),
        ("run/artifacts?name=a%0Ab", 400, "one line"),
        ("none/artifacts?name=a", 404, "no task"),
        ("run/artifacts?name=a&identity=other", 410, "deleted"),
    ):
        refused = httpx.post(f"{address}/{path}", content=b"1")
        assert (refused.status_code, reason in refused.text) == (status, True), refused.text
    bad_type = httpx.post(f"{address}/run/artifacts?name=a", content=b"1", headers={"Content-Type": "nothing"})
    assert (bad_type.status_code, bad_type.json()["error"]["field"]) == (400, "content_type")
    packed = httpx.post(f"{address}/run/artifacts?name=a", content=b"1", headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 415


def test_an_upload_by_curl_has_the_type_of_its_name(server: Server) -> None:
    seq = put(server, "a.html", b"<b>hi</b>", "application/x-www-form-urlencoded")
    assert server.get(f"/tasks/run/artifacts/{seq}/raw").headers["Content-Type"] == "text/html; charset=utf-8"


def test_html_is_shown_in_a_frame_that_can_do_nothing(server: Server) -> None:
    seq = put(server, "report.html", b"<script>alert(1)</script><b>hi</b>")
    page = server.get(f"/tasks/run/artifacts/{seq}")
    assert ' sandbox title="report.html' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script>alert" not in page.text
    raw = server.get(f"/tasks/run/artifacts/{seq}/raw")
    policy = raw.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert (raw.headers["X-Frame-Options"], raw.headers["X-Content-Type-Options"]) == ("SAMEORIGIN", "nosniff")
    download = server.get(f"/tasks/run/artifacts/{seq}/raw?download=1")
    assert download.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "content", "declared", "shown"),
    [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "image/svg+xml", "attachment"),
        ("a.png", PNG, "image/png", "inline"),
        ("a.txt", b"<html>", "text/plain; charset=utf-8", "inline"),
        ("a.xhtml", b"<html/>", "application/octet-stream", "attachment"),
        ("a.pdf", b"%PDF", "application/octet-stream", "attachment"),
        ('x".exe', b"MZ\0", "application/octet-stream", 'attachment; filename="x_.exe"'),
    ],
)
def test_other_content_cannot_act_as_a_page_of_the_site(
    server: Server, name: str, content: bytes, declared: str, shown: str
) -> None:
    raw = server.get(f"/tasks/run/artifacts/{put(server, name, content)}/raw")
    assert raw.headers["Content-Type"] == declared
    assert raw.headers["Content-Disposition"].startswith(shown)
    assert "sandbox" in raw.headers["Content-Security-Policy"]
    assert raw.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.png", PNG, "<img src="),
        ("a.md", b"# Title\n\n**bold** <script>x</script>", "<strong>bold</strong> &lt;script&gt;"),
        ("a.log", b"\x1b[31mred\x1b[0m <b>", "red</span> &lt;b&gt;"),
        ("noname", b"plain text", "plain text</pre>"),
        ("a.bin", b"\0\1\2", "There is no preview"),
        ("a.xml", JUNIT, "assert 1 == 2\nat line &lt;7&gt;</pre>"),
        ("a.xml", b"<a>other</a>", "&lt;a&gt;other&lt;/a&gt;"),
        ("a.xml", b'<!DOCTYPE t [<!ENTITY a "b">]><testsuite>&a;</testsuite>', "&lt;!DOCTYPE"),
    ],
)
def test_the_page_shows_the_content_by_its_type(server: Server, name: str, content: bytes, part: str) -> None:
    page = server.get(f"/tasks/run/artifacts/{put(server, name, content)}").text
    assert part in page
    assert "<script>x" not in page


def test_a_long_text_is_cut_and_leads_to_all_of_it(server: Server) -> None:
    seq = put(server, "long.txt", "ü".encode() * 140_000)
    page = server.get(f"/tasks/run/artifacts/{seq}").text
    assert "The page shows the first" in page
    assert "\ufffd" not in page
    assert len(server.get(f"/tasks/run/artifacts/{seq}/raw").content) == 280_000


def test_the_page_of_the_run_lists_its_newest_artifacts(server: Server) -> None:
    for number in range(11):
        put(server, f"file-{number}", b"1")
    page = server.get("/tasks/run").text
    assert 'id="artifacts" class="panel"' in page
    assert "file-10</a>" in page
    assert ">file-0</a>" not in page
    assert "file-0</a>" in server.get("/tasks/run/artifacts").text
    assert "<b>artifact</b> <code>file-10</code>" in page
    first = server.get("/api/tasks/run/artifacts?limit=500").json()[-1]["seq"]
    assert "file-10</a>" not in server.get(f"/tasks/run?at={first}").text


def test_an_unknown_artifact_is_not_found(server: Server) -> None:
    for path in ("/tasks/run/artifacts/1", "/tasks/run/artifacts/1/raw", "/api/tasks/run/artifacts/1/content"):
        assert server.get(path).status_code == 404


def test_a_run_stores_files_through_a_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(LIMIT + 1))
    (tmp_path / "ok.txt").write_text("hello")
    os.mkfifo(tmp_path / "pipe")
    log = RemoteLog(server.url)
    with open_task(log, "emitted") as task, task.phase("executing"):
        stored = task.artifact(tmp_path / "ok.txt")
        task.artifact(b"<b>", "page.html")
        refused = task.artifact(tmp_path / "big.bin")
        missing = task.artifact(tmp_path / "missing")
        pipe, folder = task.artifact(tmp_path / "pipe"), task.artifact(tmp_path)
        impossible = [task.artifact(f"{tmp_path}/{name}") for name in ("a\0b", "\ud800")]
    log.close()
    assert (stored.event_type, stored.phase) == ("artifact_stored", "executing")
    assert "big.bin was not stored" in refused.payload["message"]
    assert str(LIMIT) in refused.payload["message"]
    assert "No such file" in missing.payload["message"]
    assert "pipe was not stored: it is no regular file" in pipe.payload["message"]
    assert "Is a directory" in folder.payload["message"]
    assert all("was not stored" in event.payload["message"] for event in impossible)
    names = [artifact["name"] for artifact in server.get("/api/tasks/emitted/artifacts").json()]
    assert names == ["page.html", "ok.txt"]


def test_the_command_stores_files(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    file.write_text("# done")
    target = ("--server", server.url)
    options = ("--artifact", f"{tmp_path}/*.xml", "--artifact", "none")
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).write_bytes(JUNIT)
    os.mkfifo(tmp_path / "pipe.xml")
    found = signalbox("run", *target, "--task", "by-run", *options, "--", "true")
    assert (found.returncode, "none was not stored: No such file" in found.stderr) == (0, True), found.stderr
    assert "pipe.xml was not stored: it is no regular file" in found.stderr
    one = signalbox("artifact", *target, "by-run", str(file), "--name", "Report")
    assert one.returncode == 0, one.stderr
    artifacts = server.get("/api/tasks/by-run/artifacts").json()
    assert [artifact["name"].rpartition("/")[2] for artifact in artifacts] == ["Report", "b.xml", "a.xml"]
    direct = signalbox("artifact", "--store", server.store_url, "by-run", "-", "--name", "x", input="text")
    assert direct.returncode == 0, direct.stderr
    assert server.get("/api/tasks/by-run/artifacts").json()[0]["size"] == 4


def test_tests_are_read_from_junit_with_the_failures_first() -> None:
    report = junit_report(JUNIT)
    assert [(test.name, test.state, test.seconds) for test in report.tests] == [
        ("test_bad", "failed", 1.5),
        ("test_good", "passed", 0.25),
        ("test_later", "skipped", None),
    ]
    assert report.totals == {"failed": 1, "passed": 1, "skipped": 1}
    for content in (b"", b"<a/>", b"<testsuite>", b"<!DOCTYPE a><testsuite/>"):
        with pytest.raises(NotJUnit):
            junit_report(content)


@pytest.mark.parametrize("encoding", ["shift_jis", "no-such-encoding", "rot13", "punycode"])
def test_a_report_in_an_encoding_that_the_parser_does_not_know_is_shown_as_text(server: Server, encoding: str) -> None:
    xml = f'<?xml version="1.0" encoding="{encoding}"?><testsuite><testcase name="a"/></testsuite>'
    page = server.get(f"/tasks/run/artifacts/{put(server, 'report.xml', xml.encode(), 'application/xml')}")
    assert (page.status_code, "testcase" in page.text) == (200, True)


def test_of_countless_tests_only_those_that_a_page_shows_are_kept() -> None:
    passed, failed = '<testcase name="a"/>', '<testcase name="b"><failure/></testcase>'
    report = junit_report(f"<testsuite>{passed * (MAX_TESTS + 9)}{failed * 3}</testsuite>".encode())
    assert report.totals == {"passed": MAX_TESTS + 9, "failed": 3}
    assert [test.name for test in report.tests[:4]] == ["b", "b", "b", "a"]
    assert len(report.tests) == MAX_TESTS
    kept = read_report(f"<testsuite>{passed * 50}{failed * 3}</testsuite>".encode(), 10, 20)
    assert (len(kept.tests), kept.total) == (23, 53)


async def test_a_report_is_read_after_the_view_of_the_store_is_closed(store: SqliteStore) -> None:
    """The largest report takes a second, so a thread reads it, and no connection of the store waits for it."""
    task, _ = await store.acreate_task("run")
    event = await store.aadd_artifact(task.task_id, BytesIO(JUNIT), name="report.xml", content_type="application/xml")
    async with store.read() as view:
        seen = await artifact_view(view, "run", event.seq)
    assert (seen.kind, seen.report) == ("text", None)
    shown = with_report(seen)
    assert shown.kind == "junit"
    assert shown.report is not None
    assert shown.report.total == 3


def test_older_artifacts_are_a_link_away_also_in_the_past(server: Server) -> None:
    server.emit("many", NewEvent(event_type="runner_spawn"))
    with httpx.Client(base_url=server.url) as client:
        for number in range(103):
            client.post(f"/api/tasks/many/artifacts?name=a{number}", content=b"1").raise_for_status()
        for address, oldest in (("/tasks/many/artifacts", 3), ("/tasks/many/artifacts?at=102", 1)):
            (link,) = (a for a in parse(client.get(address).text).all("a") if a.attributes.get("rel") == "next")
            older = client.get(str(link.attributes["href"]))
            assert (older.status_code, older.text.count('class="artifact"')) == (200, oldest)


def test_the_messages_of_a_report_are_bounded_together() -> None:
    failed = "".join(f'<testcase name="n{n}"><failure>{n} {"&quot;" * 900}</failure></testcase>' for n in range(1000))
    view = SimpleNamespace(report=junit_report(f"<testsuite>{failed}</testsuite>".encode()))
    page = FRAGMENTS.parts({"report": "artifacts/_junit.html"}, view=view)["report"]
    assert len(page) < 1_500_000
    assert page.count("&#34;" * 900) > 100, "the first ones are whole"
    assert "999 " + "&#34;" * 90 in page, "the last one has its beginning"
    assert "804 more characters" in page
