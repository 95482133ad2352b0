"""The rights that routes require, declared by `@needs("read")` or `@public` below the route's decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from quart import Quart

from signalbox.store.people import Scope

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Access:
    """The rights that a route requires. `scope` is None for a public route.

    The scope is required in the project of the task that the path parameter `task` names, or in the project that the
    path parameter `project_id` names. Without these parameters it is required in at least one project, or in all with
    `everywhere`. With `may_create` the task may be new. `query_token` allows `?token=`, because a browser's EventSource
    and WebSocket cannot send headers. `body` names the setting that limits the body in place of `max_body`.
    """

    scope: Scope | None
    task: str = "task_id"
    may_create: bool = False
    everywhere: bool = False
    query_token: bool = False
    body: str | None = None


def needs(
    scope: Scope,
    *,
    task: str = "task_id",
    may_create: bool = False,
    everywhere: bool = False,
    query_token: bool = False,
    body: str | None = None,
) -> Callable[[F], F]:
    """Declare the rights that a route requires; see Access."""
    return _declare(
        Access(scope=scope, task=task, may_create=may_create, everywhere=everywhere, query_token=query_token, body=body)
    )


def public(view: F) -> F:
    """Declare that a route requires no rights."""
    return _declare(Access(scope=None))(view)


def access_of(app: Quart, endpoint: str) -> Access | None:
    """Return the declaration of an endpoint's route; None if it has none."""
    return getattr(app.view_functions[endpoint], "access", None)


def check_declared(app: Quart) -> None:
    """Raise RuntimeError unless every route has a declaration."""
    missing = sorted({rule.rule for rule in app.url_map.iter_rules() if access_of(app, rule.endpoint) is None})
    if missing:
        raise RuntimeError(f"these routes do not declare their rights with @needs or @public: {', '.join(missing)}")


def _declare(access: Access) -> Callable[[F], F]:
    def declare(view: F) -> F:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare
