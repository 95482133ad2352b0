"""The check of a whole cold file."""

from __future__ import annotations

import hashlib
from contextlib import closing

from signalbox.store.cold.errors import NotAColdFile
from signalbox.store.cold.facts import ColdFacts, EventBlock
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.layout import HEADER, block_name, parts_of
from signalbox.store.cold.places.place import ReadablePlace
from signalbox.store.cold.source import SMALL
from signalbox.store.cold.states import partial_states, whole_states
from signalbox.store.errors import ColdFileDamaged
from signalbox.store.moving.tables import EVENTS, PARTS, TASKS, Row


def verify(place: ReadablePlace, name: str, digest: str | None = None) -> ColdFacts:
    """Read the whole file and check every part. Raises ColdFileDamaged, which names the first damaged part.

    With `digest` the file must be the one with this digest.
    """
    if place.read(name, 0, len(HEADER)) != HEADER:
        raise NotAColdFile(name, "begins like another kind of file")
    with closing(ColdFile.open(place, name, digest)) as file:
        _check_parts(file)
        _check_events(file)
        _check_image(file)
        _check_states(file)
        _check_contents(file)
        return file.facts


def _check_parts(file: ColdFile) -> None:
    """Check that the parts are the whole file up to the footer. Reading them checks their hashes."""
    at = len(HEADER)
    for name, part in parts_of(file.footer):
        if part.offset != at:
            raise ColdFileDamaged(file.name, name, f"begins at byte {part.offset}, not {at}")
        at += part.length


def _check_events(file: ColdFile) -> None:
    last_seq, events = 0, 0
    for block, rows in zip(file.footer.blocks, file.events(), strict=True):
        _check_block(file, block, rows, last_seq)
        last_seq, events = block.last_seq, events + len(rows)
    if events != file.footer.events:
        raise ColdFileDamaged(file.name, "the footer", f"says {file.footer.events} events, and there are {events}")


def _check_block(file: ColdFile, block: EventBlock, rows: list[Row], after: int) -> None:
    place, task = EVENTS.places("seq", "task_id")
    seqs = [row[place] for row in rows]
    if not seqs or seqs[0] <= after or (seqs[0], seqs[-1]) != (block.first_seq, block.last_seq):
        raise ColdFileDamaged(file.name, block_name(block), "has other events than the footer says")
    if seqs != sorted(set(seqs)) or {row[task] for row in rows} != {file.footer.task_id}:
        raise ColdFileDamaged(file.name, block_name(block), "has events in a wrong order or of another task")


def _check_image(file: ColdFile) -> None:
    with closing(file.open_image()) as image:
        (found,) = image.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise ColdFileDamaged(file.name, "the image", f"is damaged: {found}")
    tasks = list(file.rows(TASKS))
    identity, last_seq = TASKS.places("identity", "last_seq")
    if [(row[0], row[identity]) for row in tasks] != [(file.footer.task_id, file.footer.identity)]:
        raise ColdFileDamaged(file.name, "the image", "has another task than the footer says")
    if tasks[0][last_seq] < file.facts.last_seq:
        raise ColdFileDamaged(file.name, "the image", "has fewer events than the file")
    for table in (*PARTS, *SMALL):
        if any(row[0] != file.footer.task_id for row in file.rows(table)):
            raise ColdFileDamaged(file.name, "the image", f"has rows of another task in {table.name}")


def _check_states(file: ColdFile) -> None:
    known = file.footer.states_of in (partial_states(), whole_states())
    for number, state in enumerate(file.footer.states):
        found = file.stored_state(number).task.latest_seq if known else state.seq
        if found != state.seq:
            raise ColdFileDamaged(file.name, f"the state at #{state.seq}", f"is that at #{found}")


def _check_contents(file: ColdFile) -> None:
    for content in file.footer.contents:
        digest, size = hashlib.sha256(), 0
        for number in range(len(content.pieces)):
            piece = file.piece(content.sha256, number) or b""
            digest.update(piece)
            size += len(piece)
        if (digest.hexdigest(), size) != (content.sha256, content.size):
            raise ColdFileDamaged(file.name, f"the artifact {content.sha256}", "has another content")
