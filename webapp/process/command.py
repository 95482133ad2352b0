"""One command as a task, from spawn to exit."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from signalbox.store import NewEvent, StoreError, StoreMoved
from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.events import new_span_id
from signalbox.store.identity import reference_to
from signalbox.store.log import Log, Remote
from signalbox.store.state import Task
from signalbox.store.trace_context import trace_variables
from signalbox.webapp.process.echo import Echoes
from signalbox.webapp.process.output import Output
from signalbox.webapp.process.recorder import Recorder
from signalbox.webapp.process.resource_sampler import ResourceSampler
from signalbox.webapp.process.run_facts import IDENTITY_VARIABLE, TASK_VARIABLE, facts_of, readable_command
from signalbox.webapp.process.run_log import RunLog
from signalbox.webapp.process.signature import CommandLine, signature
from signalbox.webapp.process.stopper import Stopper
from signalbox.webapp.process.terminal import OutputPipe, copy_size, open_pipes
from signalbox.webapp.process.unfinished import UnfinishedLines
from signalbox.webapp.process.watchdog import Watchdog
from signalbox.webapp.process.write_order import WriteOrder

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""The exit codes of a shell for a command that does not exist, or that cannot be executed."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals to `signalbox run` that stop the command."""

LEFTOVER_OUTPUT_S = 2.0
"""Seconds for which the output of processes that outlive the command is still read."""

READER_TIMEOUT_S = 5.0
"""Seconds without a read after which a stopped run no longer waits for the reader of its output."""

FINAL_TIMEOUT_S = 60.0
"""Seconds to wait at the end for a log that does not answer, before events are given up."""


AWAY_TIMEOUT_S = 2.0
"""Seconds to wait at the end for a server that is away, while events wait on disk."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a run; see `signalbox run --help`.

    `environment` is added to the command's environment. `recorded_variables` and `retry_options` are logged for a
    retry.
    """

    terminals: bool = True
    merge: bool = False
    grace: float = 5.0
    environment: dict[str, str] = {}
    recorded_variables: dict[str, str] = {}
    retry_options: tuple[str, ...] = ()
    heartbeat_interval: float = HEARTBEAT_INTERVAL
    final_timeout: float = FINAL_TIMEOUT_S
    time_limit: float | None = None
    resources: bool = True


async def run_command(
    log: Log,
    task: Task,
    command: list[str],
    options: Options,
    at_end: Callable[[Log], Awaitable[None]] | None = None,
) -> int:
    """Run `command` as `task` and return its exit code; 128 + n if signal n ended it.

    `at_end` is awaited after the end of the run, with its log: another one than `log` if the store was moved meanwhile.
    """
    return await CommandRun(log, task, command, options).run(at_end)


class CommandRun:
    """One run of a command: its process, its terminals and its events."""

    def __init__(self, log: Log, task: Task, command: list[str], options: Options) -> None:
        self._log, self._task, self._command, self._options = log, task, command, options
        self._span_id = new_span_id()
        self._facts = facts_of(command, options.recorded_variables, options.retry_options, self._sign)
        self._echoes = Echoes()
        say = self._echoes.errors.notice
        self._run_log = RunLog(log, say)
        self._run_log.on_move = self._renew_lifeline
        self._recorder = Recorder(log, task.task_id, say, task.identity or None, follow=self._run_log.follow)
        if isinstance(log, Remote):
            log.set_notice(say)
        self._given_up = asyncio.Event()
        self._lifeline: Lifeline | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._stopper = Stopper(options.grace)

    async def run(self, at_end: Callable[[Log], Awaitable[None]] | None = None) -> int:
        """Start the command, follow it to its end, and wait until its events are in the log. Return the exit code."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._stopper.stop, number, f"stopped by {number.name}")
        pipes = open_pipes(terminals=self._options.terminals, merge=self._options.merge)
        order = WriteOrder([pipe.sink for pipe in pipes])
        guard = Watchdog(self._options.grace)
        try:
            process = await self._start(pipes)
        except OSError as error:
            code, message = self._spawn_failure(error)
            self._echoes.errors.notice(message)
            self._emit("runner_exit", exit_code=code, status="failed", message=message, **self._facts)
        else:
            guard.watch(process.pid)
            self._stopper.attach(process.pid)
            code = await self._attend(process, pipes, order)
        guard.dismiss()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._give_up)
        left = await self._recorder.finish(self._options.final_timeout)
        if left and not self._recorder.task_is_gone:
            self._echoes.errors.notice(f"the log is incomplete: its last {left} events are missing")
        await self._flush()
        for following in self._following:
            following.cancel()
        # The log is complete. Like any program, wait until the output is read, or until a signal arrives.
        await self._echoes.finish(READER_TIMEOUT_S if self._stopper.cause else None)
        if at_end is not None:
            await at_end(self._run_log.log)
        await self._run_log.aclose()
        return code

    async def _flush(self) -> None:
        """Wait until the events on disk are sent, unless the server is away or a signal arrives."""
        log = self._run_log.log
        if not isinstance(log, Remote):
            return
        flushing = asyncio.create_task(log.aflush(self._options.final_timeout, AWAY_TIMEOUT_S))
        giving_up = asyncio.create_task(self._given_up.wait())
        await asyncio.wait((flushing, giving_up), return_when=asyncio.FIRST_COMPLETED)
        giving_up.cancel()
        waiting = flushing.result() if flushing.done() else await log.aflush(0, 0)
        if waiting:
            events = "1 event waits" if waiting == 1 else f"{waiting:,} events wait"
            self._echoes.errors.notice(f"{events} on disk until the server is back: see `signalbox spool`")

    def _give_up(self) -> None:
        self._given_up.set()
        self._recorder.give_up()
        self._echoes.give_up()

    def _sign(self, line: CommandLine) -> str | None:
        # Only the store itself has the key, so a command that runs through a server is not signed.
        key = None if isinstance(self._log, Remote) else self._log.key
        return signature(line, key, self._task) if key else None

    async def _start(self, pipes: list[OutputPipe]) -> asyncio.subprocess.Process:
        try:
            # Use a separate session, so that Ctrl-C in the terminal reaches only this process, which forwards it.
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdout=pipes[0].sink,
                stderr=pipes[-1].sink,
                start_new_session=True,
                env=self._environment(),
            )
        except OSError:
            for pipe in pipes:
                os.close(pipe.source)
            raise
        finally:
            for pipe in pipes:
                os.close(pipe.sink)

    async def _attend(self, process: asyncio.subprocess.Process, pipes: list[OutputPipe], order: WriteOrder) -> int:
        loop, stopper = asyncio.get_running_loop(), self._stopper
        interval = self._options.heartbeat_interval
        self._emit("runner_spawn", runner_pid=process.pid, heartbeat_interval=interval, **self._facts)
        output = Output(pipes, self._recorder, self._span_id, self._show, order)
        unfinished = UnfinishedLines(lambda: self._run_log.log, self._task, output.unfinished, output.busy)
        output.on_change = unfinished.changed
        # A task that is not stored yet has no identity.
        self._lifeline = self._open_lifeline(self._task.latest_seq if self._task.identity else None)
        loop.add_signal_handler(signal.SIGWINCH, self._resize, pipes, output)

        limit = self._options.time_limit
        timer = loop.call_later(limit, stopper.time_out, limit) if limit is not None else None
        sampler = ResourceSampler(process.pid, self._report_resources) if self._options.resources else None
        code = exit_code(await process.wait())
        if sampler is not None:
            await sampler.stop()
        if timer is not None:
            timer.cancel()
        await stopper.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEFTOVER_OUTPUT_S):
                await output.ended()
        loop.remove_signal_handler(signal.SIGWINCH)
        output.close()
        await unfinished.stop()
        lifeline, self._lifeline = self._lifeline, None
        await asyncio.to_thread(lifeline.stop)
        self._emit("runner_exit", exit_code=code, **outcome(code, stopper.cause, timed_out=stopper.timed_out))
        return code

    def _open_lifeline(self, since_seq: int | None) -> Lifeline:
        loop, log = asyncio.get_running_loop(), self._run_log.log
        lifeline = Lifeline(log, self._task, self._span_id, since_seq, self._options.heartbeat_interval)
        self._recorder.on_append = lifeline.touch

        def cancelled() -> None:
            loop.call_soon_threadsafe(self._stopper.stop, signal.SIGINT, "cancelled on request")

        def failed(error: StoreError) -> None:
            # The lifeline also notices a move while the command prints nothing.
            if isinstance(error, StoreMoved):
                loop.call_soon_threadsafe(self._follow_soon, log, error)

        lifeline.on_cancel(cancelled)
        lifeline.on_failure(failed)
        return lifeline

    def _follow_soon(self, log: Log, moved: StoreMoved) -> None:
        self._following.add(asyncio.create_task(self._run_log.follow_quietly(log, moved)))

    async def _renew_lifeline(self) -> None:
        """Replace the lifeline by one that follows the moved store, unless the command has ended."""
        lifeline = self._lifeline
        if lifeline is not None:
            await asyncio.to_thread(lifeline.stop)
            if self._lifeline is lifeline:
                self._lifeline = self._open_lifeline(lifeline.cursor)

    def _environment(self) -> dict[str, str]:
        # The command may emit to its task, and start other runs.
        own = {TASK_VARIABLE: self._task.task_id, IDENTITY_VARIABLE: self._task.identity}
        own |= trace_variables(reference_to(self._task), self._span_id, os.environ) | self._options.environment
        return {"TERM": "xterm-256color", **os.environ, **own}

    def _emit(self, event_type: str, **payload: Any) -> None:
        self._recorder.add(NewEvent(event_type=event_type, span_id=self._span_id, payload=payload))

    def _report_resources(self, sample: dict[str, float]) -> None:
        self._emit("runner_heartbeat", resources=sample)

    def _show(self, pipe: OutputPipe, data: bytes) -> None:
        self._echoes.of(pipe.stream).write(data)

    def _resize(self, pipes: list[OutputPipe], output: Output) -> None:
        for pipe in pipes:
            copy_size(pipe)
        output.resize()
        self._stopper.send(signal.SIGWINCH)

    def _spawn_failure(self, error: OSError) -> tuple[int, str]:
        name = readable_command(self._command)[0]
        if isinstance(error, FileNotFoundError) and shutil.which(self._command[0], os.F_OK) is None:
            return NOT_FOUND, f"command not found: {name}"
        return NOT_EXECUTABLE, f"cannot execute {name}: {error.strerror}"


def exit_code(returncode: int) -> int:
    """Return the exit code as a shell reports it."""
    return returncode if returncode >= 0 else 128 - returncode


def outcome(code: int, stopped: str | None, *, timed_out: bool = False) -> dict[str, str]:
    """Return the fields of `runner_exit` that say how the command ended."""
    if stopped and timed_out:
        return {"status": "failed", "error_code": "time_limit", "message": stopped}
    if stopped:
        return {"status": "cancelled", "message": stopped}
    if code == 0:
        return {"status": "done"}
    names = {number.value: number.name for number in signal.Signals}
    ended = f"killed by {names[code - 128]}" if code - 128 in names else f"exit code {code}"
    return {"status": "failed", "message": ended}
