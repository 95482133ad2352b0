"""The places of cold files: a directory, or a bucket of an S3-compatible service."""

from __future__ import annotations

from signalbox.store.cold.places.place import ColdPlace, ReadablePlace, open_place

__all__ = ["ColdPlace", "ReadablePlace", "open_place"]
