"""The JSON API of a Signalbox, as the tools call it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import httpx
import msgspec
from mcp.server.mcpserver.exceptions import ToolError

from signalbox.store import InvalidEvent
from signalbox.store.identity import parse_reference
from signalbox.webapp.mcp.texts import Texts

T = TypeVar("T")
NO_HEADERS: Mapping[str, str] = {}
ReportProgress = Callable[[float, float, str], Awaitable[None]]

CONNECT_S = 10.0
"""Seconds in which the server must accept a connection."""

ANSWER_S = 36.0
"""Seconds in which it must answer, in addition to those that it is asked to wait. It takes 35 s itself at most."""

ADVICE = {
    401: "give a token: `signalbox mcp --token …`, SIGNALBOX_TOKEN, or the header Authorization",
    403: "this token does not have the right; its owner must ask for one",
    429: "wait and try again",
    503: "wait and try again",
}
"""What a caller can do about an error of this status."""


class Console:
    """One caller's view of a Signalbox. `client` has its address and its token, and `texts` shortens its answers.

    `headers` are added to its requests. `report_progress` takes the seconds of a wait, their maximum, and the state in
    words. Failures are raised as ToolError, whose message the agent reads.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        texts: Texts,
        report_progress: ReportProgress,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        self._client = client
        self._headers = headers
        self.texts = texts
        self.report_progress = report_progress

    async def get(self, path: str, kind: type[T], /, **parameters: Any) -> T:
        """Send a GET, without the parameters that are None or empty, and return the response as `kind`."""
        given = {name: value for name, value in parameters.items() if value is not None and value not in ("", [])}
        # `timeout` is how long the server is asked to wait for something.
        return self._decoded(await self._send("GET", path, wait=given.get("timeout", 0), params=given), kind)

    async def post(self, path: str, kind: type[T], /, body: dict[str, Any], identity: str | None = None) -> T:
        """Send a POST with the fields of `body` that are not None, and return the response as `kind`."""
        return self._decoded(await self._post(path, body, identity), kind)

    async def create(self, path: str, kind: type[T], /, body: dict[str, Any]) -> tuple[T, bool]:
        """Send a POST like `post`. The bool says whether the result is new."""
        response = await self._post(path, body, None)
        return self._decoded(response, kind), response.status_code == 201

    async def _post(self, path: str, body: dict[str, Any], identity: str | None) -> httpx.Response:
        fields = {name: value for name, value in body.items() if value is not None}
        return await self._send("POST", path, json=fields, params={"identity": identity} if identity else {})

    async def _send(self, method: str, path: str, *, wait: float = 0, **options: Any) -> httpx.Response:
        limits = httpx.Timeout(CONNECT_S, read=ANSWER_S + wait)
        try:
            response = await self._client.request(method, path, headers=dict(self._headers), timeout=limits, **options)
        except httpx.ReadTimeout:
            raise ToolError(
                f"the Signalbox at {self._client.base_url} accepted the request, but did not answer within"
                f" {ANSWER_S + wait:.0f} s: it is stopped or overloaded; look at its log"
            ) from None
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ToolError(f"the Signalbox at {self._client.base_url} does not answer ({reason})") from error
        if not response.is_success:
            raise ToolError(_message(response))
        return response

    def _decoded(self, response: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise ToolError(f"{self._client.base_url} is not a Signalbox of a version that this one knows") from error


class RunAddress(NamedTuple):
    """The address of a run in the API."""

    path: str
    identity: str | None


def run_at(text: str) -> RunAddress:
    """Return the address of the run that `text` names as `ID` or `ID@IDENTITY`. Raises ToolError."""
    try:
        task_id, identity = parse_reference(text, "task_id")
    except InvalidEvent as error:
        raise ToolError(str(error)) from None
    return RunAddress(f"/api/tasks/{task_id}", identity)


def _message(response: httpx.Response) -> str:
    try:
        error = response.json()["error"]
        message, code = str(error["message"]), str(error["code"])
    except (ValueError, KeyError, TypeError):
        message, code = response.text.strip()[:500] or "no reason was given", str(response.status_code)
    advice = ADVICE.get(response.status_code)
    return f"{message} ({code})" + (f"; {advice}" if advice else "")
