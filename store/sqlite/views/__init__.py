"""Views of a SQLite file. Like `store.contract.reading`, the package has a module per noun."""

from __future__ import annotations

from signalbox.store.sqlite.views.audits import AuditViews
from signalbox.store.sqlite.views.log import LogViews
from signalbox.store.sqlite.views.parts import PartViews
from signalbox.store.sqlite.views.permissions import PermissionViews
from signalbox.store.sqlite.views.spans import SpanViews


class View(PermissionViews, LogViews, PartViews, SpanViews, AuditViews):
    """Implements `Reading` on one SQLite connection."""
