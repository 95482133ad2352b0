"""Test the responses of OTLP when the server lacks a library, or its database."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.rpc.status_pb2 import Status

from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings
from tests.otlp.test_requests import span, traces

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClientProtocol]:
    app = create_app(Settings(store=f"sqlite:///{tmp_path / 'signalbox.db'}"))
    async with app.test_app() as running:
        yield running.test_client()


@pytest.mark.parametrize(("signal", "module"), [("traces", "trace"), ("logs", "logs")])
async def test_without_the_extra_protobuf_is_answered_501_and_json_works(
    client: TestClientProtocol, monkeypatch: pytest.MonkeyPatch, signal: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, f"opentelemetry.proto.{module}.v1.{module}_pb2", None)
    response = await client.post(f"/v1/{signal}", data=b"", headers=PROTOBUF)
    status = Status.FromString(await response.get_data(as_text=False))
    assert (response.status_code, status.code) == (501, 12)
    assert "signalbox-console[otlp]" in status.message
    assert "Retry-After" not in response.headers
    response = await client.post(f"/v1/{signal}", json={})
    assert (response.status_code, await response.get_json()) == (200, {})


async def test_a_lost_database_is_answered_503_so_that_exporters_try_again(
    client: TestClientProtocol, tmp_path: Path
) -> None:
    (tmp_path / "signalbox.db").unlink()
    response = await client.post("/v1/traces", json=traces(span("a1" * 16, 1)))
    assert (response.status_code, (await response.get_json())["code"]) == (503, 14)
    assert int(response.headers["Retry-After"]) >= 1


async def test_a_page_of_another_site_cannot_send_spans(client: TestClientProtocol) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    response = await client.post("/v1/traces", json=traces(span("a1" * 16, 1)), headers=headers)
    assert (response.status_code, (await response.get_json())["code"]) == (403, 7)
