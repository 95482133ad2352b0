"""The ids of the tasks that traces and the logs of services become."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from signalbox.store.emitter.fit_payload import word
from signalbox.store.state import Task

SERVICE_NAME = "service.name"
UNKNOWN_SERVICE = "unknown_service"
"""The `service.name` that OpenTelemetry's SDKs report for a program without a name, possibly followed by `:python`."""

METADATA_KEY = "opentelemetry"
"""The key of a task's metadata that says that the task was created for spans or log records."""

_TRACE_ID = re.compile("[0-9a-f]{32}")

_INSTANCE = ("service.namespace", SERVICE_NAME, "service.instance.id", "host.name", "process.pid")
"""The resource attributes that identify an instance of a service."""


def task_id_of_trace(trace_id: str) -> str:
    """Return the id of the task of a trace that belongs to no run: the trace id itself, in lower case."""
    return trace_id.lower()


def only_reports(task: Task) -> bool:
    """Return whether a task consists of spans or log records only, so that no program reads requests and messages.

    A task that a run has started is more, also if spans joined it.
    """
    is_received = METADATA_KEY in task.metadata or (task.trace is not None and bool(_TRACE_ID.fullmatch(task.task_id)))
    return is_received and not task.spawn_seq


def task_id_of_logs(resource: Mapping[str, Any]) -> str:
    """Return the id of the task of a service instance, for its log records without a trace."""
    named = "\0".join(str(resource.get(name, "")) for name in _INSTANCE)
    return f"logs-{hashlib.sha256(named.encode(errors='replace')).hexdigest()[:24]}"


def service_of(resource: Mapping[str, Any]) -> str | None:
    """Return the name of the service as one line, or None if it has none."""
    name = resource.get(SERVICE_NAME)
    return word(name) if isinstance(name, str) else None


def title_of_logs(resource: Mapping[str, Any]) -> str:
    """Return the title of the task for a service instance's log records without a trace."""
    instance = next((word(resource[name], 60) for name in _INSTANCE[2:] if resource.get(name)), None)
    title = f"Log of {service_of(resource) or UNKNOWN_SERVICE}"
    return f"{title} ({instance})" if instance else title
