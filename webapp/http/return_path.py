"""Addresses for the log-in: the log-in page, and the page to return to afterwards."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, unquote, urlsplit

from quart import request

from signalbox.webapp.http.root_path import at_root

HOME_PATH = "/tasks"


def is_navigation() -> bool:
    """Whether the request is a browser's navigation: a person opens a page or sends a form."""
    if "HX-Request" in request.headers or "text/html" not in request.headers.get("Accept", ""):
        return False
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def login_path() -> str:
    """Return the address of the log-in page that leads back here, or for a form to the page that contained it."""
    get = request.method == "GET"
    here = local_path(at_root(request.full_path.rstrip("?"))) if get else referring_path(at_root(HOME_PATH))
    return at_root(f"/login?next={quote(here, safe='/')}")


def referring_path(fallback: str) -> str:
    """Return the path of the page that contained the form, if it is on this server, else `fallback`.

    A form that its error page sends again names that page in the field `back`.
    """
    form = getattr(request, "received_form", None)
    if form and form.get("back"):
        return local_path(form["back"], fallback)
    referrer = split_url(request.referrer or "")
    return (
        local_path(f"{referrer.path}?{referrer.query}".rstrip("?"), fallback)
        if referrer.netloc == request.host
        else fallback
    )


def split_url(address: str) -> SplitResult:
    """Split an address from a caller. The parts are empty if it is not valid."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def local_path(address: str | None, fallback: str | None = None) -> str:
    """Return the address if it is a path of this server, else `fallback`, by default the first page."""
    text = address or ""
    # Browsers treat a backslash as a slash, and drop tabs and line breaks: //host and /\host lead to other hosts.
    plain = text.startswith("/") and text.isprintable() and "\\" not in text and not text.startswith("//")
    if plain and _is_below(text.partition("?")[0], request.root_path):
        return text
    return at_root(HOME_PATH) if fallback is None else fallback


def _is_below(path: str, root: str) -> bool:
    """Whether a path is below `root`, even after a browser has removed its dot segments."""
    if not root:
        return True
    segments = unquote(path.partition("#")[0]).split("/")
    return (path == root or path.startswith(f"{root}/")) and ".." not in segments
