"""The content of an artifact as a response that cannot harm the site, whatever the file contains."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from quart import Response

from signalbox.store import NotFound, Store, StoreDamaged
from signalbox.store.artifacts import UNKNOWN_TYPE, ArtifactContent
from signalbox.store.state import Artifact
from signalbox.webapp.http.begun import begun

SAFE_POLICY = "default-src 'none'; sandbox"
"""For content that is shown alone: no scripts, no requests, no access to the site."""

HTML_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)
"""For HTML, which the page of the artifact shows in a frame."""

_INLINE = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})


async def artifact_response(
    store: Store, task_id: str, artifact: Artifact, stored: bool, *, download: bool
) -> Response:
    """Return the content, piece by piece. Without `download`, types that a browser shows safely are shown.

    Raises NotFound if the content is not `stored`.
    """
    if not stored:
        raise NotFound(f"the content of {artifact.name} is not in this store: it belongs to an imported log")
    pieces = await begun(_pieces(store, task_id, artifact))
    response = Response(pieces, content_type=UNKNOWN_TYPE if download else _type(artifact))
    response.timeout = None
    headers = response.headers
    headers["Content-Length"] = str(artifact.size)
    headers["Content-Security-Policy"] = SAFE_POLICY
    kind = artifact.content_type
    if kind == "text/html" and not download:
        headers["Content-Security-Policy"] = HTML_POLICY
        headers["X-Frame-Options"] = "SAMEORIGIN"
    inline = not download and (kind in _INLINE or kind.startswith("text/"))
    headers["Content-Disposition"] = f"{'inline' if inline else 'attachment'}; {_filename(artifact.name)}"
    return response


async def _pieces(store: Store, task_id: str, artifact: Artifact) -> AsyncIterator[bytes]:
    for number in range(ArtifactContent(artifact.sha256, artifact.size).pieces):
        # A view for each piece, so that a slow client holds no connection.
        async with store.glance() as view:
            piece = await view.content_piece(task_id, artifact.sha256, number)
        if piece is None:
            raise StoreDamaged(f"a piece of the artifact {artifact.name} is missing")
        yield piece


def _type(artifact: Artifact) -> str:
    """Return the type to declare. Text is UTF-8, and only HTML and images are declared as what they are."""
    kind = artifact.content_type
    if kind == "text/html":
        return "text/html; charset=utf-8"
    if kind.startswith("text/"):
        return "text/plain; charset=utf-8"
    return kind if kind in _INLINE or kind == "image/svg+xml" else UNKNOWN_TYPE


def _filename(name: str) -> str:
    """Return the parameters of Content-Disposition (RFC 6266): the last part of the name, also for old clients."""
    last = name.replace("\\", "/").rpartition("/")[2] or "artifact"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in last)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(last, safe='')}"
