"""The rules of the operator for the tools of coding agents.

    {"rules": [
      {"decision": "deny", "tool": "Bash", "command": "git push --force*", "reason": "history is shared"},
      {"decision": "ask", "tool": "Edit|Write", "path": "**/migrations/**"},
      {"decision": "allow", "tool": "Bash", "command": "git status *", "directory": "/srv/app/**"}
    ]}

A rule matches a call if all of its fields do. Of the rules that match, one that denies decides before one that asks,
and that before one that allows; among equal ones the first. So the order of a file cannot open a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from signalbox.webapp.coding_agents.command_lines import ShellLine, command_line, started_by
from signalbox.webapp.coding_agents.path_patterns import absolute_path, matches_all, matches_any, named_paths
from signalbox.webapp.coding_agents.wildcards import wildcards

Decision = Literal["allow", "deny", "ask"]
STRICTEST_FIRST: tuple[Decision, ...] = ("deny", "ask", "allow")

MAX_RULES = 1000
MAX_PATTERN_CHARS = 1000
PATTERNS = ("agent", "tool", "command", "path", "directory", "project")


class InvalidRules(ValueError):
    """The rules have an invalid value. The message names the rule and what is allowed."""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool, before it runs. `folders` are the folder of its session as named, and with its links followed.

    `real_paths` are the paths that the arguments name, with all links followed.
    """

    agent: str
    tool: str
    arguments: Any = None
    folders: tuple[str, ...] = ()
    project: str = "default"
    real_paths: tuple[str, ...] = ()

    @property
    def cwd(self) -> str:
        """The folder of the session."""
        return self.folders[0] if self.folders else "/"

    @property
    def is_patch(self) -> bool:
        """Whether its `command` is a patch and no command line."""
        return "patch" in self.tool.lower()


@dataclass(frozen=True)
class CalledCommands:
    """The commands of a command line, as rules see them."""

    line: ShellLine

    def all_match(self, pattern: str) -> bool:
        """Return whether the pattern matches everything that the line runs."""
        return self.line.plain and bool(self._written) and all(_matches(pattern, text, 0) for text in self._written)

    def any_matches(self, pattern: str) -> bool:
        """Return whether the pattern matches a command of the line, or one that such a command starts."""
        return any(_matches(pattern, text, place) for text, place in self._started)

    @cached_property
    def _written(self) -> list[str]:
        return [" ".join(words) for words in dict.fromkeys(self.line.commands)]

    @cached_property
    def _started(self) -> list[tuple[str, int]]:
        return [started for words in dict.fromkeys(self.line.commands) for started in started_by(words)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. A field that is missing matches every call; `*` stands for any characters.

    `tool` and `agent` are names, several of them separated by `|`. `command` is the command line of a shell, `path` a
    file that the call names, `directory` the folder of the session, `project` the project of the task.
    """

    decision: Decision
    agent: str | None = None
    tool: str | None = None
    command: str | None = None
    path: str | None = None
    directory: str | None = None
    project: str | None = None
    reason: str | None = None

    def matches(self, call: ToolCall, commands: CalledCommands | None, paths: Sequence[str]) -> bool:
        """Return whether this rule is about `call`. A rule that allows must match every command and path of it.

        A rule that names a path but no command allows no command line, which may do more than it seems to.
        """
        named = ((self.agent, call.agent), (self.tool, call.tool), (self.project, call.project))
        if not all(pattern is None or _matches_name(pattern, name) for pattern, name in named):
            return False
        every = self.decision == "allow"
        match = matches_all if every else matches_any
        folders = [absolute_path(".", folder) for folder in call.folders]
        if self.directory is not None and not match(self.directory, folders, ["/"]):
            return False
        if self.path is not None and not match(self.path, paths, folders):
            return False
        if self.command is None:
            return not (every and self.path is not None and commands is not None and not call.is_patch)
        return commands is not None and (commands.all_match if every else commands.any_matches)(self.command)


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The decision about a call: that of the rule with this number, which begins at 1."""

    decision: Decision
    number: int
    rule: Rule

    @property
    def words(self) -> str:
        """The rule in words: `rule 2 (deny Bash: git push *)`."""
        rule = self.rule
        about = ": ".join(filter(None, (rule.tool or "any tool", rule.command or rule.path)))
        return f"rule {self.number} ({rule.decision} {about})"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]


class Rules:
    """The rules of a server. `text` is a JSON object, or the path of a file with one. Raises InvalidRules."""

    def __init__(self, text: str = "") -> None:
        self._rules = _read(text.strip())
        if len(self._rules) > MAX_RULES:
            raise InvalidRules(f"there may be at most {MAX_RULES} rules, not {len(self._rules)}")
        for number, rule in enumerate(self._rules, 1):
            _check(number, rule)

    def __len__(self) -> int:
        return len(self._rules)

    def decide(self, call: ToolCall) -> Verdict | None:
        """Return the verdict about a call; None if no rule matches."""
        command = call.arguments.get("command") if isinstance(call.arguments, dict) else None
        line = command_line(_command_text(command)) if isinstance(command, str | list) else None
        commands = CalledCommands(line) if line is not None else None
        paths = [*named_paths(call.arguments, call.cwd), *call.real_paths]
        for decision in STRICTEST_FIRST:
            for number, rule in enumerate(self._rules, 1):
                if rule.decision == decision and rule.matches(call, commands, paths):
                    return Verdict(decision=decision, number=number, rule=rule)
        return None


def _read(text: str) -> list[Rule]:
    try:
        content = text if text.startswith("{") else Path(text).read_bytes() if text else '{"rules": []}'
        return msgspec.json.decode(content, type=_File).rules
    except OSError as error:
        raise InvalidRules(f"they must be a JSON object or the path of a file, and {text!r}: {error}") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidRules(f"they are not valid: {error}") from None


def _check(number: int, rule: Rule) -> None:
    for name in PATTERNS:
        pattern = getattr(rule, name)
        if pattern is not None and not 0 < len(pattern) <= MAX_PATTERN_CHARS:
            raise InvalidRules(f"{name} of rule {number} must have 1 to {MAX_PATTERN_CHARS} characters")
    for name in ("path", "directory"):
        if ".." in (getattr(rule, name) or "").split("/"):
            raise InvalidRules(f"{name} of rule {number} must not contain ..: {getattr(rule, name)!r}")
    if rule.directory is not None and not rule.directory.startswith(("/", "~/", "**")):
        raise InvalidRules(f"directory of rule {number} must begin with / or ~/ or **, not {rule.directory!r}")
    if rule.decision == "allow" and all(getattr(rule, name) is None for name in PATTERNS):
        raise InvalidRules(f"rule {number} allows everything: name at least a tool, such as 'tool': '*'")


def _matches_name(pattern: str, name: str) -> bool:
    return any(wildcards(one.strip()).fullmatch(name) is not None for one in pattern.split("|"))


def _matches(pattern: str, text: str, place: int) -> bool:
    # `git status *` also matches `git status`.
    found = wildcards(pattern)
    bare = pattern.removesuffix(" *")
    return found.fullmatch(text, place) is not None or (
        bare != pattern and wildcards(bare).fullmatch(text, place) is not None
    )


def _command_text(command: str | list[Any]) -> str:
    """Return a command line. A list of words, as some agents send, becomes one with its words quoted."""
    if isinstance(command, str):
        return command
    return " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in command)
