"""Permission requests of a run and messages to it are read in pieces, because each may have 256 KiB of JSON."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from signalbox.store import NewEvent
from signalbox.store.sqlite.views import View
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings

LONG = "x" * 200_000


def request(number: int) -> NewEvent:
    return NewEvent(event_type="permission_request", payload={"request_id": f"r{number}", "arguments": LONG})


def message(number: int) -> NewEvent:
    return NewEvent(event_type="message_sent", actor="user", payload={"text": f"t{number}", "data": LONG, "by": "ada"})


@pytest.mark.parametrize("kind", ["permissions", "messages"])
async def test_a_page_of_long_values_reads_few_of_them(url: str, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    read, read_bytes = getattr(View, kind), 0

    async def count(self: View, *given: Any, **named: Any) -> Any:
        nonlocal read_bytes
        found = await read(self, *given, **named)
        read_bytes += len(msgspec.json.encode(found))
        return found

    monkeypatch.setattr(View, kind, count)
    app = create_app(Settings(store=url))
    async with app.test_app():
        for first in range(0, 80, 20):
            new = [(request if kind == "permissions" else message)(first + number) for number in range(20)]
            await app.extensions["store"].aappend("run", new, own=True)
        client, path, found, sizes = app.test_client(), f"/api/tasks/run/{kind}?limit=1000", list[str](), []
        while path:
            read_bytes = 0
            response = await client.get(path)
            found += [one.get("request_id") or one["text"] for one in await response.get_json()]
            sizes.append(read_bytes)
            path = response.headers.get("Link", "").partition(">")[0][1:]
    assert [one[1:] for one in found] == [str(number) for number in range(80)]
    assert max(sizes) < 12_500_000
