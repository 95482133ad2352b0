"""`signalbox hooks`: installs the hooks of coding agents, and tries the rules for their tools."""

from __future__ import annotations

import difflib
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from signalbox.integrations.agent_hook import WAIT_S, tokens_path
from signalbox.integrations.agent_hook_exchange import DEFAULT_SERVER, split_url
from signalbox.webapp.cli.target import SERVER_VARIABLE, TOKEN_VARIABLE
from signalbox.webapp.coding_agents.agents import AGENTS
from signalbox.webapp.coding_agents.installing import PLACES, entries, hook_command, is_ours, is_temporary
from signalbox.webapp.coding_agents.path_patterns import paths_in
from signalbox.webapp.coding_agents.real_paths import followed
from signalbox.webapp.coding_agents.rules import InvalidRules, Rules, ToolCall
from signalbox.webapp.coding_agents.settings_file import SettingsFile
from signalbox.webapp.coding_agents.settings_text import UnreadableSettings, with_hooks, without_hooks
from signalbox.webapp.process.notice import notice

SLOW_SERVER_S = 0.08
RULES_VARIABLE = "SIGNALBOX_HOOK_RULES"

agent_argument = click.argument("agents", metavar="[AGENT]...", nargs=-1, type=click.Choice(list(AGENTS)))
project_flag = click.option("--project", "in_project", is_flag=True, help="Use the settings of this folder's project.")
yes_flag = click.option("--yes", is_flag=True, help="Write without asking.")


@click.group()
def hooks() -> None:
    """Let coding agents report here and ask for permission here."""


@hooks.command()
@agent_argument
@project_flag
@click.option("--server", metavar="URL", help=f"The server.  [{SERVER_VARIABLE}, default: {DEFAULT_SERVER}]")
@click.option("--token", metavar="TEXT", help=f"The token for the server, saved for you alone.  [{TOKEN_VARIABLE}]")
@click.option("--to-project", metavar="ID", help="The Signalbox project of the sessions.")
@click.option(
    "--wait",
    type=click.FloatRange(1, 86400),
    default=WAIT_S,
    show_default=True,
    help="Seconds to wait for an answer; then the agent asks in its own way.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0.02, 30),
    help="Seconds until the server must start to answer.  [default: 0.17, counted from the start of the hook]",
)
@yes_flag
def install(
    agents: Sequence[str],
    in_project: bool,
    server: str | None,
    token: str | None,
    to_project: str | None,
    wait: float,
    limit: float | None,
    yes: bool,
) -> int:
    """Install the hooks of each AGENT, by default of Claude Code, after showing the change.

    Other hooks and settings stay as they are. A second time, nothing changes.
    """
    address = (server or os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER).rstrip("/")
    try:
        split_url(address)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = ["--server", address]
    for name, value in (("--project", to_project), ("--wait", f"{wait:g}" if wait != WAIT_S else None)):
        options += [name, value] if value else []
    options += ["--limit", f"{limit:g}"] if limit is not None else []

    def changed(agent: str, text: str) -> str:
        return with_hooks(text, entries(agent, hook_command(agent, options), wait), is_ours)

    code = _change_all(agents, in_project, yes, changed, "installed")
    if code == 0:
        if token:
            _save_token(address, token)
        _try_server(address)
        if is_temporary():
            notice(f"the hooks run {sys.prefix}, which is a cache: install Signalbox with `uv tool install` or pip")
        if "codex" in agents:
            click.echo("Codex runs new hooks only after you trust them: open /hooks in Codex.")
    return code


@hooks.command()
@agent_argument
@project_flag
@yes_flag
def uninstall(agents: Sequence[str], in_project: bool, yes: bool) -> int:
    """Remove the hooks of each AGENT, by default of Claude Code, after showing the change.

    A file that was not changed since becomes what it was before, byte for byte. From any other file only the hooks of
    Signalbox are removed.
    """
    return _change_all(agents, in_project, yes, lambda agent, text: without_hooks(text, is_ours), "removed")


@hooks.command()
@click.argument("payload", required=False, type=click.File("rb"))
@click.option("--agent", type=click.Choice(list(AGENTS)), default="claude-code", show_default=True, help="The agent.")
@click.option("--tool", help="The name of the tool, in place of a PAYLOAD.")
@click.option("--input", "arguments", metavar="JSON", help="The arguments of the tool; a text is a command.")
@click.option("--folder", metavar="DIR", help="The folder of the session.  [default: this one]")
@click.option("--project", metavar="ID", default="default", show_default=True, help="The Signalbox project.")
@click.option("--rules", metavar="JSON", help=f"The rules, or their file.  [{RULES_VARIABLE}]")
@click.option("--server", metavar="URL", help="Ask this server for its rules instead.")
@click.option("--token", metavar="TEXT", help=f"The bearer token for the server.  [{TOKEN_VARIABLE}]")
def test(
    payload: Any,
    agent: str,
    tool: str | None,
    arguments: str | None,
    folder: str | None,
    project: str,
    rules: str | None,
    server: str | None,
    token: str | None,
) -> int:
    """Show which rule decides about a call of a tool.

    PAYLOAD is a file with the JSON of a hook; - reads it from standard input. Or name a tool with its arguments:
    --tool Bash --input "git push".
    """
    given = _payload(payload, tool, arguments, folder)
    if server:
        found = _verdict_of_server(server.rstrip("/"), agent, given, project, token)
    else:
        found = _verdict(rules, agent, given, project)
    if found["decision"] is None:
        click.echo("no rule matches: the agent decides; if it asks, people are asked here")
        return 0
    click.echo(f"{found['decision']}: {found['rule']}" + (f": {found['reason']}" if found["reason"] else ""))
    return 0


def _change_all(
    agents: Sequence[str], in_project: bool, yes: bool, change: Callable[[str, str], str], done: str
) -> int:
    code = 0
    for agent in dict.fromkeys(agents or ("claude-code",)):
        path = PLACES[agent].path(Path.cwd() if in_project else None)
        try:
            code = max(code, _change(agent, SettingsFile(path), yes, change, done))
        except UnreadableSettings as error:
            notice(f"nothing was written to {path}: {error}")
            code = 1
        except BrokenPipeError:
            raise
        except OSError as error:
            notice(f"{path} was not changed: {error.strerror or error}")
            code = 1
    return code


def _change(agent: str, file: SettingsFile, yes: bool, change: Callable[[str, str], str], done: str) -> int:
    title, content = AGENTS[agent].title, file.read()
    text = _decoded(content)
    known = file.original(content) if done == "removed" else None
    new = change(agent, text).encode()
    if known is not None:
        result = known[0]
    elif new == (content or b""):
        click.echo(f"{title}: nothing to change in {file.path}")
        return 0
    else:
        result = new
    _show(file.path, text, _decoded(result))
    if not yes and not _agreed():
        notice(f"{file.path} was not changed")
        return 1
    if done == "removed":
        file.restore(result)
        click.echo(f"{title}: hooks {done} in {file.path}")
        return 0
    before = file.original(content)
    # The state to return to is the one without our hooks, also after a second installation with other options.
    backup = before[0] if before else (without_hooks(text, is_ours).encode() if content is not None else None)
    kept = file.write(new, backup)
    click.echo(f"{title}: hooks {done} in {file.path}" + (f"; backup: {kept}" if backup is not None else ""))
    return 0


def _decoded(content: bytes | None) -> str:
    try:
        return (content or b"").decode()
    except UnicodeDecodeError as error:
        raise UnreadableSettings(f"it is not UTF-8: {error.reason} at byte {error.start}") from None


def _show(path: Path, before: str, after: str) -> None:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), str(path), n=2
    )
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        click.secho(line.rstrip("\r\n"), fg=colour)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        notice("give --yes to write without a terminal")
        return False
    return click.confirm("Write this?", default=True)


def _save_token(server: str, token: str) -> None:
    path = Path(tokens_path())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines: list[str] = []
    with suppress(FileNotFoundError):
        lines = [line for line in path.read_text().splitlines() if line.split(None, 1)[:1] != [server]]
    content = "\n".join([*lines, f"{server} {token}"]) + "\n"
    new = path.with_name(f".{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    os.replace(new, path)
    click.echo(f"The token is saved in {path}, which only you can read.")


def _try_server(server: str) -> None:
    times = []
    try:
        for _ in range(3):
            # Each hook opens a connection of its own.
            with httpx.Client(timeout=2) as client:
                started = time.monotonic()
                client.get(f"{server}/healthz")
                times.append(time.monotonic() - started)
    except httpx.HTTPError:
        notice(f"{server} does not answer now: until it does, the agent works as if it had no hooks")
        return
    if (taken := min(times)) > SLOW_SERVER_S:
        notice(f"{server} answers after {taken:.2f} s: give the hooks more time, such as --limit {3 * taken:.1f}")


def _payload(file: Any, tool: str | None, arguments: str | None, folder: str | None) -> dict[str, Any]:
    if (file is None) == (tool is None):
        raise click.UsageError("give a PAYLOAD, or a tool with --tool and --input")
    if file is None:
        text = (arguments or "{}").strip()
        given: Any = _json(text, "--input") if text.startswith("{") else {"command": text}
        payload = {"tool_name": tool, "tool_input": given}
    else:
        payload = _json(file.read(), "PAYLOAD")
    if not isinstance(payload, dict):
        raise click.UsageError("PAYLOAD must be a JSON object")
    here = {"cwd": folder or payload.get("cwd") or os.getcwd()}
    return {"hook_event_name": "PreToolUse", "session_id": "test", **payload, **here}


def _json(text: str | bytes, name: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise click.UsageError(f"{name} must be JSON: {error}") from None


def _verdict(rules: str | None, agent: str, payload: dict[str, Any], project: str) -> dict[str, Any]:
    cwd, arguments = str(payload["cwd"]), payload.get("tool_input")
    call = ToolCall(
        agent=agent,
        tool=str(payload.get("tool_name", "")),
        arguments=arguments,
        folders=(cwd, *followed([cwd], "/")),
        project=project,
        real_paths=followed(paths_in(arguments), cwd),
    )
    try:
        verdict = Rules(os.environ.get(RULES_VARIABLE, "") if rules is None else rules).decide(call)
    except InvalidRules as error:
        raise click.UsageError(f"the rules: {error}") from None
    if verdict is None:
        return {"decision": None}
    return {"decision": verdict.decision, "rule": verdict.words, "reason": verdict.rule.reason}


def _verdict_of_server(
    server: str, agent: str, payload: dict[str, Any], project: str, token: str | None
) -> dict[str, Any]:
    secret = token or os.environ.get(TOKEN_VARIABLE)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    event = next(name for name, moment in AGENTS[agent].moments.items() if moment == "tool_start")
    # Only a call before a tool is decided, whatever the payload says.
    body = payload | {"hook_event_name": event}
    try:
        response = httpx.post(
            f"{server}/api/hooks/{agent}/test", json=body, params={"project": project}, headers=headers, timeout=10
        )
        found: dict[str, Any] = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise click.ClickException(f"{server} does not answer: {error}") from None
    if response.status_code != 200:
        raise click.ClickException(f"{server}: {found.get('error', {}).get('message', response.status_code)}")
    return found
