"""Reads and writes JSON with msgspec. Errors name the field that is wrong."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast

import msgspec
from quart import Response, request

from signalbox.webapp.http.bad_request import BadRequest
from signalbox.webapp.http.json_density import check_density
from signalbox.webapp.http.refusals import UnsupportedMediaType

T = TypeVar("T")
_JSON = re.compile(r"(?:application|text)/(?:[\w.+-]+\+)?json|application/x-www-form-urlencoded")
"""Content types of a JSON body. The type of a form is accepted because `curl -d` sends it by default."""
_encoder = msgspec.json.Encoder()


def json_response(value: object, status: int = 200) -> Response:
    """Return `value` as a JSON response."""
    return Response(_encoder.encode(value), status, content_type="application/json")


async def body_as(kind: type[T] | Any, *, required: bool = True) -> Any:
    """Return the request's JSON body as `kind`; None if it is empty and not `required`.

    Raises BadRequest, which names the field, and UnsupportedMediaType.
    """
    data = cast(bytes, await request.get_data(cache=False, as_text=False))
    if not data and not required:
        return None
    if request.mimetype and not _JSON.fullmatch(request.mimetype):
        raise UnsupportedMediaType(request.mimetype)
    if not data:
        raise BadRequest("the body must be JSON; it is empty")
    check_density(data)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        message, field = _named(str(error))
        raise BadRequest(message, field) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None


def _named(text: str) -> tuple[str, str | None]:
    """Return msgspec's message in plain words, and the field that it names: `… - at `$[0].phase`` → `phase`."""
    message, _, path = text.partition(" - at `$")
    path = path.rstrip("`")
    names = re.findall(r"\.([A-Za-z_]\w*)", path)
    missing = re.search(r"missing required field `(\w+)`", message)
    unknown = re.search(r"unknown field `([^`]+)`", message)
    field = missing.group(1) if missing else unknown.group(1) if unknown else names[-1] if names else None
    where = f"{path.lstrip('.')}: " if path else ""
    return f"{where}{message}".replace("`", "'"), field
