"""Compressed request bodies: supported codings are inflated up to the body limit, others are refused."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.support.people import PASSWORD, person
from tests.support.server import Server

BODY = json.dumps({"event_type": "log", "payload": {"message": "packed"}}).encode()


def gzipped(data: bytes) -> bytes:
    """Compress `data` without a timestamp, so that test ids with these bytes are the same in every pytest worker."""
    return gzip.compress(data, mtime=0)


def raw(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


def post(server: Server, path: str, data: bytes, coding: str, kind: str = "application/json") -> httpx.Response:
    headers = {"Content-Encoding": coding, "Content-Type": kind, "Accept": "application/json"}
    return httpx.post(server.url + path, content=data, headers=headers)


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzipped(BODY)),
        ("GZIP", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        ("gzip", gzipped(BODY[:9]) + gzipped(BODY[9:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw(BODY)),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_a_compressed_post_is_stored(server: Server, coding: str, data: bytes) -> None:
    response = post(server, "/api/tasks/packed/events", data, coding)
    assert (response.status_code, response.json()["payload"]) == (201, {"message": "packed"})


@pytest.mark.parametrize("path", ["/api/tasks/packed/events", "/api/tasks", "/api/v1/login", "/login", "/views"])
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "gzip, br", "nonsense"])
def test_an_unsupported_coding_is_refused_with_the_supported_codings(server: Server, path: str, coding: str) -> None:
    response = post(server, path, BODY, coding)
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert coding.split(",")[0] in response.json()["error"]["message"]
    assert response.headers["Accept-Encoding"] == "gzip, deflate, identity"


def test_a_body_that_inflates_over_the_limit_is_too_large(start_server: Callable[..., Server]) -> None:
    server = start_server(max_body=100_000)
    bomb = gzip.compress(b"[" + b" " * 50_000_000, mtime=0)
    assert len(bomb) < 100_000
    response = post(server, "/api/tasks/bomb/events", bomb, "gzip")
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
    assert post(server, "/api/v1/login", gzip.compress(b" " * 17_000), "gzip").status_code == 413
    highest = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())
    assert highest
    assert int(highest[1]) < 300_000


@pytest.mark.parametrize("data", [b"no gzip", gzipped(BODY)[:-9], gzipped(BODY) + b"more"])
def test_a_body_that_is_not_valid_gzip_is_refused(server: Server, data: bytes) -> None:
    response = post(server, "/api/tasks/packed/events", data, "gzip")
    assert response.status_code == 400
    assert "gzip" in response.json()["error"]["message"]


def test_a_compressed_form_logs_in(start_server: Callable[..., Server]) -> None:
    server = start_server()
    person(server.store, "op@example.org", admin=True)
    form = f"email=op%40example.org&password={PASSWORD.replace(' ', '+')}".encode()
    response = post(server, "/login", gzip.compress(form), "gzip", "application/x-www-form-urlencoded")
    assert response.status_code == 303
