"""`signalbox serve`, `emit` and `tail`, and how every command reports invalid input."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from signalbox.store import Event, NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task
from signalbox.webapp.cli import run_command_line
from signalbox.webapp.cli.event_line import line_of
from signalbox.webapp.export.raw import raw_line
from signalbox.webapp.settings import Settings, variable
from tests.support.command import RUN, environment, signalbox, start
from tests.support.log import log_of, tasks_of, types_of
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path).start()
    yield started
    started.close()


def log(message: str) -> NewEvent:
    return NewEvent(event_type="log", payload={"message": message})


# invalid input


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("emit t log --payload [1]", 2, "must be a JSON object"),
        ("emit t log --payload {", 2, "must be a JSON object"),
        ("emit t*t log", 2, "task must be"),
        ("emit t log --actor ", 2, "actor"),
        ("emit t", 2, "Missing argument"),
        ("emit t log --store a --server b", 2, "not both"),
        ("emit t log --store mysql://x/y", 2, "mysql"),
        ("emit t log --store sqlite:////no/such/place/x.db", 1, "there is no directory"),
        ("emit t log --server ftp://x", 2, "a server's URL looks like"),
        ("run --server http://[ -- true", 2, "the command was not started"),
        ("tail t --since-seq -1", 2, "since-seq"),
        ("tail nope", 1, "there is no task 'nope'"),
        ("tail nope --store sqlite:///no-such.db", 1, "there is no task 'nope'"),
        ("run --", 2, "Missing argument"),
        ("run --task t*t -- true", 2, "task must be"),
        ("run --grace x -- true", 2, "grace"),
        ("serve --port 99999", 2, "port (SIGNALBOX_PORT) must be between 0 and 65535, not 99999"),
        ("serve --port x", 2, "port"),
        ("serve --log-format xml", 2, "must be one of text, json"),
        ("serve --workers 0", 2, "workers (SIGNALBOX_WORKERS) must be between 1 and 256, not 0"),
        ("serve --store mysql://x/y", 2, "mysql"),
        ("serve --store sqlite:////no/such/place/x.db", 1, "there is no directory"),
        ("nonsense", 2, "No such command"),
        ("demo --pace -1", 2, "pace"),
    ],
)
def test_invalid_input_is_reported_in_one_line(
    line: str,
    code: int,
    expected: str,
    store: SqliteStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIGNALBOX_STORE_URL", store.url)
    assert run_command_line(line.split(" ")) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("signalbox: ")
    assert output.err.count("\n") == 1
    assert expected in output.err


def test_an_invalid_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALBOX_BATCH_SIZE", "many")
    assert run_command_line(["serve"]) == 2
    assert capsys.readouterr().err == "signalbox: SIGNALBOX_BATCH_SIZE must be a whole number, not 'many'\n"


def test_an_unreachable_server_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["tail", "t", "--server", "http://127.0.0.1:1"]) == 1
    assert "cannot be reached" in capsys.readouterr().err


# serve


def test_help_shows_the_variable_and_default_of_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["serve", "--help"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    for spec in fields(Settings):
        assert f"--{spec.name.replace('_', '-')}" in output
        assert re.search(rf"\[[^]]*{variable(spec)}, default: [^]]+\]", output), spec.name


def test_a_flag_overrides_an_environment_variable(url: str) -> None:
    running = start("serve", "--store", url, "--port", "0", SIGNALBOX_PORT="1")
    assert running.stdout is not None
    line = running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    running.communicate()
    assert re.fullmatch(r"Signalbox listens on http://127\.0\.0\.1:\d{2,5}\n", line)


def test_a_variable_that_kubernetes_sets_for_a_service_is_not_taken_for_the_port() -> None:
    of_services = dict.fromkeys(("SIGNALBOX_PORT", "SIGNALBOX_OTLP_PORT"), "tcp://10.0.0.1:80")
    assert Settings.from_environment(of_services) == Settings()
    assert Settings.from_environment(of_services, port=1).port == 1


def test_a_port_in_use_is_reported_in_one_line(server: Server, tmp_path: Path) -> None:
    done = signalbox("serve", "--store", f"sqlite:///{tmp_path}/other.db", "--port", str(server.port))
    assert done.returncode == 1
    assert done.stderr == f"signalbox: cannot listen on 127.0.0.1:{server.port}: Address already in use\n"


@pytest.mark.long
def test_the_demo_runs_with_the_server_and_stops_with_it(url: str, store: SqliteStore) -> None:
    running = start("serve", "--demo", "--port", "0", SIGNALBOX_STORE_URL=url, SIGNALBOX_SERVER="http://127.0.0.1:1")

    def audit() -> Task | None:
        return next((task for task in tasks_of(store) if task.title == "stdlib audit"), None)

    wait_until(lambda: (task := audit()) and "work_item_start" in types_of(store, task.task_id))
    demos = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert demos
    for demo in demos:
        # The URL of a store may contain a password.
        assert url not in Path(f"/proc/{demo}/cmdline").read_text()
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 143
    output, _ = running.communicate()
    assert output.startswith("Signalbox listens on http://127.0.0.1:")
    task = audit()
    assert task
    assert task.status == "cancelled"
    assert all(task.ended for task in tasks_of(store))


# emit


def test_emit_prints_the_stored_event(url: str, store: SqliteStore) -> None:
    line = "t checkpoint_commit --phase planning --span s1 --parent s0 --actor supervisor --key k"
    done = signalbox("emit", *line.split(), "--payload", '{"checkpoint_id": "c1"}', "--store", url)
    again = signalbox("emit", *line.split(), "--store", url)
    assert done.returncode == again.returncode == 0
    assert done.stdout == again.stdout
    (event,) = log_of(store, "t")
    output = json.loads(done.stdout)
    assert output == {
        "event_id": event.event_id,
        "task_id": "t",
        "seq": 1,
        "event_type": "checkpoint_commit",
        "phase": "planning",
        "actor": "supervisor",
        "span_id": "s1",
        "parent_span_id": "s0",
        "payload": {"checkpoint_id": "c1"},
        "created_at": event.created_at,
        "key": "k",
    }


def test_emit_reads_a_payload_from_standard_input(url: str, store: SqliteStore) -> None:
    done = signalbox("emit", "t", "log", "--payload", "-", input='{"message": "piped"}', SIGNALBOX_STORE_URL=url)
    assert done.returncode == 0
    assert log_of(store, "t")[0].payload == {"message": "piped"}


@pytest.mark.parametrize("given", [b'{"message": "\xff"}', b"[" * 100_000], ids=["no text", "nested"])
def test_emit_refuses_what_is_no_json_in_one_line(url: str, given: bytes) -> None:
    command, variables = [*RUN, "emit", "t", "log", "--payload", "-"], environment(SIGNALBOX_STORE_URL=url)
    done = subprocess.run(command, input=given, env=variables, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1), done.stderr
    assert b"it must be a JSON object" in done.stderr


def test_emit_to_a_server(server: Server) -> None:
    done = signalbox("emit", "t", "log", "--payload", '{"message": "far"}', SIGNALBOX_SERVER=server.url)
    assert json.loads(done.stdout)["seq"] == 1
    assert log_of(server.store, "t")[0].payload == {"message": "far"}


# tail


def test_tail_prints_the_log_until_the_task_ends(url: str, store: SqliteStore) -> None:
    store.append("t", [NewEvent(event_type="runner_spawn"), log("one")])
    running = start("tail", "t", "--store", url)
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(2)]
    store.append("t", [log("two"), NewEvent(event_type="permission_request"), NewEvent(event_type="runner_exit")])
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert [line.split("│")[-1].strip() for line in lines[1:]] == ["one"]
    assert [word for word in ("two", "permission_request", "runner_exit", "permission_cleared") if word in rest] == [
        "two",
        "permission_request",
        "runner_exit",
        "permission_cleared",
    ]


def test_tail_starts_after_a_seq_and_prints_json(url: str, store: SqliteStore) -> None:
    events = store.append("t", [log(str(number)) for number in range(5)] + [NewEvent(event_type="runner_exit")])
    done = signalbox("tail", "t", "--store", url, "--since-seq", "3", "--json")
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [4, 5, 6]
    assert json.loads(done.stdout.splitlines()[0])["payload"] == events[3].payload
    nothing = signalbox("tail", "t", "--store", url, "--since-seq", "6")
    assert (nothing.returncode, nothing.stdout) == (0, "")


def test_tail_with_follow_continues_after_the_end_of_the_task(url: str, store: SqliteStore) -> None:
    store.append("t", NewEvent(event_type="runner_exit"))
    running = start("tail", "t", "--store", url, "--follow")
    assert running.stdout is not None
    assert "runner_exit" in running.stdout.readline()
    store.append("t", log("afterwards"))
    assert "afterwards" in running.stdout.readline()
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert running.communicate()[1] == ""


def test_tail_resumes_after_cuts_and_a_killed_server(server: Server) -> None:
    proxy = Proxy(server.port)
    server.emit("t", *[str(number) for number in range(50)])
    running = start("tail", "t", "--server", proxy.url, "--json")
    assert running.stdout is not None
    seen = [json.loads(running.stdout.readline())["seq"] for _ in range(50)]
    proxy.cut()
    server.emit("t", "after the cut")
    seen.append(json.loads(running.stdout.readline())["seq"])
    server.kill()
    server.emit("t", "while it was dead")
    server.start()
    server.emit("t", NewEvent(event_type="runner_exit"))
    seen += [json.loads(line)["seq"] for line in running.stdout]
    assert running.wait(60) == 0
    _, output = running.communicate()
    proxy.close()
    assert seen == list(range(1, 54))
    assert "signalbox: the connection was lost after #50; reconnecting\n" in output
    assert "signalbox: connected again; continuing after #50\n" in output


def test_tail_exits_quietly_when_its_reader_closes_the_pipe(url: str, store: SqliteStore) -> None:
    store.append("t", [log(str(number)) for number in range(5000)])
    running = start("tail", "t", "--store", url)
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(60) == 141
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()


def event_with(**fields: object) -> Event:
    given = {"event_id": 1, "task_id": "t", "seq": 7, "event_type": "log", "phase": None, "actor": "runner"}
    given |= {
        "span_id": "s",
        "parent_span_id": None,
        "payload_json": b"{}",
        "created_at": "2026-01-02T03:04:05.678901Z",
    }
    payload = fields.pop("payload", {})
    event = Event(**{**given, **fields})  # type: ignore[arg-type]
    event.__dict__["payload"] = payload
    return event


@pytest.mark.parametrize(
    "hostile", ["\x1b]0;title\x07", "\x1b[2J\x1b[H", "\x1bPq\x1b\\", "\r\x08", "\x9b31m", "a\nb", "\x1b[?1049h", "\x1b"]
)
def test_a_log_cannot_drive_the_terminal(hostile: str) -> None:
    for colours in (True, False):
        line = line_of(event_with(payload={"message": f"x{hostile}y"}, phase=f"p{hostile}"), colours=colours)
        printed = re.sub(r"\x1b\[[0-9;]*m", "", line)
        assert printed.isprintable(), ascii(line)


def test_an_answer_that_is_no_text_is_refused_in_one_line(url: str, store: SqliteStore) -> None:
    asked = {"request_id": "r", "tool_name": "rm", "choices": ["a", "b"]}
    store.append("t", [NewEvent(event_type="permission_request", payload=asked)])
    refused = signalbox("answer", "t", "--approve", "--value", "\udcff", "--store", url)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "--value must be JSON" in refused.stderr


def test_bidirectional_controls_never_reach_plain_text(url: str, store: SqliteStore) -> None:
    controls = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    hostile = f"a{controls}b\x9b31m"
    store.append("run", [NewEvent(event_type="log", payload={"message": hostile, "stream": "stderr"})])
    store.append("run", [NewEvent(event_type="tool_result", actor=f"x{controls}", payload={"tool_name": hostile})])
    store.append("run", [NewEvent(event_type="runner_exit", payload={"exit_code": 0})])
    for arguments in (["tail", "run"], ["tail", "run", "--json"]):
        printed = signalbox(*arguments, "--store", url).stdout
        assert not set(printed) & set(controls + "\x9b"), arguments
    events = [raw_line(event) + raw_line(event, ansi=True) for event in log_of(store, "run")]
    assert not set("".join(events)) & set(controls + "\x9b")
    assert (
        json.loads(signalbox("tail", "run", "--json", "--store", url).stdout.splitlines()[0])["payload"]["message"]
        == hostile
    )


def test_colours_of_a_log_are_kept_only_on_a_terminal() -> None:
    event = event_with(payload={"message": "\x1b[31mred\x1b[0m", "stream": "stderr"})
    assert line_of(event, colours=False).endswith("! red")
    assert "\x1b[31mred\x1b[0m" in line_of(event, colours=True)
