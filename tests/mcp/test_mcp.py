"""The MCP server, as the SDK's own client sees it: over stdio, over HTTP, and against a server with tokens.

Importing the SDK takes half a second, so the tests import it, and not this module: every worker of a test run collects
all modules.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from signalbox.store import NewEvent
from signalbox.webapp.app import create_app
from signalbox.webapp.cli import run_command_line
from signalbox.webapp.settings import Settings
from tests.support.command import environment
from tests.support.paths import ROOT
from tests.support.people import project, revoke, token, wait_until_guarded
from tests.support.server import Server

if TYPE_CHECKING:
    from mcp import Client

MODES = ("auto", "legacy")
"""The current version of the protocol, and the versions with a handshake."""

SECRET = "token=hunter2hunter2"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server with tokens and with runs in two projects."""
    server = Server(tmp_path_factory.mktemp("guarded")).start()
    for name in ("ours", "theirs"):
        project(server.store, name)
    links = {"links": {"ci": f"https://ci.example/job?{SECRET}"}}
    server.store.create_task("failed-1", title="Nightly build", kind="build", project_id="ours", metadata=links)
    server.store.create_task("failed-0", title="Nightly build", kind="build", project_id="ours")
    server.store.create_task("secret-run", project_id="theirs")
    for task_id in ("failed-0", "failed-1"):
        server.emit(
            task_id,
            NewEvent(event_type="runner_spawn", span_id="run"),
            NewEvent(event_type="work_item_start", span_id="compile", payload={"work_item_id": "compile"}),
            f"export {SECRET}",
            *[f"line {number}" for number in range(300)],
            NewEvent(event_type="log", payload={"message": "no space left", "stream": "stderr"}),
            NewEvent(event_type="work_item_failed", span_id="compile", payload={"error_code": "disk full"}),
            NewEvent(event_type="runner_exit", span_id="run", payload={"exit_code": 1, "message": "disk full"}),
        )
    token(server.store, "reader", project_id="ours", scopes=("read",))
    token(server.store, "operator", project_id="ours")
    wait_until_guarded(server)
    yield server
    server.close()
    assert "Traceback" not in server.log, server.log


@asynccontextmanager
async def over_http(server: Server, name: str, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """Connect to the MCP server that a server mounts, with the token `name`."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {name}"}, timeout=30) as http:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(transport, mode=mode, **options) as client:
            yield client


@asynccontextmanager
async def over_stdio(*arguments: str, mode: str = "auto", **options: Any) -> AsyncIterator[Client]:
    """Start `signalbox mcp` as a coding agent does."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    environment = {"SIGNALBOX_LOG_LEVEL": "debug"}
    command = ["-m", "signalbox", "mcp", *arguments]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=environment)
    async with Client(stdio_client(parameters), mode=mode, **options) as client:
        yield client


async def answer(client: Client, name: str, **arguments: Any) -> Any:
    """Call a tool that must succeed. The text of the answer is the same as its structured content."""
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


async def refusal(client: Client, name: str, **arguments: Any) -> str:
    """Call a tool that must fail, and return its message."""
    result = await client.call_tool(name, arguments)
    assert result.is_error, result.content
    return str(result.content[0].text)


@pytest.mark.long
async def test_an_agent_sees_the_open_spans_of_a_long_run(guarded: Server) -> None:
    steps = [(f"step {number}", "work_item_failed" if number < 30 else "work_item_complete") for number in range(1100)]
    guarded.store.create_task("long", project_id="ours")
    for name, end in steps:
        start = NewEvent(event_type="work_item_start", span_id=name, payload={"work_item_id": name})
        guarded.store.append("long", [start, NewEvent(event_type=end, span_id=name)])
    guarded.emit("long", NewEvent(event_type="work_item_start", span_id="now", payload={"work_item_id": "deploy"}))
    async with over_http(guarded, "reader") as client:
        run = await answer(client, "read_run", task_id="long")
    assert [(span["name"], span["state"]) for span in run["spans"] if span["state"] == "open"] == [("deploy", "open")]
    assert {span["state"] for span in run["spans"]} == {"open", "failed"}
    assert len(run["spans"]) + run["spans_left_out"] == 1101


@pytest.mark.parametrize("mode", MODES)
async def test_an_agent_finds_a_failed_run_and_the_reason(guarded: Server, mode: str) -> None:
    async with over_http(guarded, "reader", mode) as client:
        found = await answer(client, "list_runs", query="nightly", status=["failed"])
        assert [run["task_id"] for run in found["runs"]] == ["failed-0", "failed-1"]
        run = await answer(client, "read_run", task_id="failed-1")
        assert (run["status"], run["error"], run["exit_code"]) == ("failed", "disk full", 1)
        assert [(span["name"], span["state"]) for span in run["spans"]] == [("run", "failed"), ("compile", "failed")]
        why = await answer(client, "explain_failure", task_id="failed-1")
        assert (why["failed"], why["span_path"], why["error"]) == (True, ["compile"], "disk full")
        assert why["output"][0].endswith("stderr: no space left")
        assert (why["same_error_runs"], why["same_error_in"]) == (2, ["failed-0"])
        alike = await answer(client, "list_runs", same_error_as="failed-1", limit=1)
        assert len(alike["runs"]) == 1
        assert (await answer(client, "list_runs", same_error_as="failed-1", cursor=alike["next_cursor"]))["runs"]


async def test_a_log_is_read_in_bounded_parts_that_continue(guarded: Server) -> None:
    async with over_http(guarded, "reader") as client:
        end = await answer(client, "read_log", task_id="failed-1", limit=3)
        assert end["lines"][0].endswith("stderr: no space left")
        before = await answer(client, "read_log", task_id="failed-1", before_seq=end["first_seq"], limit=2)
        assert [line.split(" ", 2)[2] for line in before["lines"]] == ["line 298", "line 299"]
        seqs: list[int] = []
        since: int | None = 0
        while since is not None:
            part = await answer(client, "read_log", task_id="failed-1", since_seq=since, max_chars=3000, limit=500)
            assert sum(map(len, part["lines"])) <= 3000
            seqs += [int(line.split(" ")[0][1:]) for line in part["lines"]]
            since = part.get("next_since_seq")
        assert seqs == list(range(1, 307))
        hits = await answer(client, "read_log", task_id="failed-1", query="line 29")
        assert len(hits["lines"]) == 11
        ends = await answer(client, "read_log", task_id="failed-1", types=["runner_spawn", "runner_exit"])
        assert [ends["first_seq"], ends["last_seq"]] == [1, 306]
        assert (await answer(client, "read_log", task_id="failed-1", since_seq=3, until_seq=4))["last_seq"] == 4
        for other in ({"query": "line 29"}, {"types": ["log"]}, {"since_seq": 3}, {"failed": True}):
            both = await refusal(client, "read_log", task_id="failed-1", before_seq=100, **other)
            assert "before_seq cannot be combined" in both


async def test_secrets_are_hidden_from_the_agent(guarded: Server) -> None:
    async with over_http(guarded, "reader") as client:
        found = await answer(client, "read_log", task_id="failed-1", query="export")
        assert "hunter2" not in json.dumps(found)
        assert "[redacted]" in found["lines"][0]
        assert (await answer(client, "read_run", task_id="failed-1"))["links"] == {
            "ci": "https://ci.example/job?token=[redacted]"
        }


async def test_what_the_token_may_not_do_is_a_clear_error(guarded: Server) -> None:
    from mcp import MCPError

    guarded.emit("failed-0")
    async with over_http(guarded, "reader") as client:
        assert {run["project_id"] for run in (await answer(client, "list_runs"))["runs"]} == {"ours"}
        assert "right to read" in await refusal(client, "read_run", task_id="secret-run")
        assert "(forbidden)" in await refusal(client, "cancel_run", task_id="failed-1")
        assert "(unknown_task)" in await refusal(client, "read_run", task_id="nobody")
        assert "task_id" in await refusal(client, "read_run", task_id="a/b")
        assert await refusal(client, "read_run") == "task_id: Field required"
        assert "no parameter 'id'; it has task_id" in await refusal(client, "read_run", id="failed-1")
        assert "there is no tool 'delete_run'" in await refusal(client, "delete_run")
        with pytest.raises(MCPError, match="there is no resource 'signalbox://nothing'"):
            await client.read_resource("signalbox://nothing")
        with pytest.raises(MCPError, match="right to read"):
            await client.read_resource("signalbox://tasks/secret-run")


def test_a_caller_without_a_token_is_refused(guarded: Server) -> None:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = guarded.post("/mcp", json=asked, headers={"Accept": "application/json, text/event-stream"})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="Signalbox"')
    assert answer.json()["error"]["code"] == "not_logged_in"


async def test_an_agent_answers_a_permission_request(guarded: Server) -> None:
    asks = NewEvent(
        event_type="permission_request",
        payload={"request_id": "deploy/1", "tool_name": "deploy", "choices": ["a", "b"]},
    )
    guarded.store.create_task("asks", project_id="ours")
    guarded.emit("asks", NewEvent(event_type="runner_spawn"), asks)
    async with over_http(guarded, "reader") as client:
        assert "(forbidden)" in await refusal(client, "answer_permission", task_id="asks", approved=True, value="a")
    async with over_http(guarded, "operator") as client:
        waits = await answer(client, "wait_for_runs", task_ids=["asks"], until="permission")
        assert (waits["reached"], waits["runs"][0]["permissions_open"]) == (["asks"], 1)
        request = (await answer(client, "read_run", task_id="asks"))["permissions"][0]
        assert (request["request_id"], request["tool_name"]) == ("deploy/1", "deploy")
        wrong = await refusal(client, "answer_permission", task_id="asks", approved=True, value="c")
        assert "value" in wrong
        done = await answer(client, "answer_permission", task_id="asks", approved=True, value="b", reason="it is time")
        assert (done["by"], done["value"]) == ("token operator", "b")
        assert "no permission request is open" in await refusal(
            client, "answer_permission", task_id="asks", approved=True
        )
        assert (await answer(client, "send_message", task_id="asks", text="well done"))["event_type"] == "message_sent"
        assert (await answer(client, "cancel_run", task_id="asks"))["event_type"] == "cancel_requested"


async def test_an_agent_starts_a_run_and_waits_for_its_end_with_progress(guarded: Server, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\nprint('ready')"
    agent = {"kind": "command", "argv": [sys.executable, "-c", code]}
    guarded.store.people.set_agent("ours", agent, actor="me", source=None)
    said: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        said.append((done, message))
        gate.touch()

    async with over_http(guarded, "operator") as client:
        ready = {one["project_id"]: one["status"] for one in (await answer(client, "list_projects"))["projects"]}
        assert ready["ours"] == "READY"
        run = await answer(client, "start_run", project_id="ours", title="From an agent")
        assert run["new"]
        assert not (await answer(client, "start_run", project_id="ours"))["new"]
        arguments = {"task_ids": [run["task_id"]], "timeout": 40}
        ended = await client.call_tool("wait_for_runs", arguments, progress_callback=progress)
        assert ended.structured_content["runs"][0]["status"] == "done"
        assert said
        assert run["task_id"] in str(said[0][1])
        short = await answer(client, "wait_for_runs", task_ids=["failed-1", run["task_id"]], all=True, timeout=0)
        assert not short["timed_out"]


@pytest.mark.long
async def test_stdio_serves_a_database_to_an_older_client(guarded: Server) -> None:
    from mcp.shared.exceptions import MCPDeprecationWarning
    from mcp_types import ResourceUpdatedNotification

    guarded.store.create_task("followed", project_id="ours")
    guarded.emit("followed", NewEvent(event_type="runner_spawn"))
    changed: asyncio.Queue[str] = asyncio.Queue()
    foreign: list[Exception] = []

    async def handle(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await changed.put(str(message.params.uri))
        elif isinstance(message, Exception):
            foreign.append(message)

    async with over_stdio("--store", guarded.store_url, mode="legacy", message_handler=handle) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["read_log"].annotations.read_only_hint
        assert tools["answer_permission"].annotations.destructive_hint
        assert tools["read_run"].output_schema["type"] == "object"
        # The owner of the file sees all projects, although the database has tokens.
        assert (await answer(client, "read_run", task_id="secret-run"))["status"] == "queued"
        listed = [str(one.uri) for one in (await client.list_resources()).resources]
        assert {"signalbox://tasks", "signalbox://tasks/followed"} <= set(listed)
        templates = {one.uri_template for one in (await client.list_resource_templates()).resource_templates}
        assert "signalbox://tasks/{task_id}/log" in templates
        log = await client.read_resource("signalbox://tasks/failed-1/log")
        assert "no space left" in log.contents[0].text
        uri = "signalbox://tasks/followed"
        with pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource(uri)
        guarded.emit("followed", "something happens")
        assert await asyncio.wait_for(changed.get(), 60) == uri
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource(uri)
    assert not foreign, "a line of stdout is no message of the protocol"


async def assert_told_of_changes(client: Client, server: Server) -> None:
    """Follow a run with a subscription of the current protocol."""
    async with client.listen(resource_subscriptions=["signalbox://tasks/followed"]) as subscription:
        server.emit("followed", "something happens")
        event = await asyncio.wait_for(anext(aiter(subscription)), 60)
        assert getattr(event, "uri", None) == "signalbox://tasks/followed"


async def test_subscriptions_work_over_http_and_end_with_the_rights(guarded: Server) -> None:
    from mcp import MCPError

    guarded.store.create_task("followed", project_id="ours")
    token(guarded.store, "follower", project_id="ours", scopes=("read",))
    async with over_http(guarded, "follower") as client:
        await assert_told_of_changes(client, guarded)
        with pytest.raises(MCPError, match="right to read"):
            async with client.listen(resource_subscriptions=["signalbox://tasks/secret-run"]):
                pass
        async with client.listen(resource_subscriptions=["signalbox://tasks/followed"]) as subscription:
            revoke(guarded.store, "follower")
            guarded.emit("followed", "more")
            with suppress(StopAsyncIteration):
                async with asyncio.timeout(60):
                    while True:
                        await anext(aiter(subscription))


@pytest.fixture(scope="module")
def bridge(guarded: Server) -> Iterator[str]:
    """Start `signalbox mcp --http` in front of the server, and return its URL."""
    command = [sys.executable, "-m", "signalbox", "mcp", "--http", "0", "--server", guarded.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split(" at ")[1].strip()
        process.terminate()
        assert process.wait(60) is not None


async def test_signalbox_mcp_serves_http_with_the_rights_of_the_callers_token(bridge: str) -> None:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"Authorization": "Bearer reader"}) as http,
        Client(streamable_http_client(bridge, http_client=http)) as client,
    ):
        assert (await answer(client, "read_run", task_id="failed-1"))["status"] == "failed"
        assert "right to read" in await refusal(client, "read_run", task_id="secret-run")
    async with Client(bridge) as client:
        assert "give a token" in await refusal(client, "list_runs")


def test_signalbox_mcp_refuses_other_host_names(bridge: str) -> None:
    foreign = httpx.post(bridge, json={}, headers={"Host": "evil.example", "Accept": "application/json"})
    assert foreign.status_code == 421


@pytest.mark.long
def test_the_example_prints_why_the_newest_failed_run_failed(guarded: Server) -> None:
    example = [sys.executable, str(ROOT / "examples" / "mcp_client.py"), "--store", guarded.store_url]
    result = subprocess.run(example, capture_output=True, text=True, timeout=60, env=environment(PYTHONPATH=str(ROOT)))
    assert (result.returncode, result.stderr) == (1, "")
    first, second, third = result.stdout.splitlines()[:3]
    assert (first, second) == ("failed-0 failed: disk full", "in compile")
    assert third.endswith("stderr: no space left")


def test_what_is_missing_is_said_in_one_line(
    guarded: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_command_line(["mcp", "--store", f"sqlite:///{tmp_path}/none.db"]) == 1
    monkeypatch.setattr(sys.modules["signalbox.webapp.cli.mcp"], "find_spec", lambda name: None)
    assert run_command_line(["mcp", "--server", guarded.url]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    first, second = output.err.splitlines()
    assert f"there is no database {tmp_path}/none.db" in first
    assert "pip install 'signalbox-console[mcp]'" in second


async def test_a_server_without_the_extra_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.webapp.api.mcp.find_spec", lambda name: None)
    app = create_app(Settings(store=url))
    async with app.test_app() as running:
        answer = await running.test_client().post("/mcp", json={}, headers={"Host": "localhost"})
    assert answer.status_code == 501
    assert "pip install 'signalbox-console[mcp]'" in (await answer.get_json())["error"]["message"]


@pytest.mark.long
async def test_a_database_that_cannot_be_opened_is_a_clear_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from signalbox.store.redaction.rules import Redaction
    from signalbox.webapp.cli.mcp import StoreApp
    from signalbox.webapp.cli.target import target
    from signalbox.webapp.mcp import consoles, tools

    (tmp_path / "junk.db").write_bytes(b"junk" * 5000)
    app = StoreApp(target(f"sqlite:///{tmp_path}/junk.db", None, None), one_caller=True)
    make = consoles.of_app(app, Redaction(""))
    result = await tools.call("list_runs", {}, make(None, None))  # type: ignore[arg-type]
    assert result.is_error
    assert "not a database" in result.content[0].text  # type: ignore[union-attr]
    assert "signalbox.mcp" not in [record.name for record in caplog.records]
    (tmp_path / "junk.db").unlink()
    result = await tools.call("list_runs", {}, make(None, None))  # type: ignore[arg-type]
    assert not result.is_error, result
    await app.close()
