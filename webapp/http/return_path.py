"""The way to the log-in page and back to where somebody wanted to go."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, unquote, urlsplit

from quart import request

from signalbox.webapp.http.root_path import at_root

HOME = "/tasks"


def is_navigation() -> bool:
    """Whether a person opens a page or sends a form: no script, no stream, no program."""
    if "HX-Request" in request.headers or "text/html" not in request.headers.get("Accept", ""):
        return False
    return request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def login_path() -> str:
    """The address of the log-in page that leads back here; from a form, to the page that it was on."""
    get = request.method == "GET"
    here = local(at_root(request.full_path.rstrip("?"))) if get else came_from(at_root(HOME))
    return at_root(f"/login?next={quote(here, safe='/')}")


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


def local(address: str | None, otherwise: str | None = None) -> str:
    """The address if it is a path of this server, else `otherwise`, which is the first page unless given."""
    text = address or ""
    # A browser takes a backslash for a slash, and drops tabs and line breaks: //host and /\host are other hosts.
    plain = text.startswith("/") and text.isprintable() and "\\" not in text and not text.startswith("//")
    if plain and _below(text.partition("?")[0], request.root_path):
        return text
    return at_root(HOME) if otherwise is None else otherwise


def _below(path: str, root: str) -> bool:
    """Whether a path is below `root`, also when a browser has taken its dot segments out."""
    if not root:
        return True
    segments = unquote(path.partition("#")[0]).split("/")
    return (path == root or path.startswith(f"{root}/")) and ".." not in segments
