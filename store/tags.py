"""Tags and links of a task: `branch=main`, by which people find tasks, and named addresses such as a pull request.

A task gets them at its creation, as the objects `tags` and `links` of its metadata, and later from events. Functions
named `check_…` raise InvalidEvent. Functions named `readable_…` leave out what breaks a rule, and never raise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from signalbox.store.errors import InvalidEvent

MAX_TAGS, MAX_LINKS = 50, 20
"""Maximum number of tags and of links of one task."""

MAX_NAME_CHARS, MAX_TAG_CHARS, MAX_URL_CHARS = 64, 200, 2000
"""Maximum characters of a name, of a tag's value, and of a link's address."""

Changes = dict[str, str | None]
"""New values by name. None removes the name."""

_CHAR = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
NAME_PATTERN = rf"^[^=\s{_CHAR}](?:[^={_CHAR}]{{0,62}}[^=\s{_CHAR}])?$"
VALUE_PATTERN = rf"^[^\s{_CHAR}](?:[^{_CHAR}]{{0,198}}[^\s{_CHAR}])?$"
TAG_PATTERN = f"{NAME_PATTERN[:-1]}={VALUE_PATTERN[1:]}"
URL_PATTERN = r"^https?://[^\u0000-\u0020\u007f-\u009f<>\"\\\u2028\u2029]{1,1900}$"
"""Patterns for JSON Schemas. They only document; the functions below check."""

_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_URL = re.compile(r"https?://[^\x00-\x20\x7f-\x9f<>\"\\\u2028\u2029\ud800-\udfff]+", re.IGNORECASE)


def check_tags(tags: object, field: str = "tags", *, removing: bool = False) -> Changes:
    """Return tags by name, with numbers and booleans as text. `removing` allows None, which removes a tag."""
    return _checked(tags, field, _tag_fault, MAX_TAGS, removing)


def check_links(links: object, field: str = "links", *, removing: bool = False) -> Changes:
    """Return links by name. `removing` allows None, which removes a link."""
    return _checked(links, field, _link_fault, MAX_LINKS, removing)


def check_metadata(metadata: Mapping[str, Any] | None) -> None:
    """Check the tags and links of a task's metadata. A `tags` or `links` that is no object is ordinary metadata."""
    for name, check in (("tags", check_tags), ("links", check_links)):
        found = (metadata or {}).get(name)
        if isinstance(found, Mapping):
            check(found, f"metadata.{name}")


def readable_tags(value: object) -> Changes:
    """Return the valid tags in a free-form value, at most MAX_TAGS."""
    return _readable(value, _tag_fault, MAX_TAGS)


def readable_links(value: object) -> Changes:
    """Return the valid links in a free-form value, at most MAX_LINKS."""
    return _readable(value, _link_fault, MAX_LINKS)


def merged(values: Changes, changes: Changes, limit: int) -> dict[str, str]:
    """Return the values after `changes`. New names over the limit are left out."""
    found = {name: value for name, value in values.items() if value is not None}
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        elif name in found or len(found) < limit:
            found[name] = value
    return found


def tag_of(text: str, field: str = "tag") -> tuple[str, str]:
    """Parse a tag `NAME=VALUE`, as in an address or an option."""
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals:
        raise InvalidEvent(f"{field} must be NAME=VALUE, such as branch=main, not {text[:80]!r}", field)
    check_tags({name: value}, field)
    return name, value


def link_of(text: str, field: str = "link") -> tuple[str, str]:
    """Parse a link `NAME=URL`, as in an option."""
    name, equals, url = text.partition("=")
    name, url = name.strip(), url.strip()
    if not equals:
        raise InvalidEvent(f"{field} must be NAME=URL, such as docs=https://example.org, not {text[:80]!r}", field)
    check_links({name: url}, field)
    return name, url


def text_of_value(value: object) -> object:
    """Return a number or a boolean as the text that a tag stores; any other value unchanged."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    # Python refuses to write an integer of thousands of digits.
    if isinstance(value, int) and abs(value) < 10**MAX_TAG_CHARS:
        return str(value)
    return value


def _checked(
    values: object, field: str, fault_of: Callable[[str, object], str | None], limit: int, removing: bool
) -> Changes:
    if not isinstance(values, Mapping):
        raise InvalidEvent(f"{field} must be an object of texts, not {type(values).__name__}", field)
    if len(values) > limit:
        raise InvalidEvent(f"{field} may have at most {limit} names, not {len(values)}", field)
    found: Changes = {}
    for name, given in values.items():
        value = text_of_value(given)
        fault = _name_fault(name) or (None if value is None and removing else fault_of(name, value))
        if fault:
            raise InvalidEvent(f"{field}: {fault}", field)
        found[name] = value  # type: ignore[assignment]  # `fault_of` accepts only text
    return found


def _readable(values: object, fault_of: Callable[[str, object], str | None], limit: int) -> Changes:
    found: Changes = {}
    for name, given in values.items() if isinstance(values, Mapping) else ():
        value = text_of_value(given)
        if len(found) < limit and not _name_fault(name) and (value is None or not fault_of(name, value)):
            found[name] = value  # type: ignore[assignment]
    return found


def _name_fault(name: object) -> str | None:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
        length = f", not {len(name)}" if isinstance(name, str) else ""
        return f"a name must have 1 to {MAX_NAME_CHARS} characters{length}"
    if not _LINE.fullmatch(name) or "=" in name or name != name.strip():
        return f"the name {name!r} must be one line without = and without spaces at its ends"
    return None


def _tag_fault(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f"the value of {name!r} must be text, not {type(value).__name__}"
    if not 0 < len(value) <= MAX_TAG_CHARS:
        return f"the value of {name!r} must have 1 to {MAX_TAG_CHARS} characters, not {len(value)}"
    if not _LINE.fullmatch(value) or value != value.strip():
        return f"the value of {name!r} must be one line without spaces at its ends"
    return None


def _link_fault(name: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f"the address of {name!r} must be text, not {type(value).__name__}"
    if len(value) > MAX_URL_CHARS:
        return f"the address of {name!r} must have at most {MAX_URL_CHARS} characters, not {len(value)}"
    if not _URL.fullmatch(value):
        return f"the address of {name!r} must begin with http:// or https:// and have no spaces, not {value[:80]!r}"
    return None
