"""The requests that send the records of a spool."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import httpx
import msgspec

from signalbox.store.errors import StoreError, StoreUnavailable
from signalbox.store.events import Event
from signalbox.store.remote.connection import Connection
from signalbox.store.remote.errors import error_of, is_signalbox_error
from signalbox.store.remote.responses import NotSignalbox, decoded, identity_option, path_of, task_in
from signalbox.store.spool.records import Dropped, Record, notice_event
from signalbox.store.spool.sender import ServerFault

INTERNAL_ERROR, TOO_LARGE = 500, 413

FOREIGN_PAUSE_S = 5.0
"""Seconds before the next request after an answer that did not come from a Signalbox server."""


def send_records(connection: Connection, records: Sequence[Record]) -> None:
    """Send records of one task that may share a request, and check that the server has stored them.

    Raises StoreUnavailable for every answer that is not one of a Signalbox server: a proxy or a login page of a network
    may have given it, and the records must not be lost for that. The errors are those of `store.spool.sender.Send`.
    """
    first = records[0]
    try:
        if first.kind == "task":
            task_in(_post(connection, "/api/tasks", None, _json(first.body)))
        elif first.kind == "artifact":
            _send_artifact(connection, first)
        elif first.kind == "hook":
            _send_hook_call(connection, first)
        else:
            body = b"[" + b",".join(map(_event_json, records)) + b"]"
            options = _json(body) | identity_option(first.identity)
            response = _post(connection, f"{path_of(first.task_id)}/events", first.task_id, options)
            if len(decoded(response, list[Event])) != len(records):
                raise StoreUnavailable("the server's answer does not fit the request", FOREIGN_PAUSE_S)
    except NotSignalbox as error:
        raise StoreUnavailable(str(error), FOREIGN_PAUSE_S) from error


def _event_json(record: Record) -> bytes:
    if record.kind == "notice":
        return msgspec.json.encode(notice_event(msgspec.json.decode(record.body, type=Dropped)))
    return record.body


def _send_artifact(connection: Connection, record: Record) -> None:
    line, _, content = record.body.partition(b"\n")
    header = msgspec.json.decode(line)
    options = {
        "params": header["params"] | ({"identity": record.identity} if record.identity else {}),
        "headers": {"Content-Type": header["type"]},
        "content": content,
    }
    decoded(_post(connection, f"{path_of(record.task_id)}/artifacts", record.task_id, options), Event)


def _send_hook_call(connection: Connection, record: Record) -> None:
    line, _, body = record.body.partition(b"\n")
    header = msgspec.json.decode(line, type=dict[str, str])
    path = f"/api/hooks/{quote(header['agent'])}?{header['query']}&kept=1"
    decoded(_post(connection, path, None, _json(body)), dict)


def _json(body: bytes) -> dict[str, object]:
    return {"content": body, "headers": {"Content-Type": "application/json"}}


def _post(connection: Connection, path: str, task_id: str | None, options: dict[str, object]) -> httpx.Response:
    response = connection.response("POST", path, **options)
    if response.is_success:
        return response
    error: StoreError = error_of(response, task_id)
    if not error.retryable and not is_signalbox_error(response) and response.status_code != TOO_LARGE:
        raise StoreUnavailable(str(error), FOREIGN_PAUSE_S)
    if response.status_code == INTERNAL_ERROR and is_signalbox_error(response):
        raise ServerFault(str(error), 0)
    raise error
