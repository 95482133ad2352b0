"""Agents: what runs for a project, as its `agent` says.

    {"kind": "upstream", "url": "http://agent:9100", "token_env": "AGENT_TOKEN"}
    {"kind": "command", "argv": ["make", "nightly"], "cwd": "/srv/app", "env": {"CI": "1"}, "time_limit": 3600}
    {"kind": "command", "commands": {"build": {"argv": ["make"]}, "audit": {"argv": ["make", "audit"]}}}

`agent_of(config)` checks such an object; it raises InvalidEvent with the field `agent`.

The app has one `Agents` as `app.extensions["agents"]`:

    task, new = await agents.start(project, run_id)     a task of kind "agent"; one that is there is used as it is
    await agents.at_work(project)                       the run that has not ended; a project has one at a time
    await agents.available(project)                     whether a run could be started, or can be followed, now
    await agents.check(project)                         the same, raising AgentUnavailable with the reason

`start` raises AgentUnavailable (503: later may be better), Conflict (the project has no agent, no such command, another
run is at work, the id is another project's) and InvalidEvent (a bad run id). The run is heard of through its task, like
any run. To cancel it, append `cancel_requested` to its task, as everywhere.

What is started outlives this process. A command runs beside it and writes its own log; an upstream is followed again by
`resume` after a restart.
"""

from signalbox.webapp.agents.agent_runs import Agents
from signalbox.webapp.agents.configuration import CommandAgent, UpstreamAgent, agent_of
from signalbox.webapp.agents.errors import AgentUnavailable

__all__ = ["AgentUnavailable", "Agents", "CommandAgent", "UpstreamAgent", "agent_of"]
