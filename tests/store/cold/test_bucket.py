"""Test cold files in a bucket, against a server that speaks the protocol of S3."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from signalbox.store import InvalidEvent, LogQuery, open_store
from signalbox.store.cold.errors import ColdFileMissing, ColdPlaceUnavailable
from signalbox.store.cold.places import bucket as buckets
from signalbox.store.cold.places import open_place
from signalbox.store.errors import ColdFileDamaged, StoreUnavailable
from tests.support.varied_log import record, varied_log

URL = "s3://runs/signalbox/cold"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    # It takes long to import, and every worker of a test run collects all modules.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def endpoint(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {**variables, "AWS_ENDPOINT_URL_S3": service}.items():
        monkeypatch.setenv(name, value)
    import boto3

    boto3.client("s3").create_bucket(Bucket="runs")


@pytest.mark.long
def test_a_bucket_keeps_files_as_a_directory_does(tmp_path: Path) -> None:
    place = open_place(URL)
    (tmp_path / "x").write_bytes(b"0123456789")
    place.store("a.cold", tmp_path / "x")
    assert (place.size("a.cold"), place.read("a.cold", 2, 3), place.read("a.cold", 8, 9)) == (10, b"234", b"89")
    assert place.read("a.cold", 10, 5) == b""
    version = place.version("a.cold")
    (tmp_path / "x").write_bytes(b"other")
    place.store("a.cold", tmp_path / "x")
    assert place.version("a.cold") != version
    assert list(place.names()) == ["a.cold"]
    place.delete("a.cold")
    place.delete("a.cold")
    with pytest.raises(ColdFileMissing, match=r"a\.cold is missing in s3://runs/signalbox/cold"):
        place.size("a.cold")
    assert list(place.names()) == []


async def test_a_task_in_a_bucket_is_read_in_place(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}", cold_storage=URL)
    store.import_task(record("t0", 0), varied_log("t0", 300, 0))
    store.add_artifact("t0", BytesIO(b"hello"), "hello.txt")
    async with store.read() as view:
        before = await view.events("t0", 0, 400), await view.search("t0", LogQuery(text="disk"))
    moved = await store.cold.amove("t0")
    assert moved.place == URL
    async with store.read() as view:
        assert (await view.events("t0", 0, 400), await view.search("t0", LogQuery(text="disk"))) == before
    assert await store.cold.averify("t0") == moved
    assert await store.cold.arestore("t0")
    assert list(open_place(URL).names()) == []
    await store.aclose()


async def test_a_missing_object_is_an_error_of_its_task_only(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}", cold_storage=URL)
    for number in (0, 1):
        store.import_task(record(f"t{number}", number), varied_log(f"t{number}", 60, number))
    moved = await store.cold.amove("t0")
    open_place(URL).delete(moved.name)
    with pytest.raises(ColdFileDamaged, match=f"{moved.name} is missing"):
        async with store.read() as view:
            await view.events("t0")
    async with store.read() as view:
        assert len(await view.events("t1")) == 60
        assert (await view.task("t0")).cold_since
    await store.aclose()


@pytest.fixture
def silent_service() -> Iterator[str]:
    """A service that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("silent", [False, True], ids=["away", "slow"])
async def test_a_bucket_that_does_not_answer_is_unavailable(
    silent: bool, silent_service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}", cold_storage=URL)
    store.import_task(record("t0", 0), varied_log("t0", 60, 0))
    await store.cold.amove("t0")
    await store.aclose()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", silent_service if silent else "http://127.0.0.1:9")
    monkeypatch.setattr(buckets, "READ_TIMEOUT", 0.3)
    again = open_store(f"sqlite:///{tmp_path / 'signalbox.db'}")
    with pytest.raises(StoreUnavailable) as raised:
        async with again.read() as view:
            await view.events("t0")
    assert isinstance(raised.value, ColdPlaceUnavailable)
    assert raised.value.retry_after == buckets.RETRY_AFTER
    await again.aclose()


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://user:key@runs/x", "ftp://host/x", "https://host/x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidEvent, match="s3://BUCKET/PREFIX"):
        open_place(url)
