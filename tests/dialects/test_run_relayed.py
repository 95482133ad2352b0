"""A relayed run with a real agent server and a real client, while connections are cut and both servers are killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.agent_server import AgentServer
from tests.support.proxy import Proxy
from tests.support.run_client import RunClient, Watched
from tests.support.server import Server
from tests.support.waiting import wait_until


@pytest.mark.long
def test_the_client_receives_every_line_although_both_servers_are_killed(
    start_server: Callable[..., Server], tmp_path: Path
) -> None:
    server, rng = start_server(), random.Random(11)
    agent = AgentServer(tmp_path / "agent", pace=0.05).start()
    proxy, results = Proxy(server.port), list[Watched]()
    proxy.cut_after = lambda: rng.randint(600, 3000)
    try:
        server.store.people.add_project("ledger", "The ledger", agent={"kind": "upstream", "url": agent.url})
        client = RunClient(server.url)
        assert client.project("ledger")["status"] == "READY"
        run_id = client.start("ledger").json()["run_id"]
        remote = RunClient(proxy.url)
        watcher = threading.Thread(target=lambda: results.append(remote.watch("ledger", run_id, timeout=240)))
        watcher.start()
        wait_until(lambda: server.latest(run_id) > 5)
        server.kill()
        server.start()
        latest = server.latest(run_id)
        wait_until(lambda: server.latest(run_id) > latest)
        agent.kill()
        agent.start()
        watcher.join(250)
        (watched,) = results
        received = [f"{when} {text}" for when, text in zip(watched.times, watched.lines, strict=True)]
        assert received == [data for name, data in agent.messages(run_id) if name == "log"]
        assert watched.last_status == agent.messages(run_id)[-1][1] == "Task success"
        assert client.status("ledger", run_id) == "DONE"
    finally:
        proxy.close()
        agent.kill()
