"""A run over the wire: a real agent server behind Signalbox, a client before it, and all three lines break."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.agent_server import AgentServer
from tests.support.log import until
from tests.support.proxy import Proxy
from tests.support.run_client import RunClient, Watched
from tests.support.server import Server


def test_the_client_gets_what_the_agent_said_whoever_is_killed(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, dice = start_server(), random.Random(11)
    agent = AgentServer(tmp_path / "agent", pace=0.05).start()
    proxy, seen = Proxy(server.port), list[Watched]()
    proxy.cut_after = lambda: dice.randint(600, 3000)
    try:
        server.store.people.add_project("ledger", "The ledger", agent={"kind": "upstream", "url": agent.url})
        client = RunClient(server.url)
        assert client.project("ledger")["status"] == "READY"
        run_id = client.start("ledger").json()["run_id"]
        far = RunClient(proxy.url)
        watcher = threading.Thread(target=lambda: seen.append(far.watch("ledger", run_id, patience=90)))
        watcher.start()
        until(lambda: server.latest(run_id) > 5, 60)
        server.kill()
        server.start()
        reached = server.latest(run_id)
        until(lambda: server.latest(run_id) > reached, 60)
        agent.kill()
        agent.start()
        watcher.join(100)
        (watched,) = seen
        told = [f"{when} {text}" for when, text in zip(watched.times, watched.lines, strict=True)]
        assert told == [data for name, data in agent.said(run_id) if name == "log"]
        assert watched.last_word == agent.said(run_id)[-1][1] == "Task success"
        assert client.status("ledger", run_id) == "DONE"
    finally:
        proxy.close()
        agent.kill()
