"""`signalbox hook`: the command that a coding agent runs as a hook.

`signalbox/__main__.py` runs it without this module, which only describes it in `--help`.
"""

from __future__ import annotations

import click

from signalbox.integrations import agent_hook
from signalbox.integrations.agent_hook_exchange import DEFAULT_SERVER
from signalbox.webapp.cli.target import SERVER_VARIABLE, TOKEN_VARIABLE
from signalbox.webapp.coding_agents.agents import AGENTS


@click.command()
@click.argument("agent", type=click.Choice(list(AGENTS)))
@click.option("--server", metavar="URL", help=f"The server.  [{SERVER_VARIABLE}, default: {DEFAULT_SERVER}]")
@click.option("--token", metavar="TEXT", help=f"The bearer token for the server.  [{TOKEN_VARIABLE}]")
@click.option("--project", metavar="ID", help="The project of a new session.  [default: the token's, else default]")
@click.option("--wait", type=float, default=agent_hook.WAIT_S, show_default=True, help="Seconds to wait for an answer.")
@click.option("--limit", type=float, help="Seconds until the server must start to answer.")
def hook(agent: str, **options: object) -> None:
    """Pass a call of a hook of AGENT from standard input to the server, and print the answer.

    If the server is away, this prints nothing and exits with 0, so that the agent goes on as if it had no hook.
    """
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    agent_hook.run([agent, *given])
