"""Security headers of every response, and checks of every request: its host, and no cross-site posts."""

from __future__ import annotations

from quart import Quart, Response, request, websocket
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.exceptions import NotFound

from signalbox.webapp.http.otlp_status import is_otlp
from signalbox.webapp.http.refusals import CrossSite, WrongHost
from signalbox.webapp.http.return_path import split_url
from signalbox.webapp.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = ("/healthz", "/readyz")
"""Paths that are answered under every host name, because an orchestrator asks by address. They show nothing private."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: Quart, settings: Settings) -> None:
    """Register the checks of requests and the headers of responses."""
    allowed = {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
    if settings.loopback:
        allowed |= LOOPBACK_NAMES
    origins = {origin.strip().rstrip("/") for origin in settings.cors_origins.split(",") if origin.strip()}

    @app.before_request
    async def check_origin() -> Response | None:
        if is_at_otlp_port(request) and not is_otlp(request.path):
            raise NotFound
        check_host()
        refuse_cross_site()
        return preflight() if request.method == "OPTIONS" else None

    def is_at_otlp_port(asked: BaseRequestWebsocket) -> bool:
        server = asked.scope.get("server")
        return bool(settings.otlp_port and server and server[1] == settings.otlp_port)

    def check_host() -> None:
        # Against DNS rebinding: a hostile host name may resolve to this machine.
        if not allowed or _host_name(request.headers.get("Host", "")) in allowed or request.path in PROBES:
            return
        raise WrongHost

    @app.before_websocket
    async def check_socket() -> Response | None:
        # CORS does not apply to WebSockets: a browser lets any site open one, and only the server can refuse.
        host, origin = websocket.headers.get("Host", ""), websocket.headers.get("Origin")
        known = (not allowed or _host_name(host) in allowed) and not is_at_otlp_port(websocket)
        if known and (origin is None or origin in origins or split_url(origin).netloc == host):
            return None
        return Response("this server does not accept WebSockets from that site", 403, content_type="text/plain")

    def refuse_cross_site() -> None:
        if request.method in SAFE_METHODS:
            return
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site")
        if origin is not None and origin in origins:
            return
        # Sec-Fetch-Site comes first, because it is right even behind a proxy that changes the Host header.
        same_origin = origin is None or split_url(origin).netloc == request.headers.get("Host")
        if site in ("same-origin", "none") or (site is None and same_origin):
            return
        raise CrossSite

    def preflight() -> Response | None:
        return Response(status=204) if request.headers.get("Origin") in origins else None

    @app.after_request
    async def mark(response: Response) -> Response:
        headers = response.headers
        # Looking up an absent header of werkzeug costs an exception, so the names are collected once.
        present = {name.lower() for name, _ in headers}
        for name, value in HEADERS.items():
            if name.lower() not in present:
                headers.add(name, value)
        if "cache-control" not in present:
            private = request.path.startswith(("/api/", *PROBES))
            headers.add("Cache-Control", "no-store" if private else "no-cache")
        if not origins:
            return response
        headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in origins:
            headers["Access-Control-Allow-Origin"] = origin or ""
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Last-Event-ID"
            headers["Access-Control-Allow-Methods"] = "GET, POST"
            headers["Access-Control-Expose-Headers"] = "Retry-After"
        return response


def _host_name(host: str) -> str:
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
