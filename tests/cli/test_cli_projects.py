"""`--project` chooses the project of a command; `--token` identifies the command to a server."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from signalbox.store import open_store
from signalbox.store.emitter.run import open_task
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.cli import run_command_line
from signalbox.webapp.cli.target import target
from tests.support.command import RUN, signalbox, start
from tests.support.log import log_of, task_of
from tests.support.people import project, revoke, token, wait_until_guarded
from tests.support.proxy import Proxy
from tests.support.server import Server


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    opened = open_store(f"sqlite:///{tmp_path}/signalbox.db")
    opened.people.add_project("web", "Web")
    monkeypatch.setenv("SIGNALBOX_STORE_URL", opened.url)
    for name in ("SIGNALBOX_SERVER", "SIGNALBOX_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield opened
    opened.close()


# --project


def test_emit_creates_its_task_in_the_given_project(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["emit", "t", "log", "--project", "web"]) == 0
    assert run_command_line(["emit", "t", "log", "--project", "web"]) == 0
    assert run_command_line(["emit", "t", "log"]) == 0
    assert run_command_line(["emit", "other", "log"]) == 0
    assert (task_of(store, "t").project_id, task_of(store, "other").project_id) == ("web", "default")
    assert len(log_of(store, "t")) == 3
    capsys.readouterr()
    assert run_command_line(["emit", "other", "log", "--project", "web"]) == 1
    assert capsys.readouterr().err == "signalbox: the task other is in the project default, and stays there\n"
    assert len(log_of(store, "other")) == 1


def test_a_variable_names_the_project_of_new_tasks(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tests.xml").write_text('<testsuite name="s"><testcase name="a"/></testsuite>')
    run_command_line(["emit", "before", "log"])
    monkeypatch.setenv("SIGNALBOX_PROJECT", "web")
    assert run_command_line(["emit", "before", "log"]) == 0  # an existing task stays where it is
    assert run_command_line(["emit", "emitted", "log"]) == 0
    assert run_command_line(["emit", "chosen", "log", "--project", "default"]) == 0
    assert run_command_line(["run", "--task", "wrapped", "--", "true"]) == 0
    assert run_command_line(["import", "junit", str(tmp_path / "tests.xml"), "--as", "imported"]) == 0
    with open_task(store, "opened"):
        pass
    tasks = ("before", "emitted", "chosen", "wrapped", "imported", "opened")
    projects = [task_of(store, task_id).project_id for task_id in tasks]
    assert projects == ["default", "web", "default", "web", "web", "web"]


def test_an_unknown_project_is_reported_and_no_task_is_created(
    store: SqliteStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["emit", "t", "log", "--project", "nope"]) == 2
    assert "there is no project 'nope'" in capsys.readouterr().err
    assert run_command_line(["run", "--project", "nope", "--", "true"]) == 2
    assert "the command was not started: there is no project 'nope'" in capsys.readouterr().err


def test_a_retry_is_in_the_project_of_the_first_run(store: SqliteStore) -> None:
    database = {"SIGNALBOX_STORE_URL": store.url}
    assert signalbox("run", "--project", "web", "--task", "first", "--", "false", **database).returncode == 1
    assert task_of(store, "first").project_id == "web"
    assert signalbox("run", "--retry-of", "first", "--task", "second", "--", "true", **database).returncode == 0
    assert task_of(store, "second").project_id == "web"


def test_an_imported_task_is_placed_in_the_given_project(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.ndjson"
    file.write_text('{"signalbox":1,"task":{"task_id":"back","created_at":"2026-01-01T00:00:00.000000Z"}}\n')
    assert run_command_line(["import", str(file), "--project", "web"]) == 0
    assert run_command_line(["import", str(file), "--as", "copy"]) == 0
    assert (task_of(store, "back").project_id, task_of(store, "copy").project_id) == ("web", "default")
    assert run_command_line(["import", str(file), "--as", "third", "--project", "nope"]) == 2
    assert "there is no project 'nope'" in capsys.readouterr().err


# --token


def test_a_token_comes_from_the_flag_or_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALBOX_TOKEN", "sbx_variable")
    assert target(None, "http://x").token == "sbx_variable"
    chosen = target(None, "http://x", "sbx_flag")
    assert chosen.token == "sbx_flag"
    assert chosen.environment() == {"SIGNALBOX_SERVER": "http://x", "SIGNALBOX_TOKEN": "sbx_flag"}
    assert "SIGNALBOX_TOKEN" not in target("sqlite:///x.db").environment()


def test_a_token_without_a_server_is_an_error(store: SqliteStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["tail", "t", "--token", "sbx_x"]) == 2
    assert "--token can only be used with --server" in capsys.readouterr().err


@pytest.mark.long
def test_commands_work_through_a_server_with_a_token(start_server: Callable[..., Server]) -> None:
    server = start_server()
    project(server.store, "web")
    token(server.store, "ci", project_id="web", scopes=("read", "emit"))
    token(server.store, "late", seconds=-1)
    wait_until_guarded(server)
    credentials = {"SIGNALBOX_SERVER": server.url, "SIGNALBOX_TOKEN": "ci"}
    assert signalbox("emit", "t", "log", **credentials).returncode == 0
    shell = f"{shlex.join(RUN)} emit $SIGNALBOX_TASK log && echo done"
    done = signalbox("run", "--task", "r", "--project", "web", "--", "sh", "-c", shell, **credentials)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "done")
    assert {task_of(server.store, name).project_id for name in ("t", "r")} == {"web"}
    assert "runner_exit" in signalbox("tail", "r", **credentials).stdout

    other_project = signalbox("emit", "u", "log", "--project", "default", **credentials)
    assert (other_project.returncode, other_project.stdout) == (1, "")
    assert "does not have the right to emit events in the project 'default'" in other_project.stderr
    expired = signalbox("emit", "t", "log", "--server", server.url, "--token", "late")
    assert expired.returncode == 1
    assert "give a token with --token or SIGNALBOX_TOKEN" in expired.stderr


def test_a_tail_ends_when_its_token_is_revoked(start_server: Callable[..., Server]) -> None:
    server = start_server()
    server.emit("t", "one")
    token(server.store, "reader", scopes=("read",))
    wait_until_guarded(server)
    running = start("tail", "t", SIGNALBOX_SERVER=server.url, SIGNALBOX_TOKEN="reader")
    assert running.stdout is not None
    assert "one" in running.stdout.readline()
    revoke(server.store, "reader")
    errors = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert "the server refuses this caller" in errors


@pytest.mark.parametrize(("line", "code"), [("emit t log", 1), ("tail t", 1), ("demo --quiet", 1), ("run -- true", 2)])
def test_a_401_is_reported_with_how_to_give_a_token(
    server: Server, line: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy = Proxy(server.port)
    proxy.respond("401 Unauthorized", body=json.dumps({"error": {"message": "log in"}}))
    monkeypatch.setenv("SIGNALBOX_SERVER", proxy.url)
    assert run_command_line(line.split()) == code
    error = capsys.readouterr().err
    assert "the server refuses this caller (log in): give a token with --token or SIGNALBOX_TOKEN" in error
    assert error.count("\n") == 1
    proxy.close()
