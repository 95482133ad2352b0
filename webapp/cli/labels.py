"""The options `--tag` and `--link`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self, TypeVar

import click

from signalbox.store import NewEvent
from signalbox.store.emitter.fit_labels import labelled
from signalbox.store.state import Task
from signalbox.store.tags import link_of, tag_of

F = TypeVar("F", bound=Callable[..., Any])


def label_options(command: F) -> F:
    """Add `--tag` and `--link`. The command gets `tags` and `links`, for `LabelOptions.parsed`."""
    link = click.option("--link", "links", metavar="NAME=URL", multiple=True, help="A link of the task; repeatable.")
    tag = click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="A tag of the task; repeatable.")
    return tag(link(command))


class LabelOptions(NamedTuple):
    """The tags and links that the options give."""

    tags: dict[str, str]
    links: dict[str, str]

    @classmethod
    def parsed(cls, tags: Sequence[str], links: Sequence[str]) -> Self:
        """Return the labels of these options. Raises InvalidEvent."""
        return cls(dict(tag_of(tag, "--tag") for tag in tags), dict(link_of(link, "--link") for link in links))

    def added_to(self, metadata: dict[str, Any]) -> dict[str, Any]:
        """Return metadata with these tags and links. Raises InvalidEvent if there are too many."""
        return labelled(metadata, self.tags, self.links, strict=True) or {}

    def missing_in(self, task: Task) -> list[NewEvent]:
        """Return the events that add them to a task that already exists."""
        tags = {name: tag for name, tag in self.tags.items() if task.tags.get(name) != tag}
        links = {name: url for name, url in self.links.items() if task.links.get(name) != url}
        found = [NewEvent(event_type="tags_changed", payload={"tags": tags})] if tags else []
        return [*found, NewEvent(event_type="links_changed", payload={"links": links})] if links else found
