"""`signalbox import junit`: makes a finished run of the JUnit XML that a test runner wrote."""

from __future__ import annotations

from pathlib import Path

import click

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.redaction.writes import write_redaction_of_environment
from signalbox.webapp.cli.labels import LabelOptions, label_options
from signalbox.webapp.cli.target import check_project, project_option, target, target_options
from signalbox.webapp.junit.report import NotJUnit, read_report
from signalbox.webapp.junit.run import key_of, run_of, with_keys

MAX_BYTES = 64 * 1024 * 1024
"""Bytes of all files together."""

MAX_TEXT_CHARS = 64 * 1024
"""Characters of a failure, or of the captured output of a test, that are kept."""

BATCH = 500
"""Events of one append."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "task_id", metavar="ID", help="The id of the task.  [default: junit- and a hash of the files]")
@click.option("--title", help="[default: the names of the files]")
@click.option("--kind", metavar="NAME", default="tests", show_default=True, help="The kind of the task.")
@label_options
@project_option
@target_options
def junit(
    files: tuple[Path, ...],
    task_id: str | None,
    title: str | None,
    kind: str,
    tags: tuple[str, ...],
    links: tuple[str, ...],
    project: str | None,
    store: str | None,
    server: str | None,
    token: str | None,
) -> None:
    """Make a finished run of the tests in FILES, JUnit XML of any test runner.

    The files are one run: each suite is a phase, each test a work item. Importing the same files again writes nothing.
    """
    contents = _read(files)
    try:
        reports = [read_report(content, MAX_TEXT_CHARS) for content in contents]
    except NotJUnit as error:
        raise click.ClickException(f"this is not JUnit XML: {error}") from None
    key = key_of(contents)
    hide = write_redaction_of_environment()
    events = hide.events(with_keys(run_of(reports, files[-1].stat().st_mtime), key))
    metadata = LabelOptions.parsed(tags, links).added_to({"files": [path.name for path in files[:100]]})
    log = target(store, server, token).open()
    try:
        name = title or ", ".join(path.name for path in files)[:200]
        made, _ = log.create_task(
            task_id or f"junit-{key}",
            title=hide.text(name),
            kind=kind,
            metadata=hide.value(metadata),
            project_id=project,
        )
        check_project(made, project)
        if made.kind != kind:
            of_kind = f"of the kind {made.kind}" if made.kind else "without a kind"
            raise Conflict(
                f"there is a task {made.task_id} {of_kind} already, and tests would be added to its log: give another"
                " id with --as, or give its kind with --kind"
            )
        for start in range(0, len(events), BATCH):
            stored = log.append(made.task_id, events[start : start + BATCH], identity=made.identity or None)
    finally:
        log.close()
    total = sum(report.total for report in reports)
    click.echo(f"{made.task_id}: {total} tests, {stored[-1].payload['status']}")


def _read(files: tuple[Path, ...]) -> list[bytes]:
    left, contents = MAX_BYTES, []
    for path in files:
        with path.open("rb") as file:
            contents.append(file.read(left + 1))
        left -= len(contents[-1])
        if left < 0:
            raise InvalidEvent(f"the files have more than {MAX_BYTES:,} bytes together", "files")
    return contents
