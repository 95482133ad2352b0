"""Prints lists: as columns for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import msgspec

from signalbox.webapp.drawing.words import safe, safe_json

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their column heads. An empty value is printed as a dash."""
    shown = [heads, *([safe(value, colours=False) or "-" for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        click.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def print_json(values: Sequence[object]) -> None:
    """Print values as a JSON array."""
    click.echo(safe_json(msgspec.json.format(msgspec.json.encode(values)).decode()))


def print_json_object(values: Mapping[str, object]) -> None:
    """Print values as a JSON object."""
    click.echo(safe_json(msgspec.json.format(msgspec.json.encode(values)).decode()))


def utc_minute(timestamp: str | None) -> str:
    """Return a timestamp of the store to the minute, in UTC."""
    return timestamp[:16].replace("T", " ") if timestamp else ""
