"""What each route needs, declared where it is defined: `@needs("read")` or `@public`, below the route's decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from quart import Quart

from signalbox.store.people import Scope

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a route needs. `scope` None: nothing.

    The scope is needed in the project of the task that the part `task` of the address names, or in the project that
    the part `project_id` names; else in any project, or `everywhere` in all of them. With `makes` the task may be new.
    `query_token` allows `?token=`, for a browser's EventSource and WebSocket, which send no header.
    """

    scope: Scope | None
    task: str = "task_id"
    makes: bool = False
    everywhere: bool = False
    query_token: bool = False


def needs(
    scope: Scope, *, task: str = "task_id", makes: bool = False, everywhere: bool = False, query_token: bool = False
) -> Callable[[F], F]:
    """Declare what a route needs; see Access."""
    return _declare(Access(scope=scope, task=task, makes=makes, everywhere=everywhere, query_token=query_token))


def public(view: F) -> F:
    """Declare that a route needs nothing."""
    return _declare(Access(scope=None))(view)


def access_of(app: Quart, endpoint: str) -> Access | None:
    """What the route of an endpoint needs; None if it does not say."""
    return getattr(app.view_functions[endpoint], "access", None)


def check_declared(app: Quart) -> None:
    """Raise RuntimeError unless every route says what it needs."""
    silent = sorted({rule.rule for rule in app.url_map.iter_rules() if access_of(app, rule.endpoint) is None})
    if silent:
        raise RuntimeError(f"these routes do not declare what they need, with @needs or @public: {', '.join(silent)}")


def _declare(access: Access) -> Callable[[F], F]:
    def declare(view: F) -> F:
        view.access = access  # type: ignore[attr-defined]
        return view

    return declare
