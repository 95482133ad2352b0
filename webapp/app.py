"""The app factory: assembles the store, the tail, the hub, the routes and the pages."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from quart import Quart

from signalbox.store import Event, open_store
from signalbox.store.history import History
from signalbox.store.indexing import SearchIndexer
from signalbox.store.loops import FIRST_PAUSE, Loops
from signalbox.store.tail import Tail
from signalbox.store.wake import Wake
from signalbox.webapp import api, pages
from signalbox.webapp.acts.agent_hooks import AgentHooks
from signalbox.webapp.acts.cold_moves import ColdMoves
from signalbox.webapp.acts.diagnoses import Diagnoses
from signalbox.webapp.acts.head_signer import HeadSigner
from signalbox.webapp.acts.search_index import SearchIndexState
from signalbox.webapp.acts.supervisor import Supervisor
from signalbox.webapp.acts.unstarted_retries import UnstartedRetries
from signalbox.webapp.agents import Agents
from signalbox.webapp.api import metrics
from signalbox.webapp.api.mcp import MountedMcp
from signalbox.webapp.auth import guard, quota_guard
from signalbox.webapp.auth.access import check_declared
from signalbox.webapp.auth.directory import Directory
from signalbox.webapp.auth.login import Logins
from signalbox.webapp.auth.principal import Principal
from signalbox.webapp.auth.quotas import KINDS, Quotas
from signalbox.webapp.dialects.agui_narrations import Narrations
from signalbox.webapp.dialects.session import session_event
from signalbox.webapp.drawing.fragments import Fragments
from signalbox.webapp.http import (
    assets,
    compression,
    errors,
    form_posts,
    root_path,
    route_converters,
    route_rules,
    security,
)
from signalbox.webapp.http.health import Health, Problem
from signalbox.webapp.http.loop_metrics import LoopMetrics, loop_problems
from signalbox.webapp.http.process_info import ProcessInfo, ProcessMetrics
from signalbox.webapp.live import stream
from signalbox.webapp.live.file_check import FileCheck
from signalbox.webapp.live.hub import Hub
from signalbox.webapp.live.output_comparisons import OutputComparisons
from signalbox.webapp.live.stats import Stats
from signalbox.webapp.prices.budget import Budgets
from signalbox.webapp.prices.price_table import Prices
from signalbox.webapp.retention.worker import RetentionMetrics, RetentionWorker
from signalbox.webapp.settings import Settings
from signalbox.webapp.views import span_times

if TYPE_CHECKING:
    from signalbox.webapp.telemetry.telemetry import Telemetry

CLOSE_ORDER = (
    ("telemetry", "stop"),
    ("store", "aclose"),
    ("directory", "close"),
    ("tail", "stop"),
    ("file_check", "stop"),
    ("supervisor", "stop"),
    ("signer", "stop"),
    ("retention", "stop"),
    ("unstarted_retries", "stop"),
    ("diagnoses", "stop"),
    ("cold_moves", "stop"),
    ("search_indexer", "stop"),
    ("search_index", "stop"),
    ("agents", "stop"),
    ("other_processes", "stop"),
    ("hub", "close"),
    ("agent_questions", "close"),
    ("mcp", "stop"),
)
"""Extensions and the method that closes each, in reverse order of closing."""


def create_app(
    settings: Settings | None = None,
    process: ProcessInfo | None = None,
    *,
    supervises: bool = True,
    only_caller: Principal | None = None,
) -> Quart:
    """Return a Quart app for the store of `settings`, which default to the environment's. `process` serves it.

    The store is opened when serving begins and closed when it ends; every ASGI server reports both. An app that does
    not supervise leaves the work on all runs to other processes. With `only_caller`, every request is by this
    principal, without a token.
    """
    settings = settings or Settings.from_environment()
    app = Quart(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.setLevel(logging.WARNING)
    app.extensions["settings"] = settings
    app.extensions["health"] = health = Health()
    app.extensions["process_info"] = process or ProcessInfo()
    app.extensions["prices"] = prices = Prices(settings.prices)
    app.extensions["retention_rules"] = settings.retention_rules()
    app.extensions["budgets"] = budgets = Budgets(settings.budgets)
    app.extensions["fragments"] = Fragments(assets.asset, settings.root_path, prices, budgets)
    telemetry = start_telemetry(app) if settings.telemetry else None
    errors.install(app)
    security.install(app, settings)
    form_posts.install(app)
    guard.install(app)
    quota_guard.install(app)
    stream.install(app)
    compression.install(app)
    route_converters.install(app)
    route_rules.install(app)
    api.install(app)
    pages.install(app)
    check_declared(app)
    root_path.install(app, settings.root_path)

    @app.before_serving
    async def open_everything() -> None:
        store = await asyncio.to_thread(
            open_store,
            settings.store,
            synchronous=settings.synchronous,
            bus=settings.bus,
            cold_storage=settings.cold_storage or None,
        )
        stats, loops = Stats(), Loops()
        if telemetry is not None:
            telemetry.observe(store, stats)
        hub = Hub(store, settings, stats, loops, session_event)
        app.extensions["other_processes"] = others = hub.other_processes
        quotas = Quotas(others.count, others.changed, clock=lambda: time.time() + store.clock_offset)
        others.share(KINDS, quotas.counts)
        app.extensions["quotas"] = quotas

        async def recheck_callers() -> None:
            await hub.callers.recheck(directory.principal)

        def deliver(events: Sequence[Event]) -> None:
            directory.on_commit(events)
            hub.deliver(events)
            hooks.questions.on_commit(events)

        def forget_old_history() -> None:
            app.extensions["history"] = History()
            narrations.forget()
            directory.forget()
            hub.reset()

        app.extensions["output_comparisons"] = output_comparisons = OutputComparisons(store)
        app.extensions["narrations"] = narrations = Narrations(store)

        def forget_erased() -> None:
            app.extensions["history"] = History()
            output_comparisons.forget()
            narrations.forget()
            span_times.forget()

        app.extensions["agent_hooks"] = hooks = AgentHooks(store, settings.hook_rules)
        app.extensions["agent_questions"] = hooks.questions
        directory = Directory(
            store.people,
            always=not settings.loopback,
            on_check=recheck_callers,
            loop=loops.loop("rights", max_pause=FIRST_PAUSE),
            clock=lambda: time.time() + store.clock_offset,
            only_caller=only_caller,
        )
        await directory.open()
        wake = Wake(
            store,
            poll_interval=settings.poll_interval,
            max_poll_interval=settings.max_poll_interval,
            backoff=settings.poll_backoff_factor,
        )
        tail = Tail(
            store,
            deliver,
            wake,
            pause=hub.tail_pause.seconds,
            max_rest=hub.max_rest,
            on_failure=hub.suspend,
            on_read=stats.wake_seconds.observe,
            on_reset=forget_old_history,
            loop=loops.loop("tail", max_pause=FIRST_PAUSE),
        )
        hub.on_erasure = forget_erased
        await tail.start()
        health.watch(lambda: [Problem(code, message) for code, message in store.problems])
        health.warn(lambda: [Problem(code, message) for code, message in store.warnings])
        health.warn(lambda: [Problem("hook_rules_invalid", text) for text in filter(None, [hooks.rules_file.problem])])
        health.watch(lambda: [] if tail.healthy else [Problem("store_unavailable", "the store does not answer")])
        health.watch(partial(loop_problems, loops))  # after the store, whose problems make loops fail
        app.extensions["file_check"] = FileCheck(store, loops)
        app.extensions.update(store=store, history=History(), hub=hub, tail=tail, stats=stats, mcp=MountedMcp(app))
        app.extensions["agents"] = agents = Agents(store, loops)
        if supervises:
            app.extensions["supervisor"] = Supervisor(store, settings, loops)
            app.extensions["unstarted_retries"] = UnstartedRetries(store, loops)
            app.extensions["diagnoses"] = Diagnoses(store, loops)
            retention_file = app.extensions["retention_rules"]
            app.extensions["retention"] = retention = RetentionWorker(store, retention_file, loops)
            health.warn(retention.problems)
            stats.registry.register(RetentionMetrics(retention))
            app.extensions["cold_moves"] = cold_moves = ColdMoves(store, lambda: retention_file.rules, loops)
            health.warn(lambda: [Problem(code, message) for code, message in cold_moves.warnings])
            app.extensions["search_indexer"] = SearchIndexer(store, loops, on=settings.search_index)
            app.extensions["search_index"] = index = SearchIndexState(store, loops, on=settings.search_index)
            health.warn(index.problems)
            app.extensions["signer"] = HeadSigner(store, settings, loops)
            agents.resume()
        app.extensions.update(directory=directory, logins=Logins(store, settings.login_attempts))
        stats.registry.register(LoopMetrics(loops))
        stats.registry.register(ProcessMetrics(app.extensions["process_info"]))
        metrics.watch(app)

    @app.after_serving
    async def close_everything() -> None:
        # Close each part even if another was never opened or fails to close.
        async with AsyncExitStack() as closing:
            for name, close in CLOSE_ORDER:
                if name in app.extensions:
                    closing.push_async_callback(getattr(app.extensions[name], close))

    return app


def start_telemetry(app: Quart) -> Telemetry:
    """Start to report this process to the operator's collector, and stop with the app."""
    from signalbox.webapp.telemetry.telemetry import Telemetry

    telemetry = app.extensions["telemetry"] = Telemetry(app.extensions["process_info"].id)
    telemetry.attach(app)
    return telemetry
