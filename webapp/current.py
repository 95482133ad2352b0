"""What a request works with: the parts of the app that serves it, by their names in `app.extensions`."""

from __future__ import annotations

from typing import cast

from quart import current_app

from signalbox.store import Store
from signalbox.store.history import History
from signalbox.webapp.agents.agent_runs import Agents
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.settings import Settings


def store() -> Store:
    """The store that this app serves."""
    return cast(Store, current_app.extensions["store"])


def hub() -> Hub:
    """The hub of this process."""
    return cast(Hub, current_app.extensions["hub"])


def settings() -> Settings:
    """The settings of this server."""
    return cast(Settings, current_app.extensions["settings"])


def fragments() -> Fragments:
    """The renderer of this app."""
    return cast(Fragments, current_app.extensions["fragments"])


def history() -> History:
    """The states of tasks at earlier events that this process keeps."""
    return cast(History, current_app.extensions["history"])


def agents() -> Agents:
    """What runs for projects."""
    return cast(Agents, current_app.extensions["agents"])
