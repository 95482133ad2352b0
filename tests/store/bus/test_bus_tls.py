"""Wake-ups through Redis with TLS."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from signalbox.store.bus import Bus
from signalbox.store.bus.redis import RedisTransport
from tests.support.redis import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for this machine, signed by itself. Its key is beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    names = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path.with_name("key.pem")), "-out", str(path)]
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*new, "-days", "2", *names, *files], check=True, capture_output=True)
    return path


@pytest.fixture
def redis(certificate: Path, tmp_path: Path) -> Iterator[RedisServer]:
    key = str(certificate.with_name("key.pem"))
    server = RedisServer(tmp_path / "redis")
    tls = ["--tls-cert-file", str(certificate), "--tls-key-file", key, "--tls-ca-cert-file", str(certificate)]
    server._options = ("--port", "0", "--tls-port", str(server.port), "--tls-auth-clients", "no", *tls)
    server.start()
    yield server
    server.kill()


async def test_a_server_with_a_trusted_certificate_wakes_other_processes(redis: RedisServer, certificate: Path) -> None:
    url = f"rediss://127.0.0.1:{redis.port}?ssl_ca_certs={certificate}"
    writer, reader, woken = Bus(RedisTransport(url, "test")), Bus(RedisTransport(url, "test")), asyncio.Event()
    try:
        reader.watch(woken.set)
        async with asyncio.timeout(60):
            await woken.wait()  # The reader listens.
            woken.clear()
            writer.committed()
            await woken.wait()
        assert writer.working
        assert reader.working
    finally:
        await asyncio.to_thread(writer.close)
        await asyncio.to_thread(reader.close)


@pytest.mark.parametrize("scheme", ["rediss", "redis"])
async def test_a_server_that_cannot_be_trusted_or_spoken_to_is_reported(
    redis: RedisServer, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    bus = Bus(RedisTransport(f"{scheme}://:s3cret@127.0.0.1:{redis.port}", "test"))
    try:
        bus.committed()
        await asyncio.to_thread(wait_until, lambda: not bus.working and caplog.text)
        assert scheme == "redis" or "certificate verify failed" in caplog.text
        assert "s3cret" not in caplog.text
    finally:
        await asyncio.to_thread(bus.close)
