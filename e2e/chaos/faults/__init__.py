"""The kinds of faults, in one module for each part of the system that they break.

registry   the definition of a kind of fault
network    the connections and the proxy
server     the web process
database   the lock, the disk and the file of a SQLite database
runs       the processes that append
clients    the programs that read and send requests
services   PostgreSQL and Redis
"""

from __future__ import annotations

from e2e.chaos.faults import clients, database, network, runs, server, services
from e2e.chaos.faults.registry import Fault, faults_of

__all__ = ["FAULTS", "Fault"]

FAULTS: list[Fault] = [
    kind for module in (network, server, database, runs, clients, services) for kind in faults_of(module)
]
"""All kinds of faults. A seed selects them by position: another order changes the faults of each seed."""
