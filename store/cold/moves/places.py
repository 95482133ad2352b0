"""The places of the files of one store."""

from __future__ import annotations

from pathlib import Path

from signalbox.store.cold.places import ColdPlace, open_place
from signalbox.store.errors import InvalidEvent
from signalbox.store.events import new_id
from signalbox.store.kinds import sqlite_path

SUFFIX = ".cold"

OWN_DIRECTORY = ""
"""Stands for the directory beside the SQLite file, so that both can be moved together."""


class ColdPlaces:
    """Opens places. `own_directory` is the directory beside a SQLite file, `chosen` the place for new files, if any."""

    def __init__(self, own_directory: str | None, chosen: str | None) -> None:
        self._own_directory = own_directory
        if chosen and "://" not in chosen:
            chosen = str(Path(chosen).absolute())
        # The directory beside the file is stored without its name, also if the setting names it.
        self.chosen = (
            chosen if chosen and chosen != own_directory else OWN_DIRECTORY if own_directory is not None else None
        )
        self._opened: dict[str, ColdPlace] = {}

    @property
    def url(self) -> str | None:
        """The directory or the URL for new files, or None if it is not set."""
        return self._own_directory if self.chosen == OWN_DIRECTORY else self.chosen

    @property
    def own_url(self) -> str | None:
        """The directory beside the SQLite file, or None."""
        return self._own_directory

    def for_new_files(self) -> str:
        """Return the place of new files as a row of `cold_tasks` has it. Raises InvalidEvent if it is not set."""
        if self.chosen is None:
            raise InvalidEvent(
                "cold storage has no place: set cold_storage to a directory or to s3://BUCKET/PREFIX", "cold_storage"
            )
        return self.chosen

    def open(self, place: str) -> ColdPlace:
        """Open a place as a row of `cold_tasks` has it."""
        if place not in self._opened:
            # The files of a SQLite file that was moved to PostgreSQL are found with the setting.
            url = (self._own_directory or self.chosen) if place == OWN_DIRECTORY else place
            if url is None:
                raise InvalidEvent(
                    "the cold files are in the directory beside the SQLite file from which the store was moved: set"
                    " cold_storage to that directory",
                    "cold_storage",
                )
            self._opened[place] = open_place(url)
        return self._opened[place]


def places_of(url: str, chosen: str | None = None) -> ColdPlaces:
    """Return the places of the files of the store at `url`."""
    path = sqlite_path(url)
    return ColdPlaces(f"{path}{SUFFIX}" if path is not None else None, chosen)


def new_name(epoch: str) -> str:
    """Return a new name of a file of the store with this epoch."""
    return f"{epoch}-{new_id()}{SUFFIX}"


def belongs_to(name: str, epoch: str) -> bool:
    """Return whether the store with this epoch has given this name."""
    return name.startswith(f"{epoch}-")
