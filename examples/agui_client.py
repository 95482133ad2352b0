"""Follow a run as a chat over AG-UI, and answer its questions: python examples/agui_client.py TASK

It needs only httpx. A real chat interface uses the official client, @ag-ui/client, in the same way.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import httpx

Event = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--token")
    parser.add_argument("--answer", choices=["yes", "no"], help="Answer every question like this instead of asking.")
    given = parser.parse_args()
    headers = {"Authorization": f"Bearer {given.token}"} if given.token else {}
    with httpx.Client(base_url=given.server, headers=headers, timeout=None) as client:
        state: Any = None
        resume: list[Event] = []
        for number in range(1, 1_000_000):
            request = {
                "threadId": given.task,
                "runId": f"run-{number}",
                "messages": [],
                "state": state,
                "resume": resume,
            }
            last: Event = {}
            for last in events(client, given.task, request):
                state = changed(state, last)
                show(last)
            if last["type"] == "RUN_ERROR":
                print(f"\nfailed: {last['message']}")
                return 1
            outcome = last.get("outcome", {"type": "success"})
            if outcome["type"] != "interrupt":
                print(f"\n{outcome['type']}")
                return 0
            resume = [answer(interrupt, given.answer) for interrupt in outcome["interrupts"]]
    return 1


def events(client: httpx.Client, task: str, request: Event) -> Iterator[Event]:
    with client.stream("POST", f"/api/agui/runs/{task}", json=request) as response:
        if response.is_error:
            response.read()
            raise SystemExit(response.json()["error"]["message"])
        for line in response.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def changed(state: Any, event: Event) -> Any:
    """Return the state after an event. Each operation of a delta replaces one field."""
    if event["type"] == "STATE_SNAPSHOT":
        return event["snapshot"]
    if event["type"] == "STATE_DELTA":
        return state | {one["path"].removeprefix("/"): one["value"] for one in event["delta"]}
    return state


def show(event: Event) -> None:
    if event["type"] == "TEXT_MESSAGE_CONTENT":
        print(event["delta"], end="", flush=True)
    elif event["type"] == "STEP_STARTED":
        print(f"— {event['stepName']}")
    elif event["type"] == "TOOL_CALL_START":
        print(f"→ {event['toolCallName']} ", end="")
    elif event["type"] == "TOOL_CALL_ARGS":
        print(event["delta"])
    elif event["type"] == "TOOL_CALL_RESULT":
        print(f"← {event['content']}")


def answer(interrupt: Event, given: str | None) -> Event:
    """Return the entry that answers an interrupt. A request for a value can only be denied here."""
    words = given or input(f"{interrupt['message']} [yes/no] ")
    payload = {"approved": words.strip().lower() in ("y", "yes")}
    return {"interruptId": interrupt["id"], "status": "resolved", "payload": payload}


if __name__ == "__main__":
    raise SystemExit(main())
