"""`signalbox cold`: moves tasks that ended to cold storage, and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from signalbox.store import Store, StoreError, open_store
from signalbox.store.contract import ColdTask
from signalbox.store.identity import parse_reference
from signalbox.webapp.cli.people_store import system_user
from signalbox.webapp.cli.table import json_option, print_json, print_table, utc_minute
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.views.text import plural

PLACE_VARIABLE = "SIGNALBOX_COLD_STORAGE"

PAGE = 100
"""Tasks that are read together."""

ANY_TIME = "9999"
"""Sorts after the time of every task. These times have whole seconds, so one in this second is not before now."""

F = TypeVar("F", bound=Callable[..., Any])

_TASKS = click.argument("tasks", metavar="TASK...", nargs=-1)
_KIND = click.option("--kind", metavar="NAME", help="Only tasks of this kind.")
_PROJECT = click.option("--project", metavar="ID", help="Only tasks of this project.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print which tasks these are, and change nothing.")


def place_option(command: F) -> F:
    """Add `--cold-storage`, for a command that reads or writes cold files."""
    text = f"The directory, or s3://BUCKET/PREFIX, for the files.  [{PLACE_VARIABLE}, default: FILE.cold]"
    return click.option("--cold-storage", "place", metavar="PLACE", envvar=PLACE_VARIABLE, help=text)(command)


@click.group()
def cold() -> None:
    """Move tasks that ended to cold storage, or back.

    The log of such a task is in one compressed file. Its pages stay the same, and its next event brings it back.
    """


@cold.command()
@_TASKS
@click.option(
    "--older-than", metavar="DAYS", type=click.FloatRange(0, 36_500), help="Only tasks whose last event is older."
)
@_KIND
@_PROJECT
@_DRY_RUN
@json_option
@place_option
@store_option
def move(
    tasks: Sequence[str],
    older_than: float | None,
    kind: str | None,
    project: str | None,
    dry_run: bool,
    as_json: bool,
    place: str | None,
    store: str | None,
) -> int:
    """Move each TASK, or all tasks that the options select, to cold storage. Tasks must have ended.

    A server may run and programs may write meanwhile. The exit code is 1 if a task could not be moved.
    """
    if not tasks and (older_than, kind, project) == (None, None, None):
        raise click.UsageError("name tasks, or select them with --older-than, --kind or --project")

    async def chosen(opened: Store) -> AsyncIterator[str]:
        before = ANY_TIME
        if older_than:
            age = timedelta(days=older_than) - timedelta(seconds=opened.clock_offset)
            before = (datetime.now(UTC) - age).isoformat()[:19]
        after = ("", "")
        while True:
            async with opened.read() as view:
                found = await view.tasks_to_move(before, after, PAGE)
            for one in found:
                if kind in (None, one.kind) and project in (None, one.project_id):
                    yield f"{one.task_id}@{one.identity}"
            if len(found) < PAGE:
                return
            after = (found[-1].active_at, found[-1].task_id)

    async def one(opened: Store, task_id: str, identity: str | None) -> str:
        moved = await opened.cold.amove(task_id, identity=identity, actor=system_user(), source="command")
        return f"moved to {moved.name} ({plural(moved.events, 'event')}, {plural(moved.bytes, 'byte')})"

    with _opened(store, place) as opened:
        return asyncio.run(_each(opened, _named(tasks) if tasks else chosen(opened), one, "move", dry_run, as_json))


@cold.command()
@_TASKS
@_KIND
@_PROJECT
@_DRY_RUN
@json_option
@place_option
@store_option
def restore(
    tasks: Sequence[str],
    kind: str | None,
    project: str | None,
    dry_run: bool,
    as_json: bool,
    place: str | None,
    store: str | None,
) -> int:
    """Bring each TASK, or all tasks that the options select, back to the database.

    The exit code is 1 if a task could not be restored.
    """
    if not tasks and (kind, project) == (None, None):
        raise click.UsageError("name tasks, or select them with --kind or --project")

    async def one(opened: Store, task_id: str, identity: str | None) -> str:
        was_cold = await opened.cold.arestore(task_id, identity=identity, actor=system_user(), source="command")
        return "restored" if was_cold else "is in the database already"

    with _opened(store, place) as opened:
        named = _named(tasks) if tasks else _cold_references(opened, kind, project)
        return asyncio.run(_each(opened, named, one, "restore", dry_run, as_json))


@cold.command()
@_TASKS
@_KIND
@_PROJECT
@json_option
@place_option
@store_option
def verify(
    tasks: Sequence[str], kind: str | None, project: str | None, as_json: bool, place: str | None, store: str | None
) -> int:
    """Read the whole file of each TASK, by default of all tasks in cold storage, and check every part.

    The exit code is 1 if a file is missing or damaged.
    """

    async def one(opened: Store, task_id: str, identity: str | None) -> str:
        found = await opened.cold.averify(task_id)
        return f"complete ({plural(found.events, 'event')}, {plural(found.bytes, 'byte')})"

    with _opened(store, place) as opened:
        named = _named(tasks) if tasks else _cold_references(opened, kind, project)
        return asyncio.run(_each(opened, named, one, "verify", False, as_json))


@cold.command("list")
@_KIND
@_PROJECT
@json_option
@store_option
def list_(kind: str | None, project: str | None, as_json: bool, store: str | None) -> int:
    """List the tasks in cold storage."""
    with _opened(store, None) as opened:
        found = asyncio.run(_collected(opened, kind, project))
    if as_json:
        print_json([{name: getattr(one, name) for name in ColdTask.__struct_fields__} for one in found])
    else:
        rows = [(one.task_id, f"{one.events:,}", f"{one.bytes:,}", utc_minute(one.moved_at), one.name) for one in found]
        print_table(("TASK", "EVENTS", "BYTES", "MOVED (UTC)", "FILE"), rows)
    return 0


async def _each(
    opened: Store,
    named: AsyncIterator[str],
    act: Callable[[Store, str, str | None], Awaitable[str]],
    name: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Do something with each task, print the results, and return the exit code."""
    results: list[dict[str, object]] = []
    if not dry_run:
        await opened.cold.afinish()
    async for reference in named:
        task_id, identity = parse_reference(reference)
        try:
            result = f"would {name}" if dry_run else await act(opened, task_id, identity)
            results.append({"task": task_id, "ok": True, "result": result})
        except StoreError as error:
            results.append({"task": task_id, "ok": False, "result": str(error)})
        if not as_json:
            click.echo(f"{task_id}: {results[-1]['result']}", err=not results[-1]["ok"])
    if as_json:
        print_json(results)
    elif not results:
        click.echo("no task matches")
    return 0 if all(result["ok"] for result in results) else 1


async def _named(tasks: Sequence[str]) -> AsyncIterator[str]:
    for task in tasks:
        yield task


async def _cold_references(opened: Store, kind: str | None, project: str | None) -> AsyncIterator[str]:
    for found in await _collected(opened, kind, project):
        yield f"{found.task_id}@{found.identity}"


async def _collected(opened: Store, kind: str | None, project: str | None) -> list[ColdTask]:
    found: list[ColdTask] = []
    after = ""
    while True:
        async with opened.read() as view:
            page = await view.cold_tasks(after, PAGE)
            for one in page:
                if (kind, project) != (None, None):
                    task = await view.task(one.task_id)
                    if kind not in (None, task.kind) or project not in (None, task.project_id):
                        continue
                found.append(one)
        if len(page) < PAGE:
            return found
        after = page[-1].task_id


@contextmanager
def _opened(store: str | None, place: str | None) -> Iterator[Store]:
    chosen = target(store, None)
    if chosen.server is not None:
        raise click.UsageError("cold storage needs the database: give --store sqlite:///FILE or postgresql://…")
    if chosen.database is not None and not chosen.database.exists():
        raise click.ClickException(f"there is no database {chosen.database}")
    opened = open_store(chosen.store, bus=chosen.bus, cold_storage=place)
    try:
        yield opened
    finally:
        opened.close()
