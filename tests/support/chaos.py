"""Break the server and the network between it and its clients at random, from a seed."""

from __future__ import annotations

import random
import threading
import time

from tests.support.proxy import Proxy
from tests.support.server import Server


class Chaos:
    """A context manager that breaks the network or the server `fault_count` times, and repairs both on exit.

    It resets connections, closes the port, stalls it, answers 502, or kills or stops the server and starts it again.
    Meanwhile each connection is cut after a random number of bytes. `faults` lists the injected faults.
    """

    def __init__(self, seed: int, server: Server, proxy: Proxy, *, fault_count: int = 6) -> None:
        self._rng = random.Random(seed)
        self._bytes = random.Random(seed)
        self._fault_count = fault_count
        self._server = server
        self._proxy = proxy
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.faults: list[str] = []

    def __enter__(self) -> Chaos:
        self._proxy.cut_after = self._cut_after
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(60)
        self._proxy.cut_after = lambda: None
        self._proxy.heal()
        self._proxy.cut()

    def _cut_after(self) -> int | None:
        return int(10 ** self._bytes.uniform(1.5, 5)) if self._bytes.random() < 0.8 else None

    def _run(self) -> None:
        breaks = [self.cut, self.cut, self.shut, self.stall, self.gateway, self.kill, self.stop]
        for _ in range(self._fault_count):
            time.sleep(self._rng.uniform(0.05, 0.5))
            chosen = self._rng.choice(breaks)
            self.faults.append(chosen.__name__)
            chosen()

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(0, 0.6))

    def cut(self) -> None:
        self._proxy.cut()

    def shut(self) -> None:
        self._proxy.shut()
        self._pause()
        self._proxy.heal()

    def stall(self) -> None:
        self._proxy.stall()
        self._pause()
        self._proxy.heal()

    def gateway(self) -> None:
        self._proxy.respond("502 Bad Gateway")
        self._pause()
        self._proxy.heal()

    def kill(self) -> None:
        self._server.kill()
        self._pause()
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self._server.start()
