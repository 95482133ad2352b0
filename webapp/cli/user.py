"""`signalbox user`: manages the accounts that can log in."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from signalbox.store import Conflict
from signalbox.store.people import ROLES, Account, Role, checked_email
from signalbox.webapp.cli.password import password_hash, password_option
from signalbox.webapp.cli.people_store import PeopleStore, people_store
from signalbox.webapp.cli.table import json_option, print_json, print_table, utc_minute
from signalbox.webapp.cli.target import store_option
from signalbox.webapp.process.notice import notice


@click.group()
def user() -> None:
    """Manage the accounts that can log in."""


@user.command()
@click.argument("email")
@click.option("--admin", is_flag=True, help="Let the account do everything in every project.")
@click.option(
    "--project", metavar="ID", help="Make the account a member of this project; `signalbox project member` adds more."
)
@click.option("--role", type=click.Choice(ROLES), help="The role in that project.")
@password_option
@store_option
def add(
    email: str, admin: bool, project: str | None, role: Role | None, password_stdin: bool, store: str | None
) -> None:
    """Create an account that logs in with EMAIL and a password."""
    if (project is None) != (role is None):
        raise click.UsageError("give --project and --role together")
    checked_email(email)
    with people_store(store, make=True) as opened:
        if opened.run_read(opened.people.account_by_email(email)):
            raise Conflict(f"there is an account {checked_email(email)} already")
        if project is not None:
            opened.project(project)
        hashed = password_hash(password_stdin)
        account = opened.people.add_account(email, hashed, admin=admin, project_id=project, role=role, **opened.audit)
        click.echo(f"{account.email}: {_may(admin, project, role)}")


@user.command("list")
@json_option
@store_option
def list_(as_json: bool, store: str | None) -> None:
    """List the accounts."""
    with people_store(store) as opened:
        found = [_described(opened, account) for account in opened.run_read(opened.people.accounts())]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["email"],
            "admin" if one["admin"] else ", ".join(f"{project} {role}" for project, role in one["projects"].items()),
            "disabled" if one["disabled_at"] else "active",
            utc_minute(one["created_at"]),
        )
        for one in found
    ]
    print_table(("EMAIL", "ROLES", "STATE", "CREATED (UTC)"), rows)


@user.command()
@click.argument("email")
@password_option
@store_option
def password(email: str, password_stdin: bool, store: str | None) -> None:
    """Set the password of EMAIL, and end all sessions of the account."""
    with people_store(store) as opened:
        account = opened.account(email)
        opened.people.set_password(account.account_id, password_hash(password_stdin), **opened.audit)
        click.echo(f"{account.email}: the password was changed, and all sessions ended")


@user.command()
@click.argument("email")
@store_option
def disable(email: str, store: str | None) -> None:
    """Disable the account EMAIL: it cannot log in, and its sessions and tokens are refused."""
    _set_disabled(email, store, True)


@user.command()
@click.argument("email")
@store_option
def enable(email: str, store: str | None) -> None:
    """Enable the account EMAIL again."""
    _set_disabled(email, store, False)


@user.command()
@click.argument("email")
@store_option
def remove(email: str, store: str | None) -> None:
    """Remove the account EMAIL with its memberships, sessions and tokens. The audit log keeps its actions."""
    with people_store(store) as opened:
        account = opened.account(email)
        opened.people.remove_account(account.account_id, **opened.audit)
        click.echo(f"{account.email}: removed")
        if not opened.run_read(opened.people.guarded()):
            notice("no accounts or tokens left: on loopback no log-in is needed")


def _set_disabled(email: str, store: str | None, disabled: bool) -> None:
    with people_store(store) as opened:
        account = opened.account(email)
        opened.people.set_disabled(account.account_id, disabled, **opened.audit)
        click.echo(f"{account.email}: {'disabled' if disabled else 'enabled'}")


def _described(opened: PeopleStore, account: Account) -> dict[str, Any]:
    roles = opened.run_read(opened.people.roles(account.account_id))
    return {**msgspec.structs.asdict(account), "projects": roles}


def _may(admin: bool, project: str | None, role: Role | None) -> str:
    if admin:
        return "administrator of all projects"
    if project is None:
        return "no project yet: add one with `signalbox project member PROJECT EMAIL ROLE`"
    return f"{role} of the project {project}"
