"""What may be configured as the agent of a project."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from store import InvalidEvent

Word = Annotated[str, msgspec.Meta(min_length=1)]


class Command(msgspec.Struct, tag_field="kind", tag="command", forbid_unknown_fields=True):
    """A command that the server starts; `time_limit` in seconds."""

    argv: Annotated[list[Word], msgspec.Meta(min_length=1)]
    cwd: Word | None = None
    env: dict[Word, str] = {}
    time_limit: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Upstream(msgspec.Struct, tag_field="kind", tag="upstream", forbid_unknown_fields=True):
    """A server that streams what its agent does."""

    url: Word


def check_agent(agent: dict[str, Any]) -> dict[str, Any]:
    """Return `agent` or raise InvalidEvent, which says what is wrong with it."""
    try:
        kind = msgspec.convert(agent, Command | Upstream)
    except msgspec.ValidationError as error:
        raise InvalidEvent(f"the agent cannot be used: {error}", "agent") from None
    if isinstance(kind, Upstream) and (
        urlsplit(kind.url).scheme not in ("http", "https") or not urlsplit(kind.url).netloc
    ):
        raise InvalidEvent(
            f"the agent cannot be used: its url must look like https://agent.example.org, not {kind.url!r}", "agent"
        )
    return agent
