"""A PostgreSQL server that tests may stop and kill."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support.postgres import Cluster
from tests.support.shared_postgres import memory_folder


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """Return a server that demands passwords, and that tests may stop and kill."""
    folder = memory_folder() / f"signalbox-failures-{uuid.uuid4().hex}"
    # An acknowledged commit must survive a killed server, so it is written to the operating system first.
    server = Cluster(folder, auth="scram-sha-256", synchronous_commit="on", max_connections="30")
    server.start()
    yield server
    server.close()


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.create_database()
