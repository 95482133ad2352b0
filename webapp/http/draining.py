"""The state that all connections of a server share, with the mark that it accepts no new ones."""

from __future__ import annotations

from uvicorn.server import ServerState

CLOSE = (b"connection", b"close")


class DrainingState(ServerState):
    """While `draining`, each response tells its client to close the connection.

    A client that keeps its connections would otherwise send a request just when this process closes an idle one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.draining = False
