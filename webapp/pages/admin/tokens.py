"""The tokens of all accounts and programs: creating and revoking them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as Redirect

from signalbox.store import Conflict, InvalidEvent
from signalbox.store.errors import NotFound
from signalbox.store.people import SCOPES, checked_scopes, digest_of
from signalbox.store.times import now
from signalbox.webapp.auth.access import needs
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import directory
from signalbox.webapp.auth.quota_guard import quotas
from signalbox.webapp.auth.secrets import new_token
from signalbox.webapp.current import store
from signalbox.webapp.http.refusal_table import refusal_of
from signalbox.webapp.http.root_path import at_root
from signalbox.webapp.pages.account import TOKEN_LIFETIMES
from signalbox.webapp.pages.admin.page import admin_page

blueprint = Blueprint("admin_tokens", __name__, url_prefix="/admin/tokens")


@blueprint.get("")
@needs("admin", everywhere=True)
async def index() -> Response:
    return await _page()


@blueprint.post("")
@needs("admin", everywhere=True)
async def create() -> Response:
    form = await request.form
    name, days = form.get("name", "").strip(), form.get("days", "")
    if not directory().guarded:
        raise Conflict("a first token turns the log-in on, and nobody could log in: invite an administrator first")
    secret = new_token()
    try:
        if days not in TOKEN_LIFETIMES:
            raise InvalidEvent(f"expires must be one of the offered times, not {days[:40]!r}", "days")
        await store().people.aadd_token(
            name,
            digest_of(secret),
            scopes=checked_scopes(form.getlist("scope")),
            project_id=form.get("project_id") or None,
            expires_at=_after(int(days)) if days else None,
            events_per_minute=_limit(form, "events_per_minute"),
            bytes_per_minute=_limit(form, "bytes_per_minute"),
            **await audit_arguments(),
        )
    except (InvalidEvent, NotFound) as error:
        return await _page(refusal_of(error).status, refused=f"The token was not created: {error}.", name=name)
    return await _page(201, secret=secret, secret_name=name)


@blueprint.post("/<token_id>/quota")
@needs("admin", everywhere=True)
async def set_quota(token_id: str) -> Response | Redirect:
    try:
        form = await request.form
        events, size = _limit(form, "events_per_minute"), _limit(form, "bytes_per_minute")
        await store().people.aset_quota(token_id, events, size, **await audit_arguments())
    except (InvalidEvent, NotFound) as error:
        return await _page(refusal_of(error).status, refused=f"The quota was not set: {error}.")
    await directory().changed()
    return redirect(at_root("/admin/tokens"), 303)


@blueprint.post("/<token_id>/revoke")
@needs("admin", everywhere=True)
async def revoke(token_id: str) -> Redirect:
    await store().people.arevoke_token(token_id, **await audit_arguments())
    await directory().changed()
    return redirect(at_root("/admin/tokens"), 303)


async def _page(status: int = 200, **messages: str) -> Response:
    people = store().people
    emails = {one.account_id: one.email for one in await people.accounts()}
    tokens = sorted(await people.tokens(), key=lambda token: token.created_at, reverse=True)
    return await admin_page(
        "tokens",
        "tokens",
        status,
        tokens=[(one, emails.get(one.account_id or "", ""), quotas().used(one)) for one in tokens],
        projects=[one.project_id for one in await people.projects()],
        scopes=SCOPES,
        lives=TOKEN_LIFETIMES,
        now=now(),
        **{"secret": "", "secret_name": "", "name": "", **messages},
    )


def _limit(form: Mapping[str, str], name: str) -> int | None:
    """Return a limit of a quota; an empty field means no limit. Raises InvalidEvent."""
    text = form.get(name, "").strip().replace(",", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 13):
        raise InvalidEvent(f"{name} must be a whole number, not {text[:40]!r}", name)
    return int(text) if text else None


def _after(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="microseconds").replace("+00:00", "Z")
