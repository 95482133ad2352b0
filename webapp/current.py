"""Typed access to the parts of the current app, which `create_app` keeps in `app.extensions`."""

from __future__ import annotations

from typing import cast

from quart import current_app

from signalbox.store import Store
from signalbox.store.history import History
from signalbox.store.redaction.writes import WriteRedaction, write_redaction
from signalbox.store.retention import Retention, RetentionFile
from signalbox.webapp.agents.agent_runs import Agents
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.output_comparisons import OutputComparisons
from signalbox.webapp.prices.budget import Budgets
from signalbox.webapp.prices.price_table import Prices
from signalbox.webapp.settings import Settings


def store() -> Store:
    """Return the store that this app serves."""
    return cast(Store, current_app.extensions["store"])


def hub() -> Hub:
    """Return the hub of this process."""
    return cast(Hub, current_app.extensions["hub"])


def settings() -> Settings:
    """Return the settings of this server."""
    return cast(Settings, current_app.extensions["settings"])


def redaction_on_write() -> WriteRedaction:
    """Return the redaction of what programs send, which hides nothing unless the setting `redact_writes` is on.

    Every route that stores tasks or events of programs applies it: `redaction_on_write().events(events)`.
    """
    return write_redaction(settings().redact if settings().redact_writes else "")


def fragments() -> Fragments:
    """Return the renderer of this app."""
    return cast(Fragments, current_app.extensions["fragments"])


def prices() -> Prices:
    """Return the prices of models that the operator set."""
    return cast(Prices, current_app.extensions["prices"])


def retention_rules() -> Retention:
    """Return the present rules of retention."""
    return cast(RetentionFile, current_app.extensions["retention_rules"]).rules


def budgets() -> Budgets:
    """Return the budgets of runs, as the operator and the tasks set them."""
    return cast(Budgets, current_app.extensions["budgets"])


def history() -> History:
    """Return this process's cache of task states as of earlier events."""
    return cast(History, current_app.extensions["history"])


def output_comparisons() -> OutputComparisons:
    """Return the comparisons of the output of commands that this process made."""
    return cast(OutputComparisons, current_app.extensions["output_comparisons"])


def agents() -> Agents:
    """Return the agents of this server's projects."""
    return cast(Agents, current_app.extensions["agents"])
