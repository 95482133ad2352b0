"""All DOM ids. Pages, frames and tests use the same functions, so they mean the same element.

A run chooses its own names, so an id with a name must differ from every other id. A fixed id has no underscore. An id
with a name has an underscore where the name alone does not tell it from the others: `task_list` is the row of the task
`list`, and `task-list` is the list.
"""

from __future__ import annotations

import re

from signalbox.webapp.views.task_parts import (
    ARTIFACTS as ARTIFACTS,
)
from signalbox.webapp.views.task_parts import (
    CHECKPOINTS as CHECKPOINTS,
)
from signalbox.webapp.views.task_parts import (
    FAILURE as FAILURE,
)
from signalbox.webapp.views.task_parts import (
    LOG_ALIVE as LOG_ALIVE,
)
from signalbox.webapp.views.task_parts import (
    LOG_HEAD as LOG_HEAD,
)
from signalbox.webapp.views.task_parts import (
    MESSAGES as MESSAGES,
)
from signalbox.webapp.views.task_parts import (
    PAGE_META as PAGE_META,
)
from signalbox.webapp.views.task_parts import (
    PERMISSIONS as PERMISSIONS,
)
from signalbox.webapp.views.task_parts import (
    SPANS as SPANS,
)
from signalbox.webapp.views.task_parts import (
    TASK_HEADER as TASK_HEADER,
)
from signalbox.webapp.views.task_parts import (
    TRACK as TRACK,
)

MESSAGE_FORM = "message-form"
TASK_FLAGS = "task-flags"
LOG_OLDER = "log-older"
LOG_NEWER = "log-newer"
LOG_ROWS = "log-rows"
LOG_UNFINISHED = "log-unfinished"
INBOX = "inbox"
ARTIFACT_LIST = "artifact-list"
KIND = "kind"
KINDS = "kinds"
KIND_FILTERS = "kind-filters"
COMPARISON = "comparison"
FIRST_DIFFERENCE = "first-difference"
COMPARED_OUTPUT = "compared-output"
TASK_LIST = "task-list"
TASK_LIST_STATE = "task-list-state"
WATERFALL = "waterfall"
TASK_ROWS = "task-rows"
STAND = "stand"
TIME_TRAVEL = "time-travel"
STORY = "story"
SPAN = "span"
SPANS_TABLE = "spans-table"
FLAME = "flame"
CHECKPOINT = "checkpoint"
LOG_PLACE = "log-place"
LOG_NOTE = "log-note"
LOG_WINDOW = "log-window"
LOG_FOUND = "log-found"
LOG_HITS = "log-hits"
CONVERSATION = "conversation"
CONVERSATION_USAGE = "conversation-usage"
TURNS = "turns"

_UNSAFE = re.compile(r"[^A-Za-z0-9-]")


def event(seq: int) -> str:
    """Return the row of an event in the log."""
    return f"e{seq}"


def task(task_id: str) -> str:
    """Return the row of a task in the list."""
    return "task_" + _safe(task_id)


def tile(task_id: str) -> str:
    """Return the tile of a task among others that are watched."""
    return "tile-" + _safe(task_id)


def tile_row(task_id: str) -> str:
    """Return the id of an event in the tile of a task, without the number of the event at its end."""
    return tile(task_id) + "_"


def span(span_id: str) -> str:
    """Return the line of a span."""
    return "span-" + _safe(span_id)


def turn(name: str) -> str:
    """Return a block of a conversation."""
    return "turn-" + _safe(name)


def span_group(key: str) -> str:
    """Return the row of a group of similar spans in the waterfall."""
    return "group-" + _safe(key)


def permission(task_id: str, request_id: str) -> str:
    """Return the card of a permission request."""
    return "permission-" + _safe(f"{task_id}/{request_id}")  # a task id has no slash


def of_card(card: str, part: str) -> str:
    """Return a part of the card of a permission request. `card` is the id of the card."""
    return f"{card}_{part}"


def answer_field(card: str, name: str) -> str:
    """Return the field of an answer's form. `card` is that of its request."""
    return f"{card}_field_{_safe(name)}"


def checkpoint(checkpoint_id: str) -> str:
    """Return the entry of a checkpoint."""
    return "checkpoint-" + _safe(checkpoint_id)


def _safe(name: str) -> str:
    # Two names never share an id, and no id needs escaping in a selector. Underscores come in pairs around digits.
    return _UNSAFE.sub(lambda found: f"_{ord(found[0]):x}_", name)
