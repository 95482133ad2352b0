"""The addresses of a payload viewer: of its page, and of the fragments that the page loads."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from markupsafe import Markup, escape

from signalbox.store.state import Task
from signalbox.webapp.views.addresses import of_task

MAX_POINTER_CHARS = 10_000
"""Maximum characters of a pointer in an address. A deeper or longer-named value has no address of its own."""


class PayloadAddress(NamedTuple):
    """The page of one event's payload, and a place inside the payload, as a JSON Pointer."""

    page: str
    pointer: str = ""

    @classmethod
    def of_event(cls, path: str, task: Task, seq: int, pointer: str = "") -> PayloadAddress:
        """Return the address for an event. `path` is that of its task."""
        return cls(of_task(f"{path}/events/{seq}/payload", task), pointer)

    def at(self, pointer: str) -> PayloadAddress:
        """Return the address of another place in the same payload."""
        return self._replace(pointer=pointer)

    def url(self, **parameters: str | int) -> str:
        """Return the page with these parameters; those that are empty or 0 are left out.

        It is the page of the whole payload if the place has no address.
        """
        pointer = self.pointer if self._has_address else ""
        given = {name: value for name, value in {"pointer": pointer, **parameters}.items() if value}
        return f"{self.page}&{urlencode(given)}" if given else self.page

    @property
    def _has_address(self) -> bool:
        return len(self.pointer) <= MAX_POINTER_CHARS

    def fields(self, **parameters: str) -> list[tuple[str, str]]:
        """Return the parameters of the page for a form, which leaves out those in the address that it leads to."""
        given = [*parse_qsl(self.page.partition("?")[2]), ("pointer", self.pointer), *parameters.items()]
        return [(name, value) for name, value in given if value]

    def piece(self, words: str, start: int = 0, view: str = "", *, on_opening: bool = False) -> Markup:
        """Return a link that loads the content from `start` on in its own place: when clicked, or when its fold opens.

        Without scripts it leads to a page with this content. If the place has no address, it leads to the raw payload.
        """
        if not self._has_address:
            return Markup('<a href="{}">Show the raw payload</a>').format(self.url(view="raw"))
        trigger = Markup(""" hx-trigger="click, toggle from:'closest details' once\"""") if on_opening else ""
        where: dict[str, str | int] = {"from": start, "view": view}
        return Markup('<a class="piece" href="{}" hx-get="{}"{} hx-swap="outerHTML">{}</a>').format(
            self.url(**where), self.url(part="piece", **where), trigger, words
        )


def slot(address: PayloadAddress, words: str = "Payload") -> Markup:
    """Return a link that the viewer of the address replaces when it is clicked."""
    return Markup(
        '<div class="payload-slot" data-volatile data-viewer="{}"><a href="{}" hx-get="{}"'
        ' hx-target="closest .payload-slot" hx-swap="outerHTML">{}</a></div>'
    ).format(address.url(), address.url(), address.url(part="payload"), escape(words))
