"""The calls of a store that the API of a server does not offer."""

from __future__ import annotations

from typing import Any

from signalbox.store.errors import NotSupported


def not_offered(call: str) -> Any:
    """Return a coroutine method that raises NotSupported. `call` names the call in its message."""

    async def refuse(self: object, *args: object, **options: object) -> None:
        raise NotSupported(call)

    return refuse


class NothingOffered:
    """An object whose methods all raise NotSupported, such as `people` of a store behind a server."""

    def __init__(self, call: str) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotSupported(self._call)
