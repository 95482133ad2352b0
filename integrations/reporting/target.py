"""The target of a program that reports: a store or a server, a project, and the task of `signalbox run` if it has one.

Arguments take precedence over the environment, which has the variables of the command: `SIGNALBOX_STORE_URL` or
`SIGNALBOX_SERVER` with `SIGNALBOX_TOKEN`, `SIGNALBOX_BUS_URL`, and `SIGNALBOX_PROJECT`. `signalbox run` sets these for
its command, and names its task in `SIGNALBOX_TASK` and `SIGNALBOX_TASK_IDENTITY`.
"""

from __future__ import annotations

import os
from collections import namedtuple
from contextlib import suppress

TYPE_CHECKING = False  # from typing, which takes longer to import than this module
if TYPE_CHECKING:
    from signalbox.store.log import Log

DEFAULT_STORE = "sqlite:///signalbox.db"

CALL_TIMEOUT_S = 1.0
"""Seconds for which one call to a server is retried. The background writer repeats it later."""


class ReportTarget(namedtuple("ReportTarget", ("url", "token", "project", "bus"), defaults=(None, None, None))):
    """Where to report. `url` is the URL of a store, or of a server that is used with `token`.

    A new task belongs to `project`; without one to that of the token, else to `default`.
    """

    __slots__ = ()
    url: str
    token: str | None
    project: str | None
    bus: str | None

    @property
    def is_server(self) -> bool:
        """Whether the target is a server, not a database."""
        return self.url.startswith(("http://", "https://"))

    @property
    def is_file(self) -> bool:
        """Whether the target is a database file."""
        return self.url.startswith("sqlite:")

    @property
    def shown_url(self) -> str:
        """The URL without its password, for messages."""
        from signalbox.store.urls import without_password

        return without_password(self.url)

    def load(self) -> None:
        """Load the modules that `open` needs, which takes a third of a second, or much longer on a busy machine."""
        if self.is_server:
            import signalbox.store.remote.spooled  # noqa: F401
        else:
            from signalbox.store import StoreError, load_store

            with suppress(StoreError):  # `open` raises it again.
                load_store(self.url)

    def open(self) -> Log:
        """Open the log. Raises StoreError."""
        if self.is_server:
            from signalbox.store.remote.spooled import SpooledLog

            return SpooledLog(self.url, self.token, patience=CALL_TIMEOUT_S)
        from signalbox.store import open_store

        return open_store(self.url, bus=self.bus)


class TaskName(namedtuple("TaskName", ("task_id", "identity"), defaults=(None,))):
    """An existing task. With its `identity` a later task with the same id is never meant."""

    __slots__ = ()
    task_id: str
    identity: str | None


def target(
    store: str | None = None, *, server: str | None = None, token: str | None = None, project: str | None = None
) -> ReportTarget:
    """Return the target that the arguments or the environment name, by default the file `signalbox.db` here.

    `store` may also be the URL of a server. Raises ValueError if both `store` and `server` are given.
    """
    if store and server:
        raise ValueError("give store or server, not both")
    given = store or server
    url = given or _variable("SIGNALBOX_SERVER") or _variable("SIGNALBOX_STORE_URL") or DEFAULT_STORE
    project = project or _variable("SIGNALBOX_PROJECT")
    if url.startswith(("http://", "https://")):
        return ReportTarget(url, token or _variable("SIGNALBOX_TOKEN"), project)
    return ReportTarget(_absolute(url), None, project, _variable("SIGNALBOX_BUS_URL"))


def current_task(chosen: ReportTarget) -> TaskName | None:
    """Return the task of the `signalbox run` around this program. None if there is none, or `chosen` is another log."""
    task_id = _variable("SIGNALBOX_TASK")
    if task_id is None or chosen._replace(project=None) != target()._replace(project=None):
        return None
    return TaskName(task_id, _variable("SIGNALBOX_TASK_IDENTITY"))


def _variable(name: str) -> str | None:
    return os.environ.get(name) or None


def _absolute(url: str) -> str:
    """Return the URL of a database file with its absolute path, because the program may change its directory."""
    start = "sqlite:///"
    if not url.startswith(start) or url.startswith(f"{start}/") or url == start:
        return url
    from urllib.parse import quote, unquote

    return start + quote(os.path.abspath(unquote(url.removeprefix(start))))
