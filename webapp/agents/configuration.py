"""What a project's `agent` may say. It is written by the operator, never by who starts a run."""

from __future__ import annotations

from typing import Any

import msgspec

from signalbox.store import Conflict, InvalidEvent
from signalbox.webapp.relay.upstream import checked_url

LONGEST_RUN = 30 * 86400.0


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A command that may be started. `env` is what its environment has besides ours, `time_limit` is in seconds."""

    argv: list[str] = []
    cwd: str | None = None
    env: dict[str, str] = {}
    time_limit: float | None = None

    def check(self, name: str) -> None:
        """Raise InvalidEvent for what cannot be a command."""
        if not self.argv or not self.argv[0] or any("\0" in word for word in self.argv):
            raise _wrong(f"{name} must be a list of words, the first of them the program")
        if self.time_limit is not None and not 0 < self.time_limit <= LONGEST_RUN:
            raise _wrong(f"time_limit must be over 0 and at most {LONGEST_RUN:.0f} seconds, not {self.time_limit}")
        for key, value in self.env.items():
            if not key or "=" in key or "\0" in key + value:
                raise _wrong(f"env has a name or a value that no environment can hold: {key!r}")


class CommandAgent(Command, frozen=True, tag_field="kind", tag="command"):
    """Commands that Signalbox starts: one, or several by name."""

    commands: dict[str, Command] = {}

    @property
    def allowed(self) -> dict[str, Command]:
        """The commands by name; the only one has none."""
        return self.commands or {"": Command(argv=self.argv, cwd=self.cwd, env=self.env, time_limit=self.time_limit)}

    def chosen(self, name: str | None) -> Command:
        """The command of that name, or the first one. Raises Conflict."""
        allowed = self.allowed
        if name is None:
            return next(iter(allowed.values()))
        if name not in allowed:
            names = ", ".join(filter(None, allowed)) or "one without a name"
            raise Conflict(f"there is no command {name!r} here; there is {names}")
        return allowed[name]


class UpstreamAgent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="upstream"):
    """An agent server at `url`. Its bearer token is in the environment variable `token_env` of the web process."""

    url: str
    token_env: str | None = None


def agent_of(config: Any) -> CommandAgent | UpstreamAgent:
    """The agent that a project's `agent` object means. Raises InvalidEvent that says what is wrong with it."""
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
            raise _wrong("with commands, each of them has its own argv, cwd, env and time_limit")
        for name, command in agent.commands.items():
            command.check(f"argv of {name!r}")
    else:
        agent.check("argv")
    return agent


def _wrong(message: str) -> InvalidEvent:
    return InvalidEvent(f"agent: {message}", "agent")
