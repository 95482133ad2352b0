"""Redaction on write: secrets are hidden before the store gets them, by the same rules as in exports.

The server does this for everything that arrives over HTTP if its setting `redact_writes` is on. An emitter in another
program does it with the variable `SIGNALBOX_REDACT_WRITES`, so that the secrets never leave that program.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from signalbox.store.events import NewEvent
from signalbox.store.redaction.rules import DEFAULT_RULES, InvalidRule, Redaction

RULES_VARIABLE, WRITES_VARIABLE = "SIGNALBOX_REDACT", "SIGNALBOX_REDACT_WRITES"

_VALUE_RULES = ("choices", "response_schema")
"""Keys of a permission request with the values that its answer may have. A changed one could not be answered."""


class WriteRedaction:
    """Hides secrets in new tasks and events by a list of rules; "" hides nothing. Raises InvalidRule."""

    def __init__(self, rules: str) -> None:
        self._redaction = Redaction(rules)
        self.active = bool(rules.strip())

    def events(self, events: Sequence[NewEvent]) -> list[NewEvent]:
        """Return these events with their payloads redacted."""
        return list(map(self.event, events)) if self.active else list(events)

    def event(self, event: NewEvent) -> NewEvent:
        """Return `event` with its payload redacted. Ids, phases and keys stay."""
        if not self.active or not event.payload:
            return event
        payload = self.value(event.payload)
        if event.event_type == "permission_request":
            payload |= {name: event.payload[name] for name in _VALUE_RULES if name in event.payload}
            if payload.get("arguments") != event.payload.get("arguments"):
                # The answer would have the hidden values, and the run would use them.
                payload.pop("editable", None)
        return event if payload == event.payload else msgspec.structs.replace(event, payload=payload)

    def value(self, value: Any) -> Any:
        """Return a JSON value redacted, such as the metadata of a task."""
        if not self.active or not self._may_hide(value):
            return value
        return self._redaction.value(value)

    def text(self, text: str | None) -> str | None:
        """Return a text redacted, such as the title of a task."""
        return self._redaction.text(text) if self.active and text else text

    def _may_hide(self, value: Any) -> bool:
        try:
            return self._redaction.may_hide(msgspec.json.encode(value))
        except (TypeError, ValueError, RecursionError):
            return True  # The store reports what it cannot hold.


@lru_cache(maxsize=8)
def write_redaction(rules: str) -> WriteRedaction:
    """Return the redaction by these rules. Raises InvalidRule."""
    return WriteRedaction(rules)


def write_redaction_of_environment(environ: Mapping[str, str] = os.environ) -> WriteRedaction:
    """Return the redaction that the variables of an emitting program ask for. Rules that are invalid are the default's.

    `SIGNALBOX_REDACT_WRITES` is `1`, `true` or `yes`; `SIGNALBOX_REDACT` has the rules, by default those of exports.
    """
    if environ.get(WRITES_VARIABLE, "").strip().lower() not in ("1", "true", "yes"):
        return write_redaction("")
    try:
        return write_redaction(environ.get(RULES_VARIABLE) or DEFAULT_RULES)
    except InvalidRule as error:
        logging.getLogger("signalbox").warning("%s: %s; the default rules are used", RULES_VARIABLE, error)
        return write_redaction(DEFAULT_RULES)
