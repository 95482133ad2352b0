"""Texts and values of a conversation as HTML."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from markupsafe import Markup

from signalbox.store.state import Task
from signalbox.store.terminal_escapes import plain
from signalbox.webapp.drawing.links import linked
from signalbox.webapp.drawing.markdown import markdown_html
from signalbox.webapp.drawing.payload.address import PayloadAddress, slot
from signalbox.webapp.drawing.payload.shell import command_html, shell_commands
from signalbox.webapp.drawing.payload.viewer import exact
from signalbox.webapp.views.text import clean, compact, count

MAX_LINES = 15
MAX_VALUE_CHARS = 4000
"""Lines and characters of a value that are shown. The payload viewer shows the rest."""

INLINE_CHARS = 160

MAX_SAID_CHARS = 12_000
"""Characters of a text that are shown. A streamed answer without an end is shown whole."""


@lru_cache(maxsize=512)
def said(text: str) -> Markup:
    """Return what a speaker said, as Markdown. Cached, because each frame shows the same texts."""
    return markdown_html(text)


@lru_cache(maxsize=4)
def _said_so_far(text: str) -> Markup:
    """Return a streamed answer of any length. Each of its frames has another text, so few are cached."""
    return markdown_html(text)


def said_in(text: str, path: str, task: Task, seq: int) -> Markup:
    """Return what a speaker said in the event `seq`. A long text ends with a link to the payload viewer."""
    if len(text) <= MAX_SAID_CHARS:
        return said(text)
    if not seq:
        return _said_so_far(text)
    more = f"Show all {count(len(text))} characters"
    return said(text[:MAX_SAID_CHARS]) + slot(PayloadAddress.of_event(path, task, seq), more)


def shown_value(value: Any, path: str, task: Task, seq: int) -> Markup:
    """Return a value of the event `seq`: an object by its keys, anything else as text. `path` is that of the task."""
    if isinstance(value, dict) and 0 < len(value) <= MAX_LINES:
        rows = [_named(str(name), one, path, task, seq) for name, one in value.items()]
        return Markup('<div class="values">{}</div>').format(Markup("").join(rows))
    return _block(value, path, task, seq)


def shown_arguments(tool: str, arguments: Any, path: str, task: Task, seq: int) -> Markup:
    """Return the arguments of a tool call. The command of a shell tool is shown as typed into a shell."""
    commands = shell_commands({"tool_name": tool, "arguments": arguments})
    if not commands:
        return shown_value(arguments, path, task, seq)
    names = {pointer.rpartition("/")[2] for pointer in commands}
    html = Markup("").join(command_html(command) for command in commands.values())
    rest = {name: one for name, one in arguments.items() if name not in names} if isinstance(arguments, dict) else {}
    return html + (shown_value(rest, path, task, seq) if rest else "")


def payload_slot(path: str, task: Task, seq: int) -> Markup:
    """Return a link that opens the payload viewer of an event in its place."""
    return slot(PayloadAddress.of_event(path, task, seq))


def _named(name: str, value: Any, path: str, task: Task, seq: int) -> Markup:
    text = value if isinstance(value, str) else compact(value)
    label = clean(name[:200])
    if len(text) <= INLINE_CHARS and "\n" not in text:
        row = '<div class="value"><span class="value-name">{}</span><code dir="auto">{}</code></div>'
        return Markup(row).format(label, linked(clean(plain(text))))
    row = '<div class="value value--block"><span class="value-name">{}</span>{}</div>'
    return Markup(row).format(label, _block(value, path, task, seq))


def _block(value: Any, path: str, task: Task, seq: int) -> Markup:
    text = clean(plain(exact(value) if not isinstance(value, str) else value))
    lines = text[:MAX_VALUE_CHARS].rstrip("\n").split("\n")
    shown = "\n".join(lines[:MAX_LINES])
    html = Markup('<pre class="value-text" dir="auto">{}</pre>').format(linked(shown))
    left = text.rstrip("\n").count("\n") + 1 - min(len(lines), MAX_LINES)
    if left > 0 or len(text) > MAX_VALUE_CHARS:
        words = f"+{count(left)} lines" if left > 1 else "Show all"
        html += slot(PayloadAddress.of_event(path, task, seq), words)
    return html
