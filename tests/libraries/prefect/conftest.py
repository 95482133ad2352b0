"""A private server of Prefect for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[None]:
    """Run the tests with a temporary database and a server in a process of its own."""
    with prefect_test_harness(server_startup_timeout=120):
        yield
