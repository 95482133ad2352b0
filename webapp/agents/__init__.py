"""Agents: the programs that do the runs of a project, as configured in its `agent` object.

    {"kind": "upstream", "url": "http://agent:9100", "token_env": "AGENT_TOKEN"}
    {"kind": "command", "argv": ["make", "nightly"], "cwd": "/srv/app", "env": {"CI": "1"}, "time_limit": 3600}
    {"kind": "command", "commands": {"build": {"argv": ["make"]}, "audit": {"argv": ["make", "audit"]}}}

`agent_of(config)` parses such an object and raises InvalidEvent with the field `agent` if it is wrong.

The app has one `Agents` object, `app.extensions["agents"]`:

    task, new = await agents.start(project, run_id)     starts a task of kind "agent", or returns the existing one
    await agents.active_run(project)                    the active run; a project has one at a time
    await agents.available(project)                     whether a run could be started or followed now
    await agents.check(project)                         the same, but raises AgentUnavailable with the reason

`start` raises AgentUnavailable (503, a retry may help), Conflict (the project has no agent or no such command, another
run is active, or the id belongs to another project) and InvalidEvent (the run id is not valid). A run reports through
its task like any other run. To cancel it, append `cancel_requested` to its task.

A started run outlives this process: a command runs in its own process and writes its own log, and `resume` follows an
upstream again after a restart.
"""

from signalbox.webapp.agents.agent_runs import Agents
from signalbox.webapp.agents.configuration import CommandAgent, UpstreamAgent, agent_of
from signalbox.webapp.agents.errors import AgentUnavailable

__all__ = ["AgentUnavailable", "Agents", "CommandAgent", "UpstreamAgent", "agent_of"]
