"""`signalbox import claude-code` and `codex`: make runs of the transcripts of coding agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from signalbox.store import InvalidEvent, Store, StoreError, open_store
from signalbox.webapp.cli.target import project_option, store_option, target
from signalbox.webapp.transcripts.claude_code_files import claude_code_files, read_claude_code
from signalbox.webapp.transcripts.codex_files import codex_files, read_codex
from signalbox.webapp.transcripts.lines import Lines
from signalbox.webapp.transcripts.storing import store_run
from signalbox.webapp.transcripts.transcript_run import TranscriptRun

MAX_SHOWN = 5
"""Damaged lines of a file that are printed."""

Read = Callable[[Path], tuple[TranscriptRun, Lines]]


@click.command("claude-code")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--as", "task_id", metavar="ID", help="The id of the task.  [default: claude-code- and the session]")
@project_option
@store_option
def claude_code(path: Path, task_id: str | None, project: str | None, store: str | None) -> int:
    """Make a run of each session of Claude Code in PATH, a transcript or a folder such as ~/.claude/projects.

    A session that was imported before gets only what is new.
    """
    return _import_transcripts(claude_code_files(path), read_claude_code, path, task_id, project, store)


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--as", "task_id", metavar="ID", help="The id of the task.  [default: codex- and the session]")
@project_option
@store_option
def codex(path: Path, task_id: str | None, project: str | None, store: str | None) -> int:
    """Make a run of each session of Codex in PATH, a rollout file or a folder such as ~/.codex/sessions.

    A session that was imported before gets only what is new.
    """
    return _import_transcripts(codex_files(path), read_codex, path, task_id, project, store)


def _import_transcripts(
    files: list[Path], read: Read, path: Path, task_id: str | None, project: str | None, store: str | None
) -> int:
    """Import the sessions of `files`. Returns 1 if one of several failed. Raises the error of a single one."""
    if not files:
        raise click.UsageError(f"{path} has no file that ends in .jsonl")
    if task_id is not None and len(files) > 1:
        raise click.UsageError(f"--as names one task, but {path} has {len(files)} transcripts")

    is_single = path.is_file()

    async def import_all() -> int:
        opened, failed = open_store(target(store, None).store), 0
        try:
            for file in files:
                try:
                    await _import_transcript(opened, file, read, task_id, project)
                except (StoreError, InvalidEvent, OSError) as error:
                    if is_single:
                        raise
                    failed += 1
                    click.echo(f"{file}: {error}", err=True)
        finally:
            await opened.aclose()
        return 1 if failed else 0

    return asyncio.run(import_all())


async def _import_transcript(opened: Store, file: Path, read: Read, task_id: str | None, project: str | None) -> None:
    run, lines = read(file)
    task, outcome = await store_run(opened, run, task_id=task_id, project_id=project)
    for number, fault, _ in lines.damaged[:MAX_SHOWN]:
        click.echo(f"{file}:{number}: the line is damaged: {fault}", err=True)
    if lines.damaged_total > MAX_SHOWN:
        click.echo(f"{file}: {lines.damaged_total} lines are damaged", err=True)
    left_out = f", {run.left_out} lines without content left out" if run.left_out else ""
    click.echo(f"{task.task_id}: {outcome}, {task.latest_seq} events{left_out}")
