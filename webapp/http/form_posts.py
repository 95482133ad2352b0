"""Forms that a page's script sends with fetch: `webapp/static/js/forms.js`.

Such a request has the header `HX-Request`. It gets the address of the next page in `HX-Location` instead of a redirect,
which fetch would follow. Its `Idempotency-Key` stays the same when the form is sent again.
"""

from __future__ import annotations

import re

from quart import Quart, Response, request

from signalbox.webapp.http.bad_request import BadRequest

KEY_HEADER = "Idempotency-Key"
_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}")


def sent_key(act_name: str) -> str | None:
    """Return the idempotency key of the event of this act, None if the request has none. Raises BadRequest."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise BadRequest(f"{KEY_HEADER} must be 8 to 100 characters of A-Z a-z 0-9 _ -", KEY_HEADER)
    return f"signalbox:sent:{act_name}:{key}"


def install(app: Quart) -> None:
    """Register the change of redirects."""

    @app.after_request
    async def without_redirect(response: Response) -> Response:
        if response.status_code != 303 or request.method != "POST" or "HX-Request" not in request.headers:
            return response
        target = response.headers.pop("Location")
        response.status_code = 204
        response.set_data(b"")
        response.headers.pop("Content-Type", None)
        response.headers.pop("Content-Length", None)
        response.headers["HX-Location"] = target
        return response
