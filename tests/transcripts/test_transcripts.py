"""Transcripts of coding agents as runs: what they show, and what importing them again does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from signalbox.store import Event, open_task
from signalbox.store.sqlite import SqliteStore
from signalbox.store.state import Task
from signalbox.webapp.transcripts.claude_code_files import claude_code_files, read_claude_code
from signalbox.webapp.transcripts.codex_files import codex_files, read_codex
from signalbox.webapp.transcripts.storing import store_run
from signalbox.webapp.transcripts.transcript_run import TranscriptRun
from tests.support.command import signalbox
from tests.support.log import log_of, spans_of, task_of, tasks_of
from tests.support.paths import ROOT

FIXTURES = ROOT / "tests" / "transcripts" / "fixtures"
CLAUDE, CODEX = FIXTURES / "claude-code", FIXTURES / "codex"
SESSION = CLAUDE / "5f0c1a52-7d3e-4c1b-9a55-2f6f0e1d8c11.jsonl"
OLDER = CLAUDE / "8e7d6c5b-1111-4222-8333-444455556666.jsonl"
ROLLOUT = next(CODEX.glob("*89cd5.jsonl"))


async def imported(store: SqliteStore, run: TranscriptRun) -> list[Event]:
    task, _ = await store_run(store, run)
    async with store.read() as view:
        return await view.events(task.task_id, 0, 1000)


def test_a_session_of_claude_code_becomes_a_run_with_its_own_times(url: str, store: SqliteStore) -> None:
    done = signalbox("import", "claude-code", str(SESSION), "--store", url)
    assert done.stdout == f"claude-code-{SESSION.stem}: imported, 38 events, 2 lines without content left out\n"
    task = task_of(store, f"claude-code-{SESSION.stem}")
    assert (task.title, task.kind, task.status) == (
        "The checkout charges some cards twice. Find out why and fix it.",
        "claude-code",
        "done",
    )
    assert (task.started_at, task.ended_at) == ("2026-11-20T09:00:00.000000Z", "2026-11-20T09:01:39.663000Z")
    assert task.metadata["cwd"] == "/srv/ann/shop"
    # The lines of an answer repeat its usage, which counts once.
    assert task.usage is not None
    assert task.usage.tokens.output == 659


async def test_tools_have_their_arguments_results_and_failures(store: SqliteStore) -> None:
    run, _ = read_claude_code(SESSION)
    events = await imported(store, run)
    by_span = {event.span_id: event.payload for event in events if event.event_type == "tool_result"}
    assert by_span["tool-toolu_01"]["result"].startswith("shop/payments.py:31:")
    assert by_span["tool-toolu_04"]["details"]["filePath"] == "/srv/ann/shop/retries.py"
    assert by_span["tool-toolu_05"]["error_code"] == "tool_failed"
    assert by_span["tool-toolu_06"]["error_code"] == "denied"
    starts = {event.span_id: event.payload for event in events if event.event_type == "tool_status"}
    assert starts["tool-toolu_05"]["arguments"]["command"] == "pytest -q"


@pytest.mark.parametrize(("file", "tool"), [(SESSION, "tool-toolu_02"), (OLDER, "tool-toolu_11")])
async def test_a_subagent_lies_below_the_tool_call_that_started_it(store: SqliteStore, file: Path, tool: str) -> None:
    events = await imported(store, read_claude_code(file)[0])
    nested = [event for event in events if event.parent_span_id == tool and event.event_type == "work_item_complete"]
    assert nested
    said = next(event for event in events if event.event_type == "user_message" and event.span_id == tool)
    assert "shop/retries.py" in said.payload["message"]


async def test_what_the_importer_does_not_know_is_kept(store: SqliteStore) -> None:
    events = await imported(store, read_claude_code(SESSION)[0])
    prompt = next(event for event in events if event.event_type == "user_message")
    assert prompt.payload["transcript"] == {"thinkingMetadata": {"level": "high", "disabled": False, "triggers": []}}
    link = next(event for event in events if event.event_type == "claude_code_pr_link")
    assert link.payload["transcript"]["prNumber"] == 412
    commands = [event.payload["message"] for event in events if event.event_type == "log"]
    assert "/model sonnet" in commands
    picture = next(event for event in events if "content" in event.payload and event.event_type == "user_message")
    assert picture.payload["content"][1]["source"]["data"] == "(12 characters of base64)"


def test_a_session_of_codex_becomes_a_run(url: str, store: SqliteStore) -> None:
    done = signalbox("import", "codex", str(CODEX), "--store", url)
    assert done.stdout.startswith("codex-019a2d7a-41c4-78b1-b7cc-a45d62a89cd5: imported, 23 events")
    (task,) = tasks_of(store)
    assert (task.title, task.status) == ("Make the tests of the shop pass.", "done")
    assert task.usage is not None
    assert (task.usage.tokens.input, task.usage.tokens.output) == (23_700, 290)
    spans = spans_of(store, task.task_id)
    assert (spans["shell"].state, spans["shell"].error) == ("failed", "exit code 1")
    assert spans["apply_patch"].state == "done"
    assert spans["gpt-5-codex-mini"].parent_span_id == spans["spawn_agent"].span_id
    types = [event.event_type for event in log_of(store, task.task_id)]
    assert types.count("user_message") == 2
    assert "codex_world_state" in types


def test_files_of_the_first_versions_of_codex_are_read(tmp_path: Path) -> None:
    file = tmp_path / "rollout-old.jsonl"
    file.write_text(
        '{"id":"s1","timestamp":"2025-06-01T10:00:00Z","instructions":null}\n'
        '{"record_type":"state"}\n'
        '{"type":"message","role":"user","content":[{"type":"input_text","text":"List the files."}]}\n'
        '{"type":"function_call","name":"shell","arguments":"{\\"command\\":[\\"ls\\"]}","call_id":"c1"}\n'
        '{"type":"function_call_output","call_id":"c1","output":"a.txt"}\n'
    )
    run, _ = read_codex(file)
    assert run.title == "List the files."
    assert [event.event_type for event in run.events()] == [
        "runner_spawn",
        "user_message",
        "work_item_start",
        "work_item_complete",
        "tool_status",
        "tool_result",
        "runner_exit",
    ]
    assert {event.occurred_at for event in run.events()} == {"2025-06-01T10:00:00.000000Z"}


async def test_importing_again_adds_nothing_and_a_longer_transcript_adds_its_new_lines(
    store: SqliteStore, tmp_path: Path
) -> None:
    file, lines = tmp_path / SESSION.name, SESSION.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-5]))
    _, first = await store_run(store, read_claude_code(file)[0])
    task, again = await store_run(store, read_claude_code(file)[0])
    seq = task.latest_seq
    file.write_text("".join(lines))
    task, longer = await store_run(store, read_claude_code(file)[0])
    assert (first, again, longer) == ("imported", "unchanged", "continued")
    async with store.read() as view:
        new = await view.events(task.task_id, seq, 100)
    assert [event.event_type for event in new][:2] == ["status", "user_message"]
    assert new[1].happened_at == "2026-11-20T09:01:30.330000Z"
    assert (task.status, new[-1].event_type) == ("done", "runner_exit")


@pytest.mark.parametrize("steps", [(2, 5), (3, 5), (4, 5), (2, 3, 4, 5), (2, 4), (2, 3)])
async def test_an_answer_that_was_imported_while_it_was_written_is_completed(
    steps: tuple[int, ...], store: SqliteStore, tmp_path: Path
) -> None:
    parts = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "The answer is 42"},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {}},
    ]
    answers = [
        {"id": "m", "content": [part], "usage": {"input_tokens": 10, "output_tokens": number}}
        for number, part in enumerate(parts, 1)
    ]
    messages = [("user", {"content": "hello"}), *(("assistant", answer) for answer in answers)]
    messages.append(("user", {"content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}))
    named = [{"sessionId": "s", "uuid": f"u{n}", "timestamp": f"2026-01-01T00:00:0{n}Z"} for n in range(len(messages))]
    lines = [line | {"type": kind, "message": told} for line, (kind, told) in zip(named, messages, strict=True)]
    file = tmp_path / "s.jsonl"

    async def grow(count: int, task_id: str) -> tuple[Task, str, list[Event]]:
        file.write_text("\n".join(json.dumps(line) for line in lines[:count]))
        task, outcome = await store_run(store, read_claude_code(file)[0], task_id=task_id)
        async with store.read() as view:
            return task, outcome, await view.events(task_id, 0, 100)

    for count in steps:
        task, _, events = await grow(count, "grown")
        whole, _, _ = await grow(count, f"whole-{count}")
        assert (task.usage, task.status, task.ended_at) == (whole.usage, whole.status, whole.ended_at)
    content = [part for event in events if event.span_id == "call-m" for part in event.payload.get("content", [])]
    assert content == parts[: steps[-1] - 1]
    assert (await grow(steps[-1], "grown"))[1] == "unchanged"


def test_damaged_lines_are_reported_and_the_rest_is_imported(url: str, store: SqliteStore, tmp_path: Path) -> None:
    file, lines = tmp_path / SESSION.name, SESSION.read_text().splitlines()
    file.write_text("\n".join([*lines[:5], '{"type":"user","mess', "[1]", *lines[5:]]))
    done = signalbox("import", "claude-code", str(file), "--store", url)
    assert f"{file}:6: the line is damaged: " in done.stderr
    assert f"{file}:7: the line is damaged: it is not a JSON object" in done.stderr
    log = log_of(store, f"claude-code-{SESSION.stem}")[:12]
    said = [event.payload["message"] for event in log if event.event_type == "log"]
    assert "line 7 of the transcript cannot be read: it is not a JSON object" in said


def test_other_files_and_tasks_from_elsewhere_are_refused(url: str, store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"message":"hello"}\n')
    for agent, text in (("claude-code", "is no transcript of Claude Code"), ("codex", "is no transcript of Codex")):
        done = signalbox("import", agent, str(tmp_path / "a.jsonl"), "--store", url)
        assert (done.returncode, text in done.stderr) == (2, True)
    with open_task(store, f"claude-code-{SESSION.stem}"):
        pass
    done = signalbox("import", "claude-code", str(SESSION), "--store", url)
    assert done.returncode == 1
    assert "does not come from this transcript: give another id with --as" in done.stderr
    done = signalbox("import", "claude-code", str(SESSION), "--as", "second", "--store", url)
    assert done.stdout.startswith("second: imported")


def test_a_folder_has_a_run_for_each_session_and_a_bad_file_stops_no_other(
    url: str, store: SqliteStore, tmp_path: Path
) -> None:
    folder = shutil.copytree(CLAUDE, tmp_path / "projects" / "shop").parent
    (folder / "notes.jsonl").write_text("{}\n")
    assert [file.name for file in claude_code_files(folder)] == ["notes.jsonl", SESSION.name, OLDER.name]
    assert [file.name for file in codex_files(CODEX)] == [ROLLOUT.name]
    done = signalbox("import", "claude-code", str(folder), "--store", url)
    assert done.returncode == 1
    assert "notes.jsonl is no transcript of Claude Code" in done.stderr
    assert len(tasks_of(store)) == 2


def test_secrets_are_hidden_if_the_environment_says_so(url: str, store: SqliteStore, tmp_path: Path) -> None:
    file = tmp_path / SESSION.name
    file.write_text(SESSION.read_text().replace("charges some cards twice", "has password=hunter2"))
    signalbox("import", "claude-code", str(file), "--store", url, SIGNALBOX_REDACT_WRITES="1")
    task = task_of(store, f"claude-code-{SESSION.stem}")
    assert "hunter2" not in f"{task}{[event.payload for event in log_of(store, task.task_id)]}"
