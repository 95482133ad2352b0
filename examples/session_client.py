"""A copilot session: the worker reports its tool calls and asks before it deletes; the watcher follows and answers.

    python examples/session_client.py work tidy-1       searches a folder and asks whether old notes may be deleted
    python examples/session_client.py watch tidy-1      prints the session's messages and asks the user for an answer

`--folder` is where the notes are. `--server` and SIGNALBOX_TOKEN name the server. With `--answer yes` or `--answer no`
the watcher answers by itself. The question can also be answered on the session's page. The script needs only httpx.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx


class Session:
    """One session on a server."""

    def __init__(self, http: httpx.Client, session_id: str) -> None:
        self.http, self.session_id = http, session_id

    def create(self) -> None:
        self.http.post("/api/tasks", json={"task_id": self.session_id, "kind": "session"}).raise_for_status()

    def emit(self, event_type: str, **payload: object) -> None:
        """Append an event. Its idempotency key makes a retry safe."""
        event = {"event_type": event_type, "payload": payload, "key": uuid4().hex}
        while True:
            try:
                response = self.http.post(f"/api/tasks/{self.session_id}/events", json=event)
            except httpx.TransportError:
                time.sleep(0.5)
                continue
            if response.status_code != 503:
                response.raise_for_status()
                return
            time.sleep(float(response.headers.get("Retry-After", 1)))

    def messages(self, since: str = "") -> Iterator[dict]:
        """Yield the session's messages, reconnecting after each cut.

        Without a position the server first sends the open requests, then new messages.
        """
        while True:
            headers = {"Last-Event-ID": since} if since else {}
            path = f"/api/sse/events/{self.session_id}"
            try:
                with self.http.stream("GET", path, headers=headers, timeout=httpx.Timeout(10, read=65)) as response:
                    if 400 <= response.status_code < 500:
                        response.raise_for_status()
                    data, last_id = "", since
                    for line in response.iter_lines() if response.is_success else ():
                        if line.startswith("id: "):
                            last_id = line[4:]
                        elif line.startswith("data: "):
                            data = line[6:]
                        elif not line:
                            # Only a blank line ends a message, so the server repeats one that a cut interrupted.
                            since = last_id
                            if data:
                                yield json.loads(data)
                            data = ""
            except httpx.TransportError:
                pass
            time.sleep(0.5)

    def answer(self, request_id: str, approved: bool, reason: str) -> str:
        body = {"request_id": request_id, "approved": approved, "reason": reason}
        response = self.http.post(f"/api/sse/permission-response/{self.session_id}", json=body)
        if response.status_code == 409:
            return response.json()["error"]["message"]
        response.raise_for_status()
        return "answered"


def work(session: Session, folder: Path) -> int:
    """Search for notes, ask for permission, and delete the notes if it is given."""
    session.create()
    stream = session.messages()
    next(stream)
    session.emit("tool_status", tool_name="find", status="running", message=f"looking in {folder}")
    notes = sorted(folder.glob("note-*.txt"))
    session.emit("tool_result", tool_name="find", files=[note.name for note in notes])
    if not notes:
        session.emit("status", status="done", message="no notes")
        return 0
    request_id = uuid4().hex
    arguments = {"paths": [str(note) for note in notes]}
    session.emit("permission_request", request_id=request_id, tool_name="delete", arguments=arguments)
    approved = wait_for(stream, request_id)
    if approved:
        for note in notes:
            note.unlink(missing_ok=True)
        session.emit("tool_result", tool_name="delete", deleted=len(notes))
    session.emit("status", status="done", message=f"{len(notes)} notes {'deleted' if approved else 'kept'}")
    print(f"{len(notes)} notes {'deleted' if approved else 'kept'}")
    return 0


def wait_for(stream: Iterator[dict], request_id: str) -> bool:
    """Wait until the request is closed, and return whether it was approved."""
    for message in stream:
        if message["type"] == "permission_cleared" and message["data"].get("request_id") == request_id:
            return message["data"].get("approved") is True
    return False


def watch(session: Session, given: str | None) -> int:
    """Print the session's messages and answer permission requests. Returns once one request is closed."""
    for message in session.messages():
        kind, data = message["type"], message["data"]
        if kind == "heartbeat":
            continue
        print(f"{message['timestamp']} {kind} {json.dumps(data)}", flush=True)
        if kind == "permission_cleared":
            break
        if kind == "permission_request":
            reply = given or input(f"Allow {data['tool_name']}? [yes/no] ")
            print(session.answer(data["request_id"], reply.lower().startswith("y"), "answered in the terminal"))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="A session of tool calls and permissions.")
    parser.add_argument("role", choices=["work", "watch"])
    parser.add_argument("session")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--answer", choices=["yes", "no"])
    options = parser.parse_args()
    token = os.environ.get("SIGNALBOX_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=options.server, headers=headers, timeout=15) as http:
        session = Session(http, options.session)
        try:
            return work(session, options.folder) if options.role == "work" else watch(session, options.answer)
        except httpx.HTTPStatusError as error:
            error.response.read()
            print(f"session_client: {error.response.text}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (KeyboardInterrupt, EOFError):
        sys.exit(130)
