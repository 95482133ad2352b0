"""Converts or cuts tags that a task cannot have, so that emitting never ends the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signalbox.store.emitter.fit_payload import word
from signalbox.store.tags import (
    MAX_NAME_CHARS,
    MAX_TAG_CHARS,
    Changes,
    check_links,
    check_tags,
    readable_links,
    readable_tags,
    text_of_value,
)


def fitting_tags(tags: object) -> Changes:
    """Return valid tags: names and values become one line and are cut; empty ones and those over the limit are lost."""
    if not isinstance(tags, Mapping):
        return {}
    cut = {word(str(name).replace("=", "-"), MAX_NAME_CHARS): _value(value) for name, value in tags.items()}
    return readable_tags({name: value for name, value in cut.items() if name and value != ""})


def labelled(
    metadata: dict[str, Any] | None, tags: Mapping[str, Any] | None, links: Mapping[str, Any] | None, *, strict: bool
) -> dict[str, Any] | None:
    """Return the metadata of a task with these tags and links added. With `strict`, bad ones raise InvalidEvent."""
    for name, given, check, fit in (
        ("tags", tags, check_tags, fitting_tags),
        ("links", links, check_links, readable_links),
    ):
        before = (metadata or {}).get(name)
        if given or isinstance(before, Mapping):
            found = {**(before if isinstance(before, Mapping) else {}), **(given or {})}
            metadata = {**(metadata or {}), name: check(found, name) if strict else fit(found)}
    return metadata


def _value(value: object) -> str | None:
    return None if value is None else word(text_of_value(value), MAX_TAG_CHARS) or ""
