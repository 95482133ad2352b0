"""The rows of the log: one for each stored event. The same event always has the same row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape
from msgspec import UNSET, Raw
from msgspec.structs import replace

from signalbox.store import Event
from signalbox.store.chain.tombstones import is_tombstone
from signalbox.store.events import HEARTBEAT, KNOWN_EVENTS, OLDER_SPELLINGS, is_claim
from signalbox.store.reserved import sounds_like_a_person
from signalbox.store.sql.short_payloads import MAX_PAYLOAD_CHARS
from signalbox.store.state import Task
from signalbox.store.terminal_escapes import plain_json
from signalbox.webapp.drawing import ansi
from signalbox.webapp.drawing.excerpts import Excerpts
from signalbox.webapp.drawing.links import MAX_ROW_LINKS, linked, linked_html
from signalbox.webapp.drawing.log_groups import FIRST_LETTERS, marker_of
from signalbox.webapp.drawing.payload.address import PayloadAddress
from signalbox.webapp.drawing.row_tones import tone_of_event, tone_of_level
from signalbox.webapp.drawing.words import is_vouched
from signalbox.webapp.views.addresses import of_task
from signalbox.webapp.views.text import LONG, clean, compact, day_name, plural, size
from signalbox.webapp.views.time_zones import late_time

_MESSAGE = frozenset(("message", "explanation", "error_code"))
_ITEM = _MESSAGE | {"work_item_id", "work_type"}
_CHECKPOINT = _MESSAGE | {"checkpoint_id", "checkpoint_type"}
_TOOL = _MESSAGE | {"tool_name", "status"}
_SPAN = _MESSAGE | {"name", "work_type", "service"}
FOR_RETRIES = frozenset(("signature", "options"))
"""Keys of `runner_spawn` that are only needed for a retry. Rows do not show them; the JSON of the event has them."""

ORIGIN_OF_SPANS = frozenset(("span_kind", "trace_id", "trace_state", "resource", "scope", "started_at"))
"""Keys of spans that are the same for many of them, or shown in other words. Rows do not show them either."""

NOT_IN_ROWS = FOR_RETRIES | ORIGIN_OF_SPANS

SHOWN_KEYS: dict[str, frozenset[str]] = {
    "runner_spawn": _MESSAGE
    | {"command", "runner_pid", "runner_version", "cwd", "host", "commit_hash", "heartbeat_interval"}
    | FOR_RETRIES,
    "runner_exit": _MESSAGE | {"status", "exit_code"},
    "work_item_start": _ITEM,
    "work_item_progress": _ITEM | {"progress"},
    "work_item_complete": _ITEM,
    "work_item_failed": _ITEM,
    "checkpoint_commit": _CHECKPOINT | {"evidence_refs"},
    "checkpoint_verified": _CHECKPOINT,
    "checkpoint_invalid": _CHECKPOINT,
    "recovery_checkpoint_loaded": _CHECKPOINT,
    "evidence_collected": _MESSAGE | {"evidence_id", "evidence_type", "checkpoint_id"},
    "evidence_linked": _MESSAGE | {"evidence_id", "checkpoint_id"},
    "status": _MESSAGE | {"status"},
    "progress_update": _MESSAGE | {"progress"},
    "tool_status": _TOOL,
    "tool_result": _TOOL,
    "permission_request": _MESSAGE | {"tool_name", "arguments", "reason", "request_id"},
    "permission_response": _MESSAGE | {"approved", "by", "reason", "request_id", "value", "always"},
    "allowance_revoked": _MESSAGE | {"by", "tool_name"},
    "user_message": _MESSAGE | {"content"},
    "assistant_message": _MESSAGE | {"content"},
    "message_sent": _MESSAGE | {"by", "text"},
    "message_taken": frozenset({"message"}),
    "permission_cleared": _MESSAGE | {"by", "cause", "request_id"},
    "cancel_requested": _MESSAGE | {"by", "reason"},
    "retry_requested": _MESSAGE | {"by", "retry"},
    "span_start": _SPAN | ORIGIN_OF_SPANS,
    "span_end": _SPAN | ORIGIN_OF_SPANS | {"status"},
    "rule_applied": _MESSAGE | {"decision", "rule", "tool_name", "reason"},
    "notification": _MESSAGE,
    "session_continued": _MESSAGE | {"source"},
    "trace_complete": _MESSAGE | {"quiet"},
    "artifact_stored": _MESSAGE | {"name", "content_type", "size", "sha256"},
    "title_changed": _MESSAGE | {"by", "title"},
    "tags_changed": _MESSAGE | {"by", "tags"},
    "links_changed": _MESSAGE | {"by", "links"},
}
"""The payload keys that `events/_event_text.html` shows for each event type. The other keys are shown as JSON."""

_LOG_KEYS = frozenset(("message", "stream", "level", "logger", "exception", "at"))
_OPENING = frozenset(("phase_enter", "work_item_start", "tool_status"))
"""Events that begin a span. Their rows fold the rows of the span."""

_DAY = '<span class="day" data-volatile data-day="%s">%s</span>'
_LAST_ENDS = re.compile(r"(?<!\n)\n++(?=(?:</[a-z]+>)*$)")


_UNDRAWN = Raw(b'{"message":"this event cannot be shown"}')
_NO_DEPTHS: Mapping[str, int] = {}


class LogRows:
    """Renders rows. A template renders the words of an event; the rest is formatted here, which is faster."""

    def __init__(self, environment: Environment) -> None:
        words = environment.get_template("events/_event_text.html").module
        self._root = str(environment.globals.get("root", ""))
        self._erased = getattr(words, "erased")  # noqa: B009
        self._words = {kind: getattr(words, kind) for kind in (*KNOWN_EVENTS, "other") if kind != "log"}

    def render(self, events: Iterable[Event], task: Task | None, depths: Mapping[str, int] = _NO_DEPTHS) -> Markup:
        """Render `events` without white space between rows, because a live page appends and removes single rows.

        The first row of each day has its date. Each row links to the page of its event, except in an exported file,
        which has no `task`. `depths` has the depths of spans: see `views.span_depths`.
        """
        day, list_ = Days(), _List(self._root, task, depths)
        return Markup("".join([self._row(event, day.of(event), list_) for event in events]))

    def hits(
        self, events: Iterable[Event], path: str, task: Task, mark: str = "e", excerpts: Excerpts | None = None
    ) -> Markup:
        """Render events without their neighbours. The number of each event links to its place in the log.

        `mark` is the prefix of their DOM ids, so that a page can contain both these rows and the rows of the log.
        """
        day, list_ = Days(), _List(self._root, task, None, excerpts)
        rows = [self._row(event, day.of(event), list_, _address_in_log(path, event, task), mark) for event in events]
        return Markup("".join(rows))

    def _row(self, event: Event, day: str, list_: _List, place: str = "", mark: str = "e") -> str:
        try:
            return self._drawn(event, day, list_, place, mark)
        except Exception:  # An event that cannot be drawn affects no other row.
            bare = replace(event, event_type="log", payload_json=_UNDRAWN, phase=None, created_at=str(event.created_at))
            return self._drawn(bare, day, list_, place, mark)

    def _drawn(self, event: Event, day: str, list_: _List, place: str, mark: str) -> str:
        payload, seq, at, clock = event.payload, event.seq, event.created_at, event.created_at[11:23]
        group, message = "", payload.get("message")
        if event.event_type == "log" and isinstance(message, str) and not is_tombstone(payload):
            tone, words, shown = _log_line(payload, message)
            if message[:1] in FIRST_LETTERS and list_.folds and (marker := marker_of(message)):
                group, words = marker
        else:
            tone, words, shown = self._statement(event, payload)
            if list_.folds:
                group = ' data-event="opens"' if event.event_type in _OPENING else " data-event"
        phase = _word(event.phase) if event.phase else ""
        if "://" in words and shown is not _LOG_KEYS:
            words = linked_html(words)
        cut, actor = "", _actor(event.actor, is_vouched(event))
        if "\n" in words:
            cut, words = _lines(words, f"#{mark}{seq}")
        if event.cut_from:
            words = f"{self._cut(event, list_.task)}{words}"
        rest = _rest(payload, shown)
        if list_.excerpts:
            words = f"{list_.excerpts.before(event, words + rest)}{words}"
        # Rows are many, so they have their whole time in UTC from the start; `time_zones` replaces it for other zones.
        title = f' title="{at[:10]} {clock} UTC"'
        if event.occurred_at is not UNSET:
            (at, clock), title = _happened(event), ""
        return (
            f'<li id="{mark}{seq}" class="row{tone}">{day}{list_.turn(event, group)}'
            f'<time data-volatile datetime="{at}"{title}>{clock}</time><a class="seq" href="{place}#e{seq}">#{seq}</a>'
            f'<span class="phase">{phase}</span><span class="actor">{actor}</span>'
            f'<div class="said{cut}" dir="auto">{words}{rest}</div></li>'
        )

    def _cut(self, event: Event, task: Task | None) -> str:
        """Return the link to a payload too long for a row; htmx loads it in place. It comes before the text."""
        if task is None:
            return f'<span class="rest-whole">{size(event.cut_from)}, cut</span>'
        address = PayloadAddress.of_event(f"{self._root}/tasks/{event.task_id}", task, event.seq)
        return (
            f'<a class="rest-whole" data-volatile href="{escape(address.url())}"'
            f' hx-get="{escape(address.url(part="payload"))}" hx-swap="outerHTML"'
            f' title="Show the whole payload">{size(event.cut_from)}</a>'
        )

    def _statement(self, event: Event, payload: dict[str, Any]) -> tuple[str, str, frozenset[str]]:
        if is_tombstone(payload):
            return "", self._erased(event, payload), frozenset(payload)
        kind = OLDER_SPELLINGS.get(event.event_type, event.event_type)
        words = self._words.get(kind)
        if words is None:
            return "", self._words["other"](event, payload), frozenset()
        tone = "" if is_claim(event) else tone_of_event(kind, payload)
        return tone, words(event, payload), SHOWN_KEYS.get(kind, _MESSAGE)


class _List:
    """The list that rows are rendered for. `folds`: it has each row with its neighbours, so groups of rows can fold."""

    def __init__(
        self, root: str, task: Task | None, depths: Mapping[str, int] | None, excerpts: Excerpts | None = None
    ) -> None:
        self.excerpts = excerpts
        self.task = task
        self.folds = task is not None and depths is not None
        self._depths = depths or {}
        if task is not None:
            self._main_span_id = task.main_span_id
            self._path, self._page = f"{root}/tasks/{task.task_id}/events/", str(escape(of_task("/payload", task)))

    def turn(self, event: Event, group: str) -> str:
        """Return the link that opens a row. Without scripts it leads to the page of the event.

        `group` are the attributes for groups of rows; those of the row's span are added.
        """
        if self.task is None:
            return ""
        span_id, span = event.span_id, '"'
        if span_id != self._main_span_id and self.folds:
            span = _span(span_id, event.parent_span_id or "", self._depths.get(span_id, 0))
        address = f"{self._path}{event.seq}{self._page}"
        return f'<a class="turn{span} data-volatile{group} href="{address}" aria-label="Details"></a>'


@lru_cache(maxsize=1024)
def _span(span_id: str, parent: str, depth: int) -> str:
    """Return the end of the class of a link that opens a row, and the attributes of its span."""
    above = f' data-parent="{_word(parent)}"' if parent else ""
    return f'{f" depth-{depth}" if depth else ""}" data-span="{_word(span_id)}"{above}'


def _log_line(payload: dict[str, Any], message: str) -> tuple[str, str, frozenset[str]]:
    tone = tone_of_level(payload.get("level"))
    written = f' title="written {escape(clean(payload["at"][:64]))}"' if isinstance(payload.get("at"), str) else ""
    line = f"<code{written}>{ansi.render(message, MAX_ROW_LINKS)}</code>"
    if isinstance(logger := payload.get("logger"), str):
        line = f'<span class="logger">{escape(clean(logger[:64]))}</span>{line}'
    if payload.get("stream") == "stderr":
        return f"{tone} row--stderr", f'<span class="stream">stderr</span>{line}', _LOG_KEYS
    return tone, line, _LOG_KEYS


def _lines(words: str, place: str) -> tuple[str, str]:
    """Return the class and the words of a row. If the words have several lines, a link expands all but the first."""
    words = _LAST_ENDS.sub("", words)
    more = words.count("\n")
    if not more:
        return "", words
    link = f'<a class="more-lines" href="{place}">+{plural(more, "line")}</a>'
    return " said--more", f'<span class="lines">{words}</span> {link}'


class Days:
    """Marks the first row of each day in UTC. With scripts, the browser marks days in the viewer's time zone."""

    def __init__(self) -> None:
        self._day = ""

    def of(self, event: Event) -> str:
        """Return the mark of a row that is the first of its day, else an empty text."""
        day = event.created_at[:10]
        if day == self._day:
            return ""
        self._day = day
        return _DAY % (day, day_name(day))


def _rest(payload: dict[str, Any], shown: frozenset[str]) -> str:
    """Return the keys of `payload` that are not in `shown`, as JSON; folded if it is long."""
    if payload.keys() <= shown:
        return ""
    text = compact({key: value for key, value in payload.items() if key not in shown})
    json = linked(plain_json(text) or text, MAX_ROW_LINKS)
    if len(text) <= LONG:
        return f' <code class="rest">{json}</code>'
    return f' <details class="rest" data-volatile><summary>payload</summary><pre>{json}</pre></details>'


def _happened(event: Event) -> tuple[str, str]:
    """Return the `datetime` of a row and its text, for an event that happened before it was appended.

    Rows are grouped by the day of the append. `static/js/times.js` does the same in the zone of the viewer.
    """
    happened, appended = str(escape(event.happened_at)), event.created_at
    return f'{happened}" data-appended="{appended}', late_time(happened, appended)


def _address_in_log(path: str, event: Event, task: Task) -> str:
    """Return the address of an event in the log. The address of a heartbeat makes the log show heartbeats."""
    shown = "&heartbeats=1" if event.event_type == HEARTBEAT else ""
    return escape(of_task(f"{path}/log?around={event.seq}{shown}", task))


def is_whole(event: Event) -> bool:
    """Return whether the row of an event shows its whole payload: that of a line of output, unless it is shortened."""
    is_line = event.event_type == "log" and isinstance(event.payload.get("message"), str)
    return is_line and event.payload.keys() <= _LOG_KEYS and len(bytes(event.payload_json)) <= MAX_PAYLOAD_CHARS


def columns(events: Iterable[Event]) -> str:
    """Return the classes of `.log-columns`: those of the columns that have the same text in all rows.

    They hide these columns. `static/js/log-columns.js` does the same in the browser.
    """
    events = list(events)
    phases = {_word(event.phase) if event.phase else "" for event in events}
    actors = {_word(event.actor) for event in events}
    return f"{' one-phase' if len(phases) < 2 else ''}{' one-actor' if len(actors) < 2 else ''}"


@lru_cache(maxsize=256)
def _word(text: str) -> str:
    return str(escape(clean(text)))


@lru_cache(maxsize=256)
def _actor(text: str, vouched: bool) -> str:
    """Return an actor, in quotation marks if a log claims a name that only a person or the server has."""
    if vouched or not sounds_like_a_person(text):
        return _word(text)
    return f'<q title="what the log calls itself">{_word(text)}</q>'
