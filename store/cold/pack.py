"""Packing a task: its rows, read in short reads, become one file."""

from __future__ import annotations

from signalbox.store.cold.facts import ColdFacts
from signalbox.store.cold.places.place import ColdPlace
from signalbox.store.cold.source import RowSource


async def pack(source: RowSource, task_id: str, place: ColdPlace, name: str) -> ColdFacts:
    """Write the file of a task and store it at the place under this new name, durably. Return its facts.

    The file is verified before it is stored. Equal rows make equal files. The rows of the task stay as they are. Raises
    UnknownTask, TaskChanged, UnpackableTask, StoreFull, and ColdPlaceUnavailable.
    """
    raise NotImplementedError
