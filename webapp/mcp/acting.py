"""The tools that act on runs. The server records each act in the name of the token, with an audit."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from signalbox.store.events import MAX_MESSAGE_CHARS, MAX_REASON_CHARS
from signalbox.store.path_segments import segment
from signalbox.webapp.mcp.console import Console, RunAddress, run_at
from signalbox.webapp.mcp.reading import Json, TaskIdText
from signalbox.webapp.mcp.values import Answered, ProjectList, ProjectRow, RecordedAct, StartedRun

MAX_PROJECTS = 100

Reason = Annotated[str | None, Field(description="The reason, which the run receives.", max_length=MAX_REASON_CHARS)]


async def answer_permission(
    console: Console,
    task_id: TaskIdText,
    approved: Annotated[bool, Field(description="True to approve, false to deny.")],
    request_id: Annotated[
        str | None, Field(description="The request; required if more than one is open.", max_length=1024)
    ] = None,
    reason: Reason = None,
    value: Annotated[
        Any, Field(description="The value of an approval, if the request asks for one: see `asks_for` of read_run.")
    ] = None,
    always: Annotated[bool, Field(description="Also approve later requests of the tool in this run.")] = False,
) -> Answered:
    """Answer a permission request of a run. Do this only if your user has told you to decide such requests.

    The first answer wins: a request that somebody answered meanwhile is an error that names them.
    """
    at = run_at(task_id)
    if request_id is None:
        at, request_id = await _only_request(console, at)
    body = {"approved": approved, "reason": reason, "value": value, "always": always or None}
    event = await console.post(f"{at.path}/permissions/{segment(request_id)}", Json, body, at.identity)
    payload = event["payload"]
    return Answered(
        request_id=request_id,
        approved=approved,
        by=payload["by"],
        seq=event["seq"],
        value=payload.get("value"),
    )


async def list_projects(console: Console) -> ProjectList:
    """List the projects, and whether a run can be started in each (READY)."""
    found = (await console.get("/api/v1/projects", Json))["projects"]
    fields = ("project_id", "name", "status", "run_id")
    rows = [ProjectRow(**{name: one[name] for name in fields}) for one in found[:MAX_PROJECTS]]
    return ProjectList(projects=rows, left_out=max(0, len(found) - MAX_PROJECTS) or None)


async def start_run(
    console: Console,
    project_id: Annotated[str, Field(description="A project with an agent: see list_projects.", max_length=256)],
    command: Annotated[
        str | None, Field(description="One of the project's commands; by default the first.", max_length=256)
    ] = None,
    title: Annotated[str | None, Field(description="The title of the run.", max_length=512)] = None,
    run_id: Annotated[str | None, Field(description="The id of the new run.", max_length=128)] = None,
) -> StartedRun:
    """Start a run of a project's agent. A project has one run at a time: if one is active, that one is returned."""
    body = {"command": command, "title": title, "run_id": run_id}
    run, new = await console.create(f"/api/v1/projects/{segment(project_id)}/agent/runs", Json, body)
    return StartedRun(task_id=run["run_id"], project_id=run["project_id"], status=run["task_status"], new=new)


async def cancel_run(console: Console, task_id: TaskIdText, reason: Reason = None) -> RecordedAct:
    """Ask a run to stop. It ends when its status says so: use wait_for_runs."""
    at = run_at(task_id)
    return _recorded(await console.post(f"{at.path}/cancel", Json, {"reason": reason}, at.identity))


async def send_message(
    console: Console,
    task_id: TaskIdText,
    text: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_CHARS)],
) -> RecordedAct:
    """Send a message to a run that has not ended. The run decides when it reads its messages, and whether."""
    at = run_at(task_id)
    return _recorded(await console.post(f"{at.path}/messages", Json, {"text": text}, at.identity))


async def _only_request(console: Console, at: RunAddress) -> tuple[RunAddress, str]:
    """Return the run with its identity, and its open request. Raises ToolError unless exactly one is open."""
    task = await console.get(at.path, Json, identity=at.identity)
    at = RunAddress(at.path, task["identity"])
    found = await console.get(f"{at.path}/permissions", list[Json], limit=10, identity=at.identity)
    if len(found) != 1:
        names = ", ".join(one["request_id"] for one in found)
        raise ToolError(f"give the request_id: {names} are open" if found else "no permission request is open")
    return at, found[0]["request_id"]


def _recorded(event: Json) -> RecordedAct:
    return RecordedAct(task_id=event["task_id"], event_type=event["event_type"], seq=event["seq"])
