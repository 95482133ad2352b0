"""Requests that check the caller's rights again after their body was read.

A body may take long to arrive. Meanwhile the right can be revoked, or the task deleted and its id used again in another
project. All routes read bodies through this class, so none can forget the second check.
"""

from __future__ import annotations

from typing import Any

from quart import Request

from signalbox.webapp.auth.guard import check_again


class CheckedRequest(Request):
    """A request whose `get_data` and `form` raise NotLoggedIn, Forbidden or UnknownTask if the right is gone."""

    async def get_data(self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False) -> Any:
        data = await super().get_data(cache, as_text, parse_form_data)
        await check_again()
        return data

    @property
    async def form(self) -> Any:
        known = self._form is not None
        form = await super().form
        if not known:
            await check_again()
        return form
