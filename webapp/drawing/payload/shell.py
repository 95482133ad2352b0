"""Commands of shell tools, shown as typed into a shell."""

from __future__ import annotations

import re
import shlex
from typing import Any

from markupsafe import Markup, escape

from signalbox.store.terminal_escapes import plain
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.payload.limits import PAGE
from signalbox.webapp.drawing.payload.search import Search
from signalbox.webapp.views.json_pointer import child
from signalbox.webapp.views.text import clean, cut

COMMAND_KEYS = ("command", "cmd", "argv", "script")
ARGUMENT_KEYS = ("arguments", "args", "input", "parameters")
_TOOLS = frozenset(
    (
        *("bash", "cmd", "command", "console", "exec", "execute", "fish", "powershell", "process", "pwsh", "run"),
        *("sh", "shell", "subprocess", "terminal", "zsh"),
    )
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def is_shell_tool(tool_name: object) -> bool:
    """Return whether a tool with this name runs shell commands: `bash`, `run_command`, `ShellExec` and similar."""
    return isinstance(tool_name, str) and any(word.lower() in _TOOLS for word in _WORD.findall(tool_name[:200]))


def shell_commands(payload: Any) -> dict[str, str]:
    """Return the shell commands in a payload by their JSON Pointers.

    A list of words is a command; a text is one if the payload names a shell tool.
    """
    if not isinstance(payload, dict):
        return {}
    is_tool = is_shell_tool(payload.get("tool_name") or payload.get("name"))
    found = {}
    for where, owner in (("", payload), *((f"/{key}", payload.get(key)) for key in ARGUMENT_KEYS)):
        if isinstance(owner, dict):
            for key in COMMAND_KEYS:
                command = _command(owner.get(key), is_tool=is_tool)
                if command:
                    found[child(where, key)] = command
        elif where and is_tool and (command := _command(owner, is_tool=isinstance(owner, list))):
            found[where] = command
    return found


def _command(value: Any, *, is_tool: bool) -> str:
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        # ["bash", "-c", "…"] runs its last word.
        script = len(value) == 3 and value[1] in ("-c", "-lc", "-Command") and is_shell_tool(value[0].rsplit("/")[-1])
        return str(value[2]) if script else shlex.join(value)
    return value if isinstance(value, str) and is_tool else ""


def command_html(
    command: str, search: Search | None = None, address: PayloadAddress | None = None, most: int = PAGE.text
) -> Markup:
    """Return a command as a block with a prompt sign. The rest of a very long one is linked if it has an `address`."""
    text = plain(command)
    html = escape(clean(cut(text, most)))
    rest = ""
    if address is not None and len(text) > most:
        rest = Markup(' <a href="{}">Show the whole command</a>').format(address.url(view="raw"))
    return Markup(
        '<pre class="shell" dir="ltr"><span class="shell-prompt" aria-hidden="true">$ </span><code>{}</code>{}</pre>'
    ).format(search.mark(html) if search else html, rest)
