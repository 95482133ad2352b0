"""A bucket of an S3-compatible service with cold files, with the extra `s3`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from signalbox.store.cold.errors import ColdFileMissing, ColdPlaceUnavailable
from signalbox.store.errors import InvalidEvent

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as error:
    raise InvalidEvent(
        f"cold files in s3://… need the extra `signalbox-console[s3]` ({error})", "cold_storage"
    ) from error

CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 3, 10, 2
"""Seconds for a connection and for an answer, and how often a request is tried."""

RETRY_AFTER = 10.0

_MISSING = ("404", "NoSuchKey", "NotFound")
_BEYOND_END = ("416", "InvalidRange")


class ColdBucket:
    """Implements `ColdPlace` for `s3://BUCKET/PREFIX`.

    Credentials, region and endpoint come from the places where boto3 looks for them, such as AWS_ENDPOINT_URL_S3.
    """

    check_interval = 30.0

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query:
            raise InvalidEvent(f"a bucket is named as s3://BUCKET/PREFIX, not {url!r}", "cold_storage")
        self._bucket = parts.netloc
        prefix = parts.path.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
        config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries=retries)
        with self._errors(""):
            self._client: Any = boto3.client("s3", config=config)

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def version(self, name: str) -> str:
        return str(self._head(name)["ETag"])

    def size(self, name: str) -> int:
        return int(self._head(name)["ContentLength"])

    def _head(self, name: str) -> dict[str, Any]:
        with self._errors(name):
            found: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            return found

    def read(self, name: str, offset: int, length: int) -> bytes:
        if length <= 0:
            return b""
        try:
            with self._errors(name):
                found = self._client.get_object(
                    Bucket=self._bucket, Key=self._prefix + name, Range=f"bytes={offset}-{offset + length - 1}"
                )
                content: bytes = found["Body"].read()
                return content
        except ColdPlaceUnavailable as error:
            if isinstance(error.__cause__, ClientError) and _code(error.__cause__) in _BEYOND_END:
                return b""
            raise

    def store(self, name: str, file: Path) -> None:
        # An object appears when its upload is complete, also if that has several parts.
        with self._errors(name):
            self._client.upload_file(str(file), self._bucket, self._prefix + name)
        stored = self.size(name)
        if stored != file.stat().st_size:
            raise ColdPlaceUnavailable(f"{self.url} has {stored} bytes of {name} after its upload", RETRY_AFTER)

    def delete(self, name: str) -> None:
        with self._errors(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def names(self) -> Iterator[str]:
        with self._errors(""):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            found = [entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", ())]
        yield from (name for name in found if name.endswith(".cold") and "/" not in name)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if name and _code(error) in _MISSING:
                raise ColdFileMissing(name, self.url) from None
            raise ColdPlaceUnavailable(f"cold files in {self.url}: {error}", RETRY_AFTER) from error
        except (BotoCoreError, boto3.exceptions.Boto3Error, OSError) as error:
            raise ColdPlaceUnavailable(f"cold files in {self.url}: {error}", RETRY_AFTER) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
