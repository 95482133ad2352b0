"""Exports and downloads of tasks whose files in cold storage are damaged."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from signalbox.store import NewEvent
from tests.support.server import Server
from tests.support.waiting import wait_until

ARTIFACT_BYTES = 700_000


def in_cold_storage(server: Server, task_id: str, lines: int = 40) -> Path:
    """Move a task with `lines` of 2 KB and an artifact of two pieces to cold storage, and return its file."""
    noise = random.Random(1)
    log = [NewEvent(event_type="log", payload={"message": noise.randbytes(1000).hex()}) for _ in range(lines)]
    server.store.append(task_id, [NewEvent(event_type="runner_spawn", span_id="main", payload={}), *log])
    artifact = f"{server.url}/api/tasks/{task_id}/artifacts?name=noise.bin"
    assert httpx.post(artifact, content=noise.randbytes(ARTIFACT_BYTES)).json()["seq"] == lines + 2
    server.store.append(task_id, [NewEvent(event_type="status", payload={"status": "done"})])
    folder = server.path.with_name(f"{server.path.name}.cold")
    before = set(folder.glob("*.cold"))
    assert httpx.put(f"{server.url}/api/tasks/{task_id}/cold").status_code == 200
    (file,) = set(folder.glob("*.cold")) - before
    return file


def damage(file: Path, at: float) -> None:
    """Change some bytes at this part of a file."""
    with file.open("r+b") as opened:
        opened.seek(int(file.stat().st_size * at))
        opened.write(b"damaged!" * 20)


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """Return a server that reads no file by itself. What it had read before would still be in its memory."""
    return start_server(search_index=False)


def test_exports_of_a_task_whose_file_is_damaged(server: Server) -> None:
    """A clear error, or if the damage is further on, a connection that is cut. Never a traceback."""
    for how in ("missing", "truncated", "begin"):
        file = in_cold_storage(server, how)
        if how == "missing":
            file.unlink()
        elif how == "truncated":
            os.truncate(file, file.stat().st_size // 2)
        else:
            damage(file, 0.001)
        pages = [f"/tasks/{how}/{page}" for page in ("raw", "raw?full=1", "export.ndjson")]
        if how != "begin":
            pages += [f"/tasks/{how}/{page}" for page in ("spans.csv", "artifacts/42/raw")]
            pages += [f"/api/tasks/{how}/artifacts/42/content"]
        for path in pages:
            refused = httpx.get(f"{server.url}{path}", headers={"Accept": "application/json"})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cold_file_damaged"), path
            assert "in cold storage" in refused.json()["error"]["message"]
    # The server may have noticed the missing file by itself.
    warnings = {one["code"]: one["message"] for one in server.get("/api/events/health").json()["warnings"]}
    assert warnings["cold_files_damaged"] == "2 files of cold storage cannot be read"
    damage(in_cold_storage(server, "middle", 1000), 0.3)
    for page in ("raw", "export.ndjson"):
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            httpx.get(f"{server.url}/tasks/middle/{page}")
    whole = httpx.get(f"{server.url}/tasks/middle/artifacts/1002/raw")
    assert (whole.status_code, len(whole.content)) == (200, ARTIFACT_BYTES)
    wait_until(lambda: server.log.count("a response was cut off") == 2)
