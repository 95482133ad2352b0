"""What a view of a SQLite file answers. See `store.contract.Reading`."""

from __future__ import annotations

from signalbox.store.sqlite.views.log import Log
from signalbox.store.sqlite.views.parts import Parts
from signalbox.store.sqlite.views.tasks import Tasks


class View(Tasks, Log, Parts):
    """The `Reading` of SQLite, on one connection."""
