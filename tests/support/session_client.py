"""A client of the session dialect, written only from its documentation: messages, ids and two POST requests."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from tests.support.waiting import wait_until


class SessionClient:
    """Watch a session in a separate thread, and reconnect whenever the stream breaks.

    `messages` holds all messages in order except heartbeats; `ids` holds their ids.
    """

    def __init__(self, url: str, session_id: str, *, since: str = "", token: str = "") -> None:
        self.url, self.session_id = url, session_id
        self.messages: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.heartbeats: list[dict[str, Any]] = []
        self.connects = 0
        self.refused: list[int] = []
        self._last_id = since
        self._parameters = {"token": token} if token else {}
        self._over = threading.Event()
        self._http = httpx.Client(base_url=url, timeout=60)
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> SessionClient:
        wait_until(lambda: self.heartbeats)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def wait_for(self, kind: str, condition: Callable[[dict[str, Any]], object] = lambda data: True) -> dict[str, Any]:
        """Wait for the first message of type `kind` whose data matches `condition`, and return it."""

        def found() -> list[dict[str, Any]]:
            return [message for message in self.messages if message["type"] == kind and condition(message["data"])]

        wait_until(found)
        return found()[0]

    def types(self) -> list[str]:
        """Return the types of the messages."""
        return [message["type"] for message in self.messages]

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        if self._response and not self._response.is_closed:
            with suppress(OSError):
                self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._http.close()

    def _watch(self) -> None:
        while not self._over.is_set():
            headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
            try:
                path = f"/api/sse/events/{self.session_id}"
                with self._http.stream("GET", path, headers=headers, params=self._parameters) as response:
                    if response.status_code == 200:
                        self.connects += 1
                        self._response = response
                        self._read(response)
                    else:
                        self.refused.append(response.status_code)
            except httpx.HTTPError:
                pass
            self._over.wait(0.05)

    def _read(self, response: httpx.Response) -> None:
        position, data = "", ""
        for line in response.iter_lines():
            if line.startswith("id: "):
                position = line[4:]
            elif line.startswith("data: "):
                data += line[6:]
            elif not line and data:
                self._take(position, json.loads(data))
                position, data = "", ""

    def _take(self, position: str, message: dict[str, Any]) -> None:
        assert message.keys() == {"type", "data", "timestamp"}
        self._last_id = position or self._last_id
        if message["type"] == "heartbeat":
            self.heartbeats.append(message)
        else:
            self.ids.append(position)
            self.messages.append(message | {"came": time.monotonic()})


def answer(url: str, session_id: str, approved: bool, **fields: Any) -> httpx.Response:
    """Answer a permission request of a session."""
    return httpx.post(f"{url}/api/sse/permission-response/{session_id}", json={"approved": approved, **fields})


def emit(url: str, session_id: str, event_type: str, **payload: Any) -> None:
    """Append an event to a session, as its run does."""
    body = {"event_type": event_type, "payload": payload}
    httpx.post(f"{url}/api/tasks/{session_id}/events", json=body).raise_for_status()
