"""`signalbox project`: manages projects, their members and their agents."""

from __future__ import annotations

from typing import Any, Literal

import click
import msgspec

from signalbox.store.people import ROLES, Project, Role
from signalbox.webapp.agents import agent_of
from signalbox.webapp.cli.emit import PayloadType
from signalbox.webapp.cli.people_store import PeopleStore, people_store
from signalbox.webapp.cli.table import json_option, print_json, print_table, utc_minute
from signalbox.webapp.cli.target import store_option


@click.group()
def project() -> None:
    """Manage projects, their members and their agents. Each task belongs to a project."""


@project.command()
@click.argument("project_id", metavar="ID")
@click.option("--name", help="[default: the ID]")
@store_option
def add(project_id: str, name: str | None, store: str | None) -> None:
    """Create a project."""
    with people_store(store, make=True) as opened:
        opened.people.add_project(project_id, name if name is not None else project_id, **opened.audit)
    click.echo(f"{project_id}: created")


@project.command("list")
@json_option
@store_option
def list_(as_json: bool, store: str | None) -> None:
    """List the projects with their members."""
    with people_store(store) as opened:
        found = [_described(opened, one) for one in opened.run_read(opened.people.projects())]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["project_id"],
            one["name"],
            str(one["tasks"]),
            ", ".join(f"{member['email']} {member['role']}" for member in one["members"]),
            str(one["agent"].get("kind")) if one["agent"] else "",
            utc_minute(one["created_at"]),
        )
        for one in found
    ]
    print_table(("ID", "NAME", "TASKS", "MEMBERS", "AGENT", "CREATED (UTC)"), rows)


@project.command()
@click.argument("project_id", metavar="ID")
@click.argument("email")
@click.argument("role", metavar="ROLE", type=click.Choice([*ROLES, "none"]))
@store_option
def member(project_id: str, email: str, role: Role | Literal["none"], store: str | None) -> None:
    """Give EMAIL the ROLE in a project; `none` ends the membership.

    A viewer reads. An operator also emits events, and starts, answers and cancels runs. An owner also deletes tasks
    and manages the project.
    """
    with people_store(store) as opened:
        account = opened.account(email)
        opened.people.set_member(project_id, account.account_id, None if role == "none" else role, **opened.audit)
    click.echo(f"{project_id}: {account.email} is {'not a member' if role == 'none' else role}")


class AgentType(PayloadType):
    """A JSON object, `-` for one from standard input, or `none`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        return {} if value == "none" else super().convert(value, param, ctx)


@project.command()
@click.argument("project_id", metavar="ID")
@click.argument("agent", metavar="JSON", type=AgentType())
@store_option
def agent(project_id: str, agent: dict[str, Any], store: str | None) -> None:
    """Set the agent of a project: the command or the server that does its runs. `none` removes the agent.

    AGENT is a JSON object; `-` reads it from standard input.

    \b
    {"kind": "command", "argv": ["make", "all"], "cwd": "/srv/app", "env": {}, "time_limit": 3600}
    {"kind": "upstream", "url": "https://agent.example.org"}
    """
    checked = agent or None
    if checked:
        agent_of(checked)
    with people_store(store) as opened:
        opened.people.set_agent(project_id, checked, **opened.audit)
    click.echo(f"{project_id}: {'an agent, ' + checked['kind'] if checked else 'no agent'}")


@project.command()
@click.argument("project_id", metavar="ID")
@store_option
def remove(project_id: str, store: str | None) -> None:
    """Remove a project that has no tasks, along with its memberships and tokens."""
    with people_store(store) as opened:
        opened.people.remove_project(project_id, **opened.audit)
    click.echo(f"{project_id}: removed")


async def _count_tasks(opened: PeopleStore, project_id: str) -> int:
    async with opened.store.read() as view:
        return sum((await view.count_by_status([project_id])).values())


def _described(opened: PeopleStore, one: Project) -> dict[str, Any]:
    members = [{"email": who.email, "role": who.role} for who in opened.run_read(opened.people.members(one.project_id))]
    tasks = opened.run_read(_count_tasks(opened, one.project_id))
    return {**msgspec.structs.asdict(one), "tasks": tasks, "members": members}
