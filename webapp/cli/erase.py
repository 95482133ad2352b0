"""`signalbox erase`: replaces the content of events by tombstones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from signalbox.store import InvalidEvent, open_store
from signalbox.store.chain.heads import SigningKey
from signalbox.store.chain.keys import signing_key
from signalbox.store.sql.erasing import MAX_EVENTS
from signalbox.store.verification import events_by_person, open_source
from signalbox.webapp.cli.cold import place_option
from signalbox.webapp.cli.people_store import system_user
from signalbox.webapp.cli.table import json_option, print_json
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.views.text import plural


@click.command()
@click.argument("task_id", metavar="[TASK]", required=False)
@click.argument("seqs", metavar="[SEQ]...", type=click.IntRange(1), nargs=-1)
@click.option("--person", metavar="NAME", help="Erase the events by this person instead, in TASK or in all tasks.")
@click.option("--reason", metavar="TEXT", required=True, help="Why. Anyone who can read the log can read this.")
@click.option("--key", metavar="FILE", type=click.Path(path_type=Path), help="The private key that signs tombstones.")
@json_option
@place_option
@store_option
def erase(
    task_id: str | None,
    seqs: tuple[int, ...],
    person: str | None,
    reason: str,
    key: Path | None,
    as_json: bool,
    place: str | None,
    store: str | None,
) -> int:
    """Erase the content of the events SEQ of TASK, or of all events by a person. This cannot be undone.

    The events stay in the log, with who erased them, when and why. Their texts disappear from the log, the pages, the
    search, the artifacts and the audits. Backups and exports still have them.
    """
    if bool(seqs) == bool(person):
        raise click.UsageError("give the numbers of events, or --person")
    if seqs and task_id is None:
        raise click.UsageError("give the TASK of the events")
    chosen = target(store)
    if chosen.server is not None:
        raise click.UsageError("erase changes the database: give --store sqlite:///FILE or postgresql://…")
    signer: SigningKey | None = signing_key(key) if key is not None else None
    if person is None:
        assert task_id is not None
        wanted = {task_id: list(seqs)}
    else:
        wanted = {}
        with open_source(chosen.store, place) as source:
            for found_in, seq in events_by_person(source, person, task_id):
                wanted.setdefault(found_in, []).append(seq)
    opened = open_store(chosen.store, cold_storage=place)
    erased: dict[str, list[int]] = {}
    try:
        for name, numbers in wanted.items():
            erased[name] = []
            for part in _parts(numbers):
                erased[name] += opened.erase_events(
                    name, part, actor=f"{system_user()} (command)", reason=reason, source="command", key=signer
                )
    finally:
        opened.close()
    if as_json:
        print_json([{"task_id": name, "erased": found} for name, found in erased.items()])
        return 0
    for name, found in erased.items():
        click.echo(f"{name}: {plural(len(found), 'event')} erased")
    if not erased:
        raise InvalidEvent(f"no event is by {person}")
    return 0


def _parts(seqs: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(seqs), MAX_EVENTS):
        yield seqs[at : at + MAX_EVENTS]
