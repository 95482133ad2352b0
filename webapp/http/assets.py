"""Static files. Each address contains a hash of the content, so that browsers can cache it forever.

To keep the number of requests of a first visit small, the style sheets are one file, a module is served together with
its imports, and icons are inlined into the page.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import msgspec

from signalbox.webapp.http.bundling import bundle, without_comments

ROOT = Path(__file__).parent.parent / "static"
BUNDLES = {
    "css/app.css": ("css/app.css", "css/*.css", "css/rows/*.css"),
    "css/pages/spans.css": ("css/pages/spans.css", "css/pages/spans/*.css"),
    "vendor/htmx.js": ("vendor/htmx.min.js", "vendor/hx-sse.min.js"),
}
"""Addresses of concatenated files: first the named files, then those of the patterns by path, each once."""

TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Asset(msgspec.Struct, frozen=True):
    """A static file as it is served."""

    body: bytes
    packed: bytes
    content_type: str
    version: str


@cache
def load(path: str) -> Asset:
    """Return the file at `path` below `static/`. Raises KeyError."""
    body = _body(path)
    suffix = Path(path).suffix
    content_type = TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Asset(body, gzip.compress(body, mtime=0), content_type, hashlib.sha256(body).hexdigest()[:12])


def _body(path: str) -> bytes:
    if path in BUNDLES:
        whole = b"\n".join(file.read_bytes() for file in _parts(BUNDLES[path]))
        # Vendored files are served as they are.
        return whole if path.startswith("vendor/") else without_comments(whole.decode()).encode()
    file = _files()[path]
    if path.startswith("js/"):
        bundled = bundle(file, lambda name: asset(f"js/{name}").replace("/static/js/", "./"))
        return without_comments(bundled).encode()
    return file.read_bytes()


def _parts(patterns: Sequence[str]) -> Iterable[Path]:
    named = [ROOT / pattern for pattern in patterns if "*" not in pattern]
    others = sorted(file for pattern in patterns if "*" in pattern for file in ROOT.glob(pattern))
    return dict.fromkeys([*named, *others])


@cache
def _files() -> dict[str, Path]:
    return {file.relative_to(ROOT).as_posix(): file for file in ROOT.rglob("*") if file.is_file()}


def asset(path: str) -> str:
    """Return the address of the file at `path` below `static/`."""
    return f"/static/{path}?v={load(path).version}"


def inlined(path: str) -> str:
    """Return the file as a `data:` address, for small pictures."""
    found = load(path)
    return f"data:{found.content_type},{quote(found.body)}"
