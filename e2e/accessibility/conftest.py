"""The site that the accessibility tests look at. They are several files, so that several workers share them."""

from collections.abc import Iterator

import pytest

from e2e.accessibility.site import Site, fill
from tests.support.server import Server


@pytest.fixture(scope="module")
def site(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    fill(shared_server)
    empty = Server(tmp_path_factory.mktemp("empty")).start()
    yield Site(shared_server, empty)
    empty.close()
