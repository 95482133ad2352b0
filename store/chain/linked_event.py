"""An event of an export, with its link."""

from __future__ import annotations

import msgspec

from signalbox.store.events import Event


class LinkedEvent(Event, frozen=True, dict=True):
    """An event with its link, 64 hexadecimal digits. `link` is absent if the event has none.

    `redacted` is true if the event was changed after it was linked, to hide secrets.
    """

    link: str | msgspec.UnsetType = msgspec.UNSET
    redacted: bool | msgspec.UnsetType = msgspec.UNSET


def linked(event: Event, link: bytes | None, *, redacted: bool = False) -> LinkedEvent:
    """Return the event with its link."""
    fields = {name: getattr(event, name) for name in Event.__struct_fields__}
    return LinkedEvent(
        **fields,
        link=link.hex() if link is not None else msgspec.UNSET,
        redacted=True if redacted and link is not None else msgspec.UNSET,
    )


def link_in(event: Event) -> bytes | None:
    """Return the link of an event, or None. Raises ValueError if it is not 64 hexadecimal digits."""
    if not isinstance(event, LinkedEvent) or event.link is msgspec.UNSET:
        return None
    link = bytes.fromhex(event.link)
    if len(link) != 32:
        raise ValueError(f"a link has 64 hexadecimal digits, not {len(event.link)}")
    return link


def is_redacted(event: Event) -> bool:
    """Return whether an export says that this event was redacted."""
    return isinstance(event, LinkedEvent) and event.redacted is True
