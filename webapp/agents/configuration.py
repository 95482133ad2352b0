"""The schema of a project's `agent` object. Only the operator writes it, never the caller that starts a run."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store import Conflict, InvalidEvent
from signalbox.webapp.relay.upstream import checked_url

MAX_TIME_LIMIT = 30 * 86400.0
"""The highest time limit of a command, in seconds."""


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command that may be started. `env` is added to the server's environment; `time_limit` is in seconds."""

    argv: list[str] = []
    cwd: str | None = None
    env: dict[str, str] = {}
    time_limit: float | None = None

    def check(self, name: str) -> None:
        """Raise InvalidEvent unless the command can be started. `name` names its `argv` in the message."""
        if not self.argv or not self.argv[0] or any("\0" in word for word in self.argv):
            raise _wrong(f"{name} must be a list of words, the first of them the program")
        if self.time_limit is not None and not 0 < self.time_limit <= MAX_TIME_LIMIT:
            raise _wrong(f"time_limit must be over 0 and at most {MAX_TIME_LIMIT:.0f} seconds, not {self.time_limit}")
        for key, value in self.env.items():
            if not key or "=" in key or "\0" in key + value:
                raise _wrong(f"env: {key!r} or its value cannot be an environment variable")


class CommandAgent(Command, frozen=True, tag_field="kind", tag="command"):
    """One command, or several by name, that Signalbox itself starts."""

    commands: dict[str, Command] = {}

    @property
    def allowed(self) -> dict[str, Command]:
        """The commands by name. A single command has the name ""."""
        return self.commands or {"": Command(argv=self.argv, cwd=self.cwd, env=self.env, time_limit=self.time_limit)}

    def chosen(self, name: str | None) -> Command:
        """Return the command with this name, or the first one if `name` is None. Raises Conflict if there is none."""
        allowed = self.allowed
        if name is None:
            return next(iter(allowed.values()))
        if name not in allowed:
            names = ", ".join(filter(None, allowed)) or "a single command without a name"
            raise Conflict(f"the project has no command {name!r}; it has {names}")
        return allowed[name]


class UpstreamAgent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="upstream"):
    """An agent server at `url`. The environment variable `token_env` of the web process holds its bearer token."""

    url: str
    token_env: str | None = None


def agent_of(config: Any) -> CommandAgent | UpstreamAgent:
    """Parse and check a project's `agent` object. Raises InvalidEvent that names the wrong field."""
    try:
        agent: CommandAgent | UpstreamAgent = msgspec.convert(config, CommandAgent | UpstreamAgent)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None
    if isinstance(agent, UpstreamAgent):
        try:
            checked_url(agent.url)
        except InvalidEvent:
            raise _wrong(f"url must look like http://127.0.0.1:9100, not {agent.url!r}") from None
        return agent
    if agent.commands:
        if agent.argv or agent.cwd or agent.env or agent.time_limit is not None:
            raise _wrong("argv, cwd, env and time_limit belong into each of the commands")
        for name, command in agent.commands.items():
            command.check(f"argv of {name!r}")
    else:
        agent.check("argv")
    return agent


def _wrong(message: str) -> InvalidEvent:
    return InvalidEvent(f"agent: {message}", "agent")
