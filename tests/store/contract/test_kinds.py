"""The contract is tested on every kind of store, and each kind is opened by its URL."""

from __future__ import annotations

import pytest

from signalbox.store import Store, UnknownStoreKind, open_store
from tests.support import postgres


def test_postgresql_is_among_the_kinds() -> None:
    if postgres.programs() is None:
        # The other tests leave PostgreSQL out, so that this is reported once. In CI a skipped test is a failure.
        pytest.skip(f"{postgres.MISSING}: no test runs on it")


def test_a_store_keeps_the_url_that_opened_it(store: Store, url: str) -> None:
    assert store.url == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://signalbox.example", "https://host"),
        ("mysql://ann:s3cret@host/x", "postgresql://user@host/database"),
        ("postgresql://ann:s3cret@host:port/x", "port"),
        ("postgresql://ann:s3cret@host/x?unheard=of", "unheard"),
        ("postgresql://ann:s3cret/1@host/x", "percent-encoded"),
        ("postgresql://ann:s3cret%zz@host/x", "percent-encoded"),
        ("postgresql://ann:1?s3cret%zz@host/x", "percent-encoded"),
        ("postgresql://host/x?password=s3cret%zz", "percent-encoded"),
        ("mysql://ann:1/s3cret@host/x", "postgresql://user@host/database"),
        ("postgresql:ann:s3cret@host/x", "postgresql://user@host/database"),
        ("host=db user=ann password = 's3cret'", "host=db user=ann password…"),
    ],
)
def test_a_url_that_cannot_be_opened_is_refused_without_its_password(url: str, message: str) -> None:
    with pytest.raises(UnknownStoreKind) as refused:
        open_store(url)
    assert message in str(refused.value)
    assert "s3cret" not in str(refused.value)
