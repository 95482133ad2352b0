"""The open permission requests of a run are read in pieces, because each may have 256 KiB of arguments."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import NewEvent
from signalbox.store.sqlite.views import View
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings


async def test_all_open_requests_are_listed_in_bounded_reads(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, read_bytes = View.permissions, 0

    async def count(self: View, *given: Any, **named: Any) -> Any:
        nonlocal read_bytes
        found = await read(self, *given, **named)
        read_bytes += sum(len(str(one.arguments)) for one in found)
        return found

    monkeypatch.setattr(View, "permissions", count)
    app = create_app(Settings(store=url))
    async with app.test_app():
        for first in range(0, 80, 20):
            payloads = [{"request_id": f"r{first + n}", "arguments": "x" * 200_000} for n in range(20)]
            asked = [NewEvent(event_type="permission_request", payload=payload) for payload in payloads]
            await app.extensions["store"].aappend("run", asked)
        client, path, found, sizes = app.test_client(), "/api/tasks/run/permissions?limit=1000", list[str](), []
        while path:
            read_bytes = 0
            response = await client.get(path)
            found += [one["request_id"] for one in await response.get_json()]
            sizes.append(read_bytes)
            path = response.headers.get("Link", "").partition(">")[0][1:]
    assert found == [f"r{n}" for n in range(80)]
    assert max(sizes) < 12_500_000
