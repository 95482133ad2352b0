"""`signalbox search-index`: shows the index of the search over all runs, and has it filled again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import click
import msgspec

from signalbox.store import Store, open_store
from signalbox.store.search import IndexState
from signalbox.webapp.cli.table import json_option, print_json_object
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.views.text import count, moment, size


@click.group("search-index")
def search_index() -> None:
    """Show the index of the search over all runs, or have it filled again."""


@search_index.command()
@json_option
@store_option
def show(as_json: bool, store: str | None) -> int:
    """Print how far the index is, and how large."""
    with _opened(store) as opened:
        state = asyncio.run(_state(opened))
    if as_json:
        print_json_object(msgspec.structs.asdict(state))
    else:
        click.echo(_words(state))
    return 0


@search_index.command()
@store_option
def rebuild(store: str | None) -> int:
    """Have a running server remove the index and fill it again from the log.

    While it is removed, searches are slower. Without a running server, the next one that starts does it.
    """
    with _opened(store) as opened:
        opened.rebuild_index()
    click.echo("the server that fills the index begins within a few seconds")
    return 0


def _words(state: IndexState) -> str:
    if not state.on:
        return f"no index: {state.problem or 'it is off, or no server has created it yet'}"
    waiting = f"{count(state.behind)} events are not indexed yet"
    if state.rebuilding:
        waiting = "it is about to be filled again"
    until = f", up to {moment(state.indexed_until)} UTC" if state.indexed_until else ""
    return f"{count(state.blocks)} blocks of events{until}; {size(state.size)}; {waiting}"


async def _state(store: Store) -> IndexState:
    async with store.read() as view:
        return await view.index_state()


@contextmanager
def _opened(store: str | None) -> Iterator[Store]:
    chosen = target(store)
    if chosen.server is not None:
        raise click.UsageError("search-index works on a store: give --store sqlite:///FILE or postgresql://…")
    opened = open_store(chosen.store, bus=chosen.bus)
    try:
        yield opened
    finally:
        opened.close()
