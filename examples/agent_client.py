"""A client of a project's agent: logs in, chooses a project, starts or joins a run, and follows it to its end.

    python examples/agent_client.py                     asks for everything, with defaults
    python examples/agent_client.py --no-input --project refactoring

It needs only httpx. The password comes from SIGNALBOX_PASSWORD, or the script asks for it. The exit code is 0 if the
run is DONE, 1 if it FAILED, and 2 if it could not be followed.
"""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Iterator

import httpx


class Problem(Exception):
    """The script cannot continue; the message says why."""


class Guide:
    """Asks the user, or takes the defaults with --no-input."""

    def __init__(self, interactive: bool) -> None:
        self.interactive = interactive

    def ask(self, question: str, default: str = "") -> str:
        if not self.interactive:
            return default
        return input(f"{question} [{default}]: " if default else f"{question}: ").strip() or default

    def password(self) -> str:
        known = os.environ.get("SIGNALBOX_PASSWORD")
        return known if known is not None or not self.interactive else getpass.getpass("Password: ")


def answered(response: httpx.Response) -> dict:
    """Return the JSON of a response. Raises Problem with the server's error message."""
    if response.is_success:
        return response.json()
    try:
        raise Problem(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        raise Problem(f"{response.status_code} {response.reason_phrase}") from None


def log_in(http: httpx.Client, guide: Guide, email: str | None) -> None:
    credentials = {"email": email or guide.ask("E-mail"), "password": guide.password() or ""}
    token = answered(http.post("/api/v1/login", json=credentials))["token"]
    http.headers["Authorization"] = f"Bearer {token}"


def choose_project(http: httpx.Client, guide: Guide, wanted: str | None) -> dict:
    projects = answered(http.get("/api/v1/projects"))["projects"]
    if wanted is None:
        for project in projects:
            print(f"  {project['project_id']:<24} {project['status']:<12} {project['name']}")
        usable = [one["project_id"] for one in projects if one["status"] in ("READY", "RUNNING")]
        wanted = guide.ask("Project", usable[0] if usable else "")
        if not wanted:
            raise Problem("no project is READY")
    return answered(http.get(f"/api/v1/projects/{wanted}"))


def choose_run(http: httpx.Client, guide: Guide, project: dict, wanted: str | None) -> str:
    """Return the id of the run to watch: the given one, the active one, or a new one."""
    runs = f"/api/v1/projects/{project['project_id']}/agent/runs"
    wanted = wanted or guide.ask("Run (an id; new starts one)", project["run_id"] or "new")
    if wanted != "new":
        return answered(http.get(f"{runs}/{wanted}"))["run_id"]
    run = answered(http.post(runs, json={}))
    print(f"run {run['run_id']} is {run['status']}")
    return run["run_id"]


def watch(http: httpx.Client, run: str) -> str:
    """Print a run's log until it ends, reconnecting after each cut. Returns the text of its final status."""
    last_id, wait = "", 0.5
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        try:
            with http.stream("GET", f"{run}/stream", headers=headers, timeout=httpx.Timeout(10, read=60)) as response:
                if not response.is_success and response.status_code not in (429, 502, 503, 504):
                    response.read()
                    answered(response)
                asked = response.headers.get("Retry-After", "")
                wait = float(asked) if asked.isdigit() else wait
                for name, data, position in messages(response):
                    last_id, wait = position or last_id, 0.5
                    if name == "status":
                        return data
                    if name == "log":
                        print(printable(data), flush=True)
        except httpx.TransportError:
            pass
        print(f"(disconnected; trying again in {wait:g} s)", file=sys.stderr)
        time.sleep(wait)
        wait = min(2 * wait, 30)


def messages(response: httpx.Response) -> Iterator[tuple[str, str, str]]:
    """Yield the messages of an event stream as (name, data, last id). An error response yields nothing."""
    name, data, last_id = "message", [], ""
    if response.is_success:
        for line in response.iter_lines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                last_id = value
            elif not line:
                if data:
                    yield name, "\n".join(data), last_id
                name, data = "message", []


def printable(text: str) -> str:
    """Remove control characters, which could control the terminal."""
    return "".join(letter for letter in text if letter.isprintable() or letter == "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Start or watch the run of a project's agent.")
    parser.add_argument("--server", help="default: http://127.0.0.1:8000")
    parser.add_argument("--email")
    parser.add_argument("--project", help="the id of the project")
    parser.add_argument("--run", help="the id of a run to watch, or: new")
    parser.add_argument("--no-input", action="store_true", help="ask for nothing")
    options = parser.parse_args()
    guide = Guide(not options.no_input and sys.stdin.isatty())
    server = options.server or guide.ask("Server", "http://127.0.0.1:8000")
    try:
        with httpx.Client(base_url=server, timeout=15) as http:
            log_in(http, guide, options.email)
            project = choose_project(http, guide, options.project)
            run_id = choose_run(http, guide, project, options.run)
            run = f"/api/v1/projects/{project['project_id']}/agent/runs/{run_id}"
            print(printable(watch(http, run)))
            status = answered(http.get(run))["status"]
    except (Problem, httpx.TransportError, httpx.InvalidURL) as problem:
        print(f"agent_client: {problem}", file=sys.stderr)
        return 2
    print(status)
    return 0 if status == "DONE" else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, EOFError):
        sys.exit(130)
