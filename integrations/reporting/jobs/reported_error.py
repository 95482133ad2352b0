"""The error of a job or of a step, as fields of the event that ends it."""

from __future__ import annotations

import re
import traceback
from typing import Any, NamedTuple

from signalbox.integrations.reporting.snapshot import text_of

MAX_MESSAGE_CHARS = 4000
MAX_TRACEBACK_CHARS = 16_000
"""Characters of a traceback to keep. The end is kept, because it names the error."""

_LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")


class ReportedError(NamedTuple):
    """An error: its type without the module, its message, and the traceback if there is one."""

    code: str
    message: str
    traceback: str | None = None

    @classmethod
    def of(cls, error: BaseException, trace: str | None = None) -> ReportedError:
        """Return the failure of an exception. `trace` replaces its traceback, for example one of another process."""
        if trace is None and error.__traceback__ is not None:
            trace = "".join(traceback.format_exception(error))
        return cls(type(error).__name__, text_of(error) or type(error).__name__, trace)

    @classmethod
    def of_text(cls, trace: str | None, default: str = "Failed") -> ReportedError:
        """Return the failure that a traceback in text form describes."""
        lines = [line for line in (trace or "").splitlines() if line.strip()]
        if not lines:
            return cls(default, default)
        for number in range(len(lines) - 1, -1, -1):
            found = _LAST_LINE.match(lines[number])
            if found is not None and len(lines) > 1:
                message = "\n".join([found[2] or "", *lines[number + 1 :]]).strip()
                return cls(found[1].rpartition(".")[2], message or found[1], trace)
        return cls(default, lines[-1].strip(), trace if len(lines) > 1 else None)

    def fields(self) -> dict[str, Any]:
        """Return the fields of an event's payload."""
        trace = {"traceback": self.traceback[-MAX_TRACEBACK_CHARS:]} if self.traceback else {}
        return {"error_code": self.code[:200], "message": self.message[:MAX_MESSAGE_CHARS], **trace}
