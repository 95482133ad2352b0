"""`signalbox mcp`: runs for coding agents, over the Model Context Protocol."""

from __future__ import annotations

import asyncio
import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from signalbox.webapp.cli.people_store import system_user
from signalbox.webapp.cli.target import Target, target, target_options

if TYPE_CHECKING:
    from quart import Quart

    from signalbox.webapp.mcp.protocol import MakeConsole

HOST = "127.0.0.1"


@click.command()
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Serve streamable HTTP on this port of 127.0.0.1 instead of stdio; 0 takes a free one.",
)
@target_options
def mcp(port: int | None, store: str | None, server: str | None, token: str | None) -> int:
    """Give a coding agent tools to read runs, wait for them and answer them.

    Without --http the agent starts this command and talks to it over its standard input and output. With --server it
    has the rights of the token. With --store it may do everything that the owner of the database file may do.
    """
    chosen = target(store, server, token)
    if chosen.server is None and chosen.database is not None and not chosen.database.exists():
        raise click.ClickException(f"there is no database {chosen.database}: give --store or --server")
    if find_spec("mcp") is None:
        raise click.ClickException("this command needs the extra mcp: pip install 'signalbox-console[mcp]'")
    if port is None:
        # A thread that waits for standard input would delay the end after Ctrl-C until the next line.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        return asyncio.run(_serve_stdio(chosen))
    return _serve_http(chosen, port)


async def _serve_stdio(chosen: Target) -> int:
    from mcp.server.stdio import stdio_server

    from signalbox.webapp.mcp.malformed import answering_malformed
    from signalbox.webapp.mcp.protocol import mcp_server

    app = StoreApp(chosen, one_caller=True)
    server = mcp_server(_consoles(chosen, app), one_connection=True)
    async with stdio_server() as (read, write):
        if chosen.server is None:
            app.prepare()
        try:
            async with answering_malformed(read, write) as messages:
                await server.run(messages, write, server.create_initialization_options())
        finally:
            await app.close()
    return 0


def _serve_http(chosen: Target, port: int) -> int:
    import uvicorn

    from signalbox.webapp.http.listening import address, listen
    from signalbox.webapp.mcp.endpoint import McpEndpoint

    try:
        listening = listen(HOST, port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {HOST}:{port}: {error.strerror}") from None
    app = StoreApp(chosen, one_caller=False)
    config = uvicorn.Config(
        _only_at_mcp(McpEndpoint(_consoles(chosen, app), check_host=True), app),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    print(f"Signalbox serves MCP at {address(listening)}/mcp", flush=True)
    uvicorn.Server(config).run(sockets=[listening])
    return 0


def _consoles(chosen: Target, app: StoreApp) -> MakeConsole:
    from signalbox.store.redaction.rules import Redaction
    from signalbox.webapp.mcp import consoles
    from signalbox.webapp.settings import Settings

    redaction = Redaction(Settings.from_environment(store=chosen.store).redact)
    if chosen.server is not None:
        return consoles.of_server(chosen.server, chosen.token, redaction)
    return consoles.of_app(app, redaction)


class StoreApp:
    """The API of a database in this process, opened for its first request. It leaves all runs to other processes.

    With `one_caller`, the system user is the caller of every request, because they can read and write the file anyway.
    Otherwise callers need a token as soon as the database has accounts or tokens.
    """

    def __init__(self, chosen: Target, *, one_caller: bool) -> None:
        self._chosen, self._one_caller = chosen, one_caller
        self._opening: asyncio.Task[Quart] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        app = await asyncio.shield(self.prepare())
        await app(scope, receive, send)

    def prepare(self) -> asyncio.Task[Quart]:
        """Begin to open the app, also again after a failure, and return the task that does so."""
        if self._opening is None or (self._opening.done() and not _is_open(self._opening)):
            self._opening = asyncio.create_task(self._open(), name="signalbox-store-app")
        return self._opening

    async def close(self) -> None:
        """Close the database."""
        if self._opening is not None:
            app = (await asyncio.gather(self._opening, return_exceptions=True))[0]
            if not isinstance(app, BaseException):
                await app.shutdown()

    async def _open(self) -> Quart:
        make = await asyncio.to_thread(_app_factory)
        app: Quart = make(self._chosen, self._one_caller)
        await app.startup()
        return app


def _is_open(opening: asyncio.Task[Quart]) -> bool:
    return not opening.cancelled() and opening.exception() is None


def _app_factory() -> Any:
    """Import the app, which takes about a second, and return a function that makes it."""
    from signalbox.store.people import SCOPES
    from signalbox.webapp.app import create_app
    from signalbox.webapp.auth.principal import Principal
    from signalbox.webapp.settings import Settings

    def make(chosen: Target, one_caller: bool) -> Quart:
        settings = Settings.from_environment(store=chosen.store, bus=chosen.bus, host=HOST, root_path="")
        me = Principal(name=system_user(), grants=dict.fromkeys(SCOPES)) if one_caller else None
        return create_app(settings, supervises=False, only_caller=me)

    return make


def _only_at_mcp(endpoint: Any, app: StoreApp) -> Any:
    """Return an ASGI app that serves `endpoint` at /mcp, and closes it and the app at the end."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            assert message["type"] == "lifespan.shutdown"
            await endpoint.stop()
            await app.close()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http" and scope["path"] == "/mcp":
            await endpoint(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"MCP is served at /mcp\n"})

    return serve
