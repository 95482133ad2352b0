"""A client of the run dialect, written only from its documentation."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Watched:
    """The result of watching a run: log lines, their times, the last status, and statuses of refused requests."""

    lines: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    last_status: str = ""
    connects: int = 0
    refused: list[int] = field(default_factory=list)


class RunClient:
    """A client that talks to a server for one person. `log_in` sets its token."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60)

    def log_in(self, email: str, password: str) -> httpx.Response:
        """Log in and send the token from now on."""
        response = self.http.post("/login", json={"email": email, "password": password})
        if response.is_success:
            self.http.headers["Authorization"] = f"Bearer {response.json()['token']}"
        return response

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def project(self, project_id: str) -> dict[str, Any]:
        """Return a project."""
        return dict(self.get(f"/projects/{project_id}").json())

    def start(self, project_id: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/projects/{project_id}/agent/runs", json=body)

    def status(self, project_id: str, run_id: str) -> str:
        return str(self.get(f"/projects/{project_id}/agent/runs/{run_id}").json()["status"])

    def cancel(self, project_id: str, run_id: str) -> httpx.Response:
        return self.http.post(f"/projects/{project_id}/agent/runs/{run_id}/cancel")

    def watch(self, project_id: str, run_id: str, *, timeout: float = 120) -> Watched:
        """Watch a run to its end and reconnect after every cut. `timeout` is the limit in seconds."""
        seen, last_id, deadline = Watched(), "", time.monotonic() + timeout
        path = f"/projects/{project_id}/agent/runs/{run_id}/stream"
        while not seen.last_status:
            assert time.monotonic() < deadline, seen
            try:
                with self.http.stream("GET", path, headers={"Last-Event-ID": last_id} if last_id else {}) as response:
                    if response.status_code == 200:
                        seen.connects += 1
                        last_id = self._read(response, seen, last_id)
                    else:
                        seen.refused.append(response.status_code)
                        time.sleep(0.2)
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        return seen

    def _read(self, response: httpx.Response, seen: Watched, last_id: str) -> str:
        name, position, data = "", "", list[str]()
        try:
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
                elif line.startswith("id: "):
                    position = line[4:]
                elif not line:
                    if name == "log":
                        when, _, text = "\n".join(data).partition(" ")
                        seen.times.append(when)
                        seen.lines.append(text)
                    elif name == "status":
                        seen.last_status = "\n".join(data)
                    last_id = position if name else last_id
                    name, data = "", []
        except httpx.HTTPError:
            pass
        return last_id
