"""`signalbox token`: manages the tokens that programs send instead of a password."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec
from click.core import ParameterSource

from signalbox.store.errors import NotFound
from signalbox.store.people import SCOPES, Scope, Token
from signalbox.store.times import now
from signalbox.webapp.cli.people_store import PeopleStore, people_store
from signalbox.webapp.cli.table import json_option, print_json, print_table, utc_minute
from signalbox.webapp.cli.target import store_option
from signalbox.webapp.process.notice import notice

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class LimitType(click.ParamType["int | None"]):
    """A number per minute, or `none` for no limit."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "none":
            return None
        if not re.fullmatch(r"[1-9][0-9]{0,11}", str(value)):
            self.fail(f"it must be a whole number from 1 on, or none, not {str(value)[:40]!r}", param, ctx)
        return int(value)


class DurationType(click.ParamType[timedelta]):
    """A duration such as `30d`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        parsed = re.fullmatch(r"([1-9][0-9]{0,4})([mhdw])", value)
        if parsed is None:
            self.fail(f"it must be a duration such as 90m, 12h, 30d or 8w, not {value[:40]!r}", param, ctx)
        return timedelta(**{UNITS[parsed[2]]: int(parsed[1])})


@click.group()
def token() -> None:
    """Manage the tokens that programs send instead of a password."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("read",),
    show_default=True,
    help="What the token may do; repeatable.",
)
@click.option("--project", metavar="ID", help="The only project that it may use.  [default: all projects]")
@click.option(
    "--user",
    "email",
    metavar="EMAIL",
    help="The account that it belongs to: the token never has more rights than the account.",
)
@click.option(
    "--expires",
    type=DurationType(),
    metavar="TIME",
    help="When it expires: 90m, 12h, 30d or 8w from now.  [default: never]",
)
@click.option(
    "--events-per-minute", "events", type=LimitType(), metavar="N", help="How many events it may send.  [default: any]"
)
@click.option(
    "--bytes-per-minute", "size", type=LimitType(), metavar="N", help="How many bytes it may send.  [default: any]"
)
@store_option
def create(
    name: str,
    scopes: tuple[Scope, ...],
    project: str | None,
    email: str | None,
    expires: timedelta | None,
    events: int | None,
    size: int | None,
    store: str | None,
) -> None:
    """Create a token and print its secret. The secret is printed only now, because the database keeps only its hash."""
    from signalbox.webapp.auth.secrets import digest_of, new_token

    with people_store(store, make=True) as opened:
        account = opened.account(email) if email is not None else None
        if project is not None:
            opened.project(project)
        secret = new_token()
        made = opened.people.add_token(
            name,
            digest_of(secret),
            scopes=scopes,
            account_id=account.account_id if account else None,
            project_id=project,
            expires_at=_expiry_after(expires) if expires else None,
            events_per_minute=events,
            bytes_per_minute=size,
            **opened.audit,
        )
    end = f"{utc_minute(made.expires_at)} UTC" if made.expires_at else "never"
    notice(f"token {made.token_id}: scopes {', '.join(made.scopes)}; expires {end}. The secret is not shown again")
    click.echo(secret)


@token.command("list")
@json_option
@store_option
def list_(as_json: bool, store: str | None) -> None:
    """List the tokens, including expired and revoked ones. Secrets are not listed."""
    with people_store(store) as opened:
        found = _described(opened)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["token_id"],
            one["name"],
            ", ".join(one["scopes"]),
            one["project_id"] or "all",
            one["email"] or "",
            one["state"],
            quota_text(one["events_per_minute"], one["bytes_per_minute"]),
            utc_minute(one["expires_at"]) or "never",
        )
        for one in found
    ]
    print_table(("ID", "NAME", "SCOPES", "PROJECT", "USER", "STATE", "PER MINUTE", "EXPIRES (UTC)"), rows)


@token.command()
@click.argument("token_id", metavar="ID")
@click.option("--events-per-minute", "events", type=LimitType(), metavar="N", help="A number, or none.")
@click.option("--bytes-per-minute", "size", type=LimitType(), metavar="N", help="A number, or none.")
@store_option
def quota(token_id: str, events: int | None, size: int | None, store: str | None) -> None:
    """Set how many events and bytes a token may send per minute. A limit that is not given stays as it is."""
    given = click.get_current_context().get_parameter_source
    with people_store(store) as opened:
        found = next((one for one in opened.run_read(opened.people.tokens()) if one.token_id == token_id), None)
        if found is None:
            raise NotFound(f"there is no token {token_id!r}")
        limits = (
            events if given("events") is ParameterSource.COMMANDLINE else found.events_per_minute,
            size if given("size") is ParameterSource.COMMANDLINE else found.bytes_per_minute,
        )
        opened.people.set_quota(token_id, *limits, **opened.audit)
    click.echo(f"{token_id}: {quota_text(*limits) or 'no limit'}")


@token.command()
@click.argument("token_id", metavar="ID")
@store_option
def revoke(token_id: str, store: str | None) -> None:
    """Revoke a token permanently. Streams that were opened with it end."""
    with people_store(store) as opened:
        opened.people.revoke_token(token_id, **opened.audit)
    click.echo(f"{token_id}: revoked")


def quota_text(events: int | None, size: int | None) -> str:
    """Return a quota in words; an empty text if there is none."""
    words = [f"{limit:,} {unit}" for limit, unit in ((events, "events"), (size, "bytes")) if limit is not None]
    return ", ".join(words)


def _expiry_after(lifetime: timedelta) -> str:
    end = datetime.now(UTC) + lifetime
    return end.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _described(opened: PeopleStore) -> list[dict[str, Any]]:
    accounts = {account.account_id: account for account in opened.run_read(opened.people.accounts())}
    described = []
    for one in opened.run_read(opened.people.tokens()):
        account = accounts.get(one.account_id or "")
        state = _state(one, disabled=account is not None and account.disabled_at is not None)
        described.append({**msgspec.structs.asdict(one), "email": account.email if account else None, "state": state})
    return described


def _state(one: Token, *, disabled: bool) -> str:
    if one.revoked_at:
        return "revoked"
    if one.expires_at and one.expires_at <= now():
        return "expired"
    return "user disabled" if disabled else "active"
