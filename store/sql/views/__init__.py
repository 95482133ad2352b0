"""The views of a database. Like `store.contract.reading`, the package has a module per noun."""

from __future__ import annotations

from signalbox.store.sql.views.audits import AuditViews
from signalbox.store.sql.views.cold import ColdViews
from signalbox.store.sql.views.contents import ContentViews
from signalbox.store.sql.views.conversation import ConversationViews
from signalbox.store.sql.views.kinds import KindViews
from signalbox.store.sql.views.links import LinkViews
from signalbox.store.sql.views.log import LogViews
from signalbox.store.sql.views.messages import MessageViews
from signalbox.store.sql.views.parts import PartViews
from signalbox.store.sql.views.permissions import PermissionViews
from signalbox.store.sql.views.search import SearchViews
from signalbox.store.sql.views.space import SpaceViews
from signalbox.store.sql.views.spans import SpanViews, window_sql

__all__ = ["Views", "window_sql"]


class Views(
    PermissionViews,
    MessageViews,
    LogViews,
    PartViews,
    SpanViews,
    ConversationViews,
    AuditViews,
    KindViews,
    ContentViews,
    ColdViews,
    LinkViews,
    SearchViews,
    SpaceViews,
):
    """Implements `Reading`, apart from the abstract methods, which each kind of store implements."""
