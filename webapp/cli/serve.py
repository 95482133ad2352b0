"""`signalbox serve`: starts the server, with one option per setting."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import Field, fields
from typing import Any

import click

from signalbox.store import open_store
from signalbox.store.kinds import is_server
from signalbox.webapp.cli.target import SERVER_VARIABLE
from signalbox.webapp.process.detached_run import variables
from signalbox.webapp.process.notice import notice
from signalbox.webapp.settings import Settings, variable

UNGUARDED_MESSAGE = (
    "not started: anybody who reaches {host} could read and write, because there is no account and no token yet."
    " Create one with `signalbox user add EMAIL` or `signalbox token create NAME`, or serve on 127.0.0.1."
)

DEMO_GRACE = 2.5
"""Seconds that the demo gets to record that it was stopped."""


def help_of(spec: Field[Any]) -> str:
    """Return the help of a setting with its bounds, its variable and its default."""
    low, high, choices = (spec.metadata[name] for name in ("low", "high", "choices"))
    allowed = f"{low:,} to {high:,}; " if low is not None else f"{' or '.join(choices)}; " if choices else ""
    default = "none" if spec.default == "" else str(spec.default).lower() if spec.type == "bool" else spec.default
    return f"{spec.metadata['help']}  [{allowed}{variable(spec)}, default: {default}]"


def setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per setting to a command."""
    for spec in reversed(fields(Settings)):
        flag = f"--{spec.name.replace('_', '-')}"
        kind: Any = type(spec.default)
        if kind is bool:
            flag, kind = f"{flag}/--no-{flag[2:]}", None
        command = click.option(flag, spec.name, type=kind, default=None, help=help_of(spec))(command)
    return command


@click.command()
@setting_options
@click.option("--demo", is_flag=True, help="Also start the demo runs.")
def serve(demo: bool, **given: Any) -> int:
    """Serve the pages, the API and the streams.

    Every option can also be set by its environment variable; the option takes precedence.
    """
    gc.disable()  # until the server has started, which loads most modules
    settings = Settings.from_environment(**given)
    if is_server(settings.store):
        raise click.UsageError("a server needs a database: give --store sqlite:///FILE or postgresql://…")
    # Open the store first: if that fails, the error is one line and nothing has been started.
    store = open_store(settings.store, synchronous=settings.synchronous, bus=settings.bus)
    try:
        if not settings.loopback and not asyncio.run(store.people.guarded()):
            notice(UNGUARDED_MESSAGE.format(host=settings.host))
            return 2
    finally:
        store.close()
    # Imported here because other commands need neither a server nor its logs.
    from signalbox.webapp import logs
    from signalbox.webapp.http.listening import listen_all

    logs.configure(settings)
    try:
        listening = listen_all(settings)
    except OSError as error:
        ports = f"{settings.port} and {settings.otlp_port}" if settings.otlp_port else f"{settings.port}"
        notice(f"cannot listen on {settings.host}:{ports}: {error.strerror}")
        return 1
    with demo_process(settings) if demo else nullcontext():
        if settings.workers > 1:
            from signalbox.webapp.workers import parent

            gc.enable()
            return parent.serve(settings, listening)
        from signalbox.webapp import server

        return server.serve(settings, listening)


@contextmanager
def demo_process(settings: Settings) -> Iterator[None]:
    """Start the demo run in its own process, and stop it on exit if it is still running."""
    arguments = [sys.executable, "-m", "signalbox", "demo", "--agent", "--quiet"]
    # Not an option: the URL may contain a password, and other users of this machine can see command lines.
    environment = os.environ | variables(settings.store, settings.bus)
    environment.pop(SERVER_VARIABLE, None)
    # uvicorn raises SIGTERM again after its shutdown; that must not end this process before the demo.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # In its own session, so that Ctrl-C reaches the demo only through this process.
    process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(DEMO_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
