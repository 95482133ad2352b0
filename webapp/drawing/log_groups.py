"""Lines of output that begin or end a group of lines. The browser folds the groups (`static/js/log-folds.js`).

These are the notations of GitHub Actions, Azure Pipelines, Travis CI and Buildkite:

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#grouping-log-lines
https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands#formatting-commands
https://buildkite.com/docs/pipelines/configure/managing-log-output#grouping-log-output
"""

from __future__ import annotations

import re
from typing import NamedTuple

from markupsafe import Markup, escape

from signalbox.webapp.drawing import ansi
from signalbox.webapp.views.text import clean

FIRST_LETTERS = frozenset(":#t-+~")
"""The first characters of markers. Checking for them first is faster than to match every line."""

_PAIRED = re.compile(
    r"::group::(?P<github>.*)|(?P<github_end>::endgroup::)\s*"
    r"|##\[group\](?P<azure>.*)|(?P<azure_end>##\[endgroup\])\s*"
    # After the name, Travis erases the line in a terminal and writes the title over it.
    r"|travis_fold:(?P<travis>start|end):(?P<name>[^\s\x1b]{1,100})[\s\r]*(?:\x1b\[0?K)?\s*(?P<title>.*)"
)
"""Matches one line. It is never tried on several: it would take cubic time to find that they are no marker."""

_SECTION = re.compile(r"(?:---|\+\+\+|~~~) +(?P<title>\S.*)")
_DIFF = re.compile(r"[ab]/|/dev/null|[^\t]*\t\d{4}-|-+$")
"""A title of a line that is not a section but the head of a diff."""


class Marker(NamedTuple):
    """A line that begins or ends a group: the attributes for the browser, and the text of its row."""

    attributes: str
    words: Markup


def marker_of(message: str) -> Marker | None:
    """Return the marker in a line of output, or None. Only a text of one line can be a marker."""
    line = message.rstrip("\n")
    if "\n" in line:
        return None
    if found := _PAIRED.fullmatch(line):
        return _paired(found)
    if (found := _SECTION.fullmatch(line)) and not _DIFF.match(found["title"]):
        return Marker(' data-group="section"', Markup('<code class="group">{}</code>').format(ansi.render(line)))
    return None


def without_marker(message: str) -> str:
    """Return a line of output as a person reads it: only the title of the group, if the line begins one."""
    line = message.rstrip("\n")
    if message[:1] not in FIRST_LETTERS or "\n" in line or not (found := _PAIRED.fullmatch(line)):
        return message
    titles = (found[name] for name in ("github", "azure", "title", "name"))
    return next((title.strip() for title in titles if title and title.strip()), message)


def _paired(found: re.Match[str]) -> Marker:
    if found["name"]:
        name, ends = clean(found["name"]), found["travis"] == "end"
        return _end(f"travis {name}", name) if ends else _start(f"travis {name}", found["title"] or name)
    for notation in ("github", "azure"):
        if found[notation] is not None:
            return _start(notation, found[notation].strip())
    return _end("github" if found["github_end"] else "azure", "group")


def _start(group: str, title: str) -> Marker:
    words = Markup('<code class="group">{}</code>').format(ansi.render(title or "Group"))
    return Marker(f' data-group="start" data-of="{escape(group)}"', words)


def _end(group: str, name: str) -> Marker:
    return Marker(f' data-group="end" data-of="{escape(group)}"', Markup("<i>end of {}</i>").format(name))
