"""The way to the log-in page and back to where somebody wanted to go."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlsplit

from quart import request

HOME = "/tasks"


def is_navigation() -> bool:
    """Whether a person opens a page or sends a form: no script, no stream, no program."""
    if "HX-Request" in request.headers or "text/html" not in request.headers.get("Accept", ""):
        return False
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def login_path() -> str:
    """The address of the log-in page that leads back here; from a form, to the page that it was on."""
    here = local(request.full_path.rstrip("?")) if request.method == "GET" else came_from(HOME)
    return f"/login?next={quote(here, safe='/')}"


def came_from(otherwise: str) -> str:
    """The page of ours that a form was on, else the path `otherwise`."""
    came = parts_of(request.referrer or "")
    return local(f"{came.path}?{came.query}".rstrip("?"), otherwise) if came.netloc == request.host else otherwise


def parts_of(address: str) -> SplitResult:
    """The parts of an address that a caller names; none of one that cannot be read."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def local(address: str | None, otherwise: str = HOME) -> str:
    """The address if it is a path of this server, else `otherwise`."""
    text = address or ""
    # A browser takes a backslash for a slash, and drops tabs and line breaks: //host and /\host are other hosts.
    plain = text.startswith("/") and text.isprintable() and "\\" not in text and not text.startswith("//")
    return text if plain else otherwise
