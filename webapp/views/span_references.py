"""Short names of spans, for addresses that every row of a page repeats."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote

MAX_REFERENCE_CHARS = 64


def span_reference(span_id: str) -> str:
    """Return the name of a span in such an address: its id, or a digest of an id that is long when percent-encoded.

    The reference of a reference is the same reference.
    """
    if encoded_length(span_id) <= MAX_REFERENCE_CHARS:
        return span_id
    return f"~{blake2b(span_id.encode(), digest_size=10).hexdigest()}"


@lru_cache(maxsize=4096)
def encoded_length(name: str) -> int:
    """Return the number of characters of a name in an address."""
    return len(quote(name, safe=""))
