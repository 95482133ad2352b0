"""What a view of a SQLite file answers. See `store.contract.Reading`."""

from __future__ import annotations

from store.sqlite.views.log import Log
from store.sqlite.views.parts import Parts
from store.sqlite.views.tasks import Tasks


class View(Tasks, Log, Parts):
    """The `Reading` of SQLite, on one connection."""
