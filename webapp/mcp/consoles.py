"""Makes the console of each caller: of a server at a URL, or of an app in this process."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.requests import Request

from signalbox.store.redaction.rules import Redaction
from signalbox.webapp.mcp.console import Console, ReportProgress
from signalbox.webapp.mcp.in_process import InProcess
from signalbox.webapp.mcp.protocol import MakeConsole
from signalbox.webapp.mcp.texts import Texts

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def of_server(url: str, token: str | None, redaction: Redaction) -> MakeConsole:
    """Return the consoles of the server at `url`. The token of a caller takes precedence over `token`."""
    client = httpx.AsyncClient(
        base_url=url.rstrip("/"),
        headers={"Authorization": f"Bearer {token}"} if token else {},
        # A proxy from the environment cannot reach this machine's loopback address.
        trust_env=httpx.URL(url).host not in LOOPBACK,
    )
    texts = Texts(redaction)

    def make(request: Request | None, report: ReportProgress) -> Console:
        return Console(client, texts, report, _authorization(request))

    return make


def of_app(app: Any, redaction: Redaction, *, root_path: str = "") -> MakeConsole:
    """Return the consoles of an ASGI app of this process, which sees the host name and address of the caller."""
    texts = Texts(redaction)

    def make(request: Request | None, report: ReportProgress) -> Console:
        address = request.client if request is not None else None
        client = httpx.AsyncClient(
            transport=InProcess(app, (address.host, address.port) if address else None),
            base_url=f"http://localhost{root_path}",
            trust_env=False,
        )
        host = {"Host": request.headers["host"]} if request is not None and "host" in request.headers else {}
        return Console(client, texts, report, {**host, **_authorization(request)})

    return make


def _authorization(request: Request | None) -> dict[str, str]:
    given = request.headers.get("authorization") if request is not None else None
    return {"Authorization": given} if given else {}
