"""Delivery of responses: compression, and caching of static files by content."""

from __future__ import annotations

import re
import sys

import httpx
import pytest

from tests.support.server import Server

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_pages_and_json_are_compressed_for_clients_that_accept_it(server: Server, encoding: str) -> None:
    server.emit("packed", *["the same words again and again"] * 200)
    server.emit("long", "a long message " * 15_000)
    for path in ("/tasks/packed", "/api/tasks/packed/events", "/api/tasks/long/events"):
        plain = server.get(path, headers={"Accept-Encoding": "identity"})
        packed = server.get(path, headers={"Accept-Encoding": encoding})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == encoding
        assert "Accept-Encoding" in packed.headers["vary"]
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
        if encoding == "gzip":
            assert without_clock(packed.content) == without_clock(plain.content)
        else:
            with httpx.stream("GET", f"{server.url}{path}", headers={"Accept-Encoding": encoding}) as response:
                unpacked = zstd.decompress(b"".join(response.iter_raw()))
            assert without_clock(unpacked) == without_clock(plain.content)


def without_clock(content: bytes) -> bytes:
    """Return a response without the time of the server, which differs between two responses."""
    return re.sub(rb'(?<=<meta name="server-time" content=")[^"]+', b"", content)


def test_versioned_static_files_are_immutable(server: Server) -> None:
    page = server.get("/tasks").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert addresses
    for address in addresses:
        response = server.get(address)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        again = server.get(address, headers={"If-None-Match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        unversioned = server.get(address.partition("?")[0])
        assert unversioned.headers["cache-control"] == "no-cache"


def test_a_static_path_cannot_leave_its_folder(server: Server) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/css/"):
        assert server.get(path).status_code == 404
