"""Starts the agent runs of projects, and follows them while this process lives."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any

import structlog

from signalbox.store import Conflict, InvalidEvent, Store, StoreError, StoreUnavailable, TaskQuery, UnknownTask
from signalbox.store.errors import LeaseLost
from signalbox.store.events import new_id
from signalbox.store.loops import Loops, end_tasks
from signalbox.store.people import Project
from signalbox.store.state import ACTIVE_STATUSES, Task
from signalbox.webapp.agents import commands
from signalbox.webapp.agents.adoption import KIND, Adoption, run_lease
from signalbox.webapp.agents.agent_server import AgentServer
from signalbox.webapp.agents.configuration import Command, CommandAgent, UpstreamAgent, agent_of
from signalbox.webapp.agents.errors import AgentUnavailable
from signalbox.webapp.agents.health import AgentHealth
from signalbox.webapp.process import detached_run
from signalbox.webapp.process.run_facts import readable_command
from signalbox.webapp.relay.follow_upstream import Relay
from signalbox.webapp.relay.upstream import UpstreamRefused

RESUME_JOB = "(resume)"
"""The key of the resume job in `Agents._jobs`. It cannot be a run id."""

START_SECONDS = 15.0
"""Seconds within which a started command writes its first event."""

RETRY_SECONDS = 2.0
"""Seconds before another attempt after the store failed or an unexpected error occurred."""

log = structlog.get_logger("signalbox.agents")


class Agents:
    """The agents of all projects of `store`. Create it in the event loop that serves requests."""

    def __init__(self, store: Store, loops: Loops | None = None) -> None:
        self._store = store
        self._loop = (loops or Loops()).loop("agents")
        self._health = AgentHealth()
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._starting: list[str] = []

    def resume(self) -> None:
        """Follow, in the background, the active runs whose process has ended, now and whenever one ends."""
        self._start_job(RESUME_JOB, Adoption(self._store, self._loop, self._adopt).run())

    async def stop(self) -> None:
        """Stop following all runs. The runs themselves continue."""
        await end_tasks(*self._jobs.values())

    async def start(
        self, project: Project, run_id: str | None = None, *, command: str | None = None, title: str | None = None
    ) -> tuple[Task, bool]:
        """Start a run for `project`, and return its task and whether the task is new.

        `command` names one of the project's commands; without it the first one is started. A project has one run at a
        time: if a run is active, or has this id, its task is returned instead. Raises AgentUnavailable, InvalidEvent,
        and Conflict if that run is not the requested one.
        """
        found = await self._existing_task(project, run_id)
        if found is not None:
            return _checked_task(found, project, run_id), False
        agent = _agent_of(project)
        chosen = agent.chosen(command) if isinstance(agent, CommandAgent) else agent
        await self._health.check(chosen)
        command_line = None if isinstance(chosen, UpstreamAgent) else readable_command(chosen.argv)
        new_run = run_id or new_id()
        with self._own(new_run):
            task, new = await self._store.acreate_task(
                new_run,
                title=title or f"{project.name}: {command or KIND}",
                kind=KIND,
                metadata={"agent": "command", "command": command_line} if command_line else {"agent": "upstream"},
                project_id=project.project_id,
                alone=True,
            )
            if not new:
                return _checked_task(task, project, run_id), False
            if isinstance(chosen, UpstreamAgent):
                self._start_job(task.task_id, self._relay(task, chosen))
            else:
                await self._start_command(task, chosen)
        return task, True

    async def active_run(self, project: Project) -> Task | None:
        """Return the task of the project's active run, or None."""
        async with self._store.read() as view:
            page = await view.tasks(
                TaskQuery(statuses=ACTIVE_STATUSES, kind=KIND, projects=(project.project_id,), limit=1)
            )
        return page.tasks[0] if page.tasks else None

    async def available(self, project: Project) -> bool:
        """Return whether the project's agent could start or follow a run now. False if it has no agent."""
        try:
            await self.check(project)
        except (AgentUnavailable, Conflict):
            return False
        return True

    async def check(self, project: Project) -> None:
        """Raise AgentUnavailable, with the reason, unless the project's agent is available; Conflict if it has none."""
        agent = _agent_of(project)
        reasons: list[AgentUnavailable] = []
        for one in agent.allowed.values() if isinstance(agent, CommandAgent) else (agent,):
            try:
                await self._health.check(one)
            except AgentUnavailable as error:
                reasons.append(error)
            else:
                return
        raise reasons[0]

    async def _existing_task(self, project: Project, run_id: str | None) -> Task | None:
        """Return the task with this id, or else the active run."""
        if run_id is not None:
            with suppress(UnknownTask):
                async with self._store.glance() as view:
                    return await view.task(run_id)
        return await self.active_run(project)

    @contextmanager
    def _own(self, run_id: str) -> Iterator[None]:
        """Keep the adoption in this process away from a run that is being created."""
        self._starting.append(run_id)
        try:
            yield
        finally:
            self._starting.remove(run_id)

    def _start_job(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._run_job(name, work), name=f"signalbox-agent-{name}")
        self._jobs[name] = task

    async def _run_job(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log.error("an agent run is no longer followed", run=name, exc_info=error)
        finally:
            if self._jobs.get(name) is asyncio.current_task():
                del self._jobs[name]

    async def _relay(self, task: Task, agent: UpstreamAgent) -> None:
        """Relay a run to its end, while this process holds the lease of the run."""
        while True:
            try:
                async with run_lease(self._store, task) as lease:
                    await lease.acquire()
                    return await lease.run(self._relay_to_end(task, agent))
            except LeaseLost:
                log.info("another process relays the run now", run=task.task_id)
            except StoreUnavailable:
                pass
            await asyncio.sleep(RETRY_SECONDS)

    async def _relay_to_end(self, task: Task, agent: UpstreamAgent) -> None:
        run_id, identity, logged = task.task_id, task.identity, ""
        while True:
            try:
                server = AgentServer(agent, run_id)
                await Relay(self._store, run_id, server, _log_info, status_if_refused="failed", identity=identity).run()
                self._loop.record_success()
                return
            except UpstreamRefused as error:
                _log_info(str(error))
                return
            except (StoreUnavailable, AgentUnavailable) as error:
                if str(error) != logged:
                    logged = str(error)
                    log.warning("a relay is blocked", run=run_id, error=logged)
            except StoreError:
                raise
            except Exception as error:
                await self._loop.record_failure(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _start_command(self, task: Task, command: Command) -> None:
        async with AsyncExitStack() as holding:
            # While this process holds the lease, no other one concludes that the command was never started.
            lease = await holding.enter_async_context(run_lease(self._store, task))
            await lease.acquire()
            if not await self._is_queued(task):
                raise AgentUnavailable("the run was ended before its command could be started")
            try:
                exit_code = await commands.start(command, self._store, task)
            except AgentUnavailable as error:
                await detached_run.mark_not_started(self._store, task, str(error))
                raise
            self._start_job(task.task_id, self._wait_for_exit(task, exit_code, holding.pop_all()))

    async def _wait_for_exit(self, task: Task, exit_code: asyncio.Future[int], holding: AsyncExitStack) -> None:
        async with holding:
            while not exit_code.done() and await self._is_queued(task):
                await asyncio.wait({exit_code}, timeout=1.0)
        await detached_run.fail_if_not_started(self._store, task, await exit_code)

    async def _is_queued(self, task: Task) -> bool:
        try:
            async with self._store.glance() as view:
                return (await view.task(task.task_id)).status == "queued"
        except StoreUnavailable:
            return True
        except StoreError:
            return False

    async def _adopt(self, unfinished: list[Task]) -> None:
        """Follow these runs when their processes have ended."""
        agents = await self._agents_of_projects()
        for task in unfinished:
            if task.task_id in self._jobs or task.task_id in self._starting:
                continue
            agent = agents.get(task.project_id)
            if task.metadata.get("agent") == "upstream" and isinstance(agent, UpstreamAgent):
                self._start_job(task.task_id, self._relay(task, agent))
            elif task.metadata.get("agent") == "command" and task.status == "queued":
                self._start_job(task.task_id, self._fail_if_never_started(task))

    async def _fail_if_never_started(self, task: Task) -> None:
        async with run_lease(self._store, task) as lease:
            await lease.acquire()
            # A command that its process started just before the end of that process may not have written yet.
            await asyncio.sleep(START_SECONDS)
            await detached_run.mark_not_started(self._store, task, "the server stopped before the command was started")

    async def _agents_of_projects(self) -> dict[str, CommandAgent | UpstreamAgent]:
        agents: dict[str, CommandAgent | UpstreamAgent] = {}
        for project in await self._store.people.projects():
            with suppress(Conflict):
                agents[project.project_id] = _agent_of(project)
        return agents


def _log_info(text: str) -> None:
    log.info(text)


def _checked_task(task: Task, project: Project, run_id: str | None) -> Task:
    if task.project_id != project.project_id:
        raise Conflict(f"the id {run_id!r} belongs to a task of another project")
    if run_id not in (None, task.task_id):
        raise Conflict(f"the run {task.task_id!r} is active, and a project has one run at a time")
    return task


def _agent_of(project: Project) -> CommandAgent | UpstreamAgent:
    if project.agent is None:
        raise Conflict(f"the project {project.project_id!r} has no agent, so no run can be started")
    try:
        return agent_of(project.agent)
    except InvalidEvent as error:
        # A Conflict: the configuration is wrong, not the request. An older version may have stored it.
        raise Conflict(f"the project {project.project_id!r} has an agent that cannot be used: {error}") from None
