"""Rules of routes that compile the function that builds their addresses when it is first needed.

werkzeug compiles two such functions for each rule, which took a third of the time in which an app is created. Templates
and answers build their addresses without them. `_compile_builder` is internal to werkzeug; if another version does not
call it, its rules are as they were.
"""

from __future__ import annotations

from typing import Any

from quart import Quart
from quart.routing import QuartRule
from werkzeug.routing import Rule


class RouteRule(QuartRule):
    """A rule that compiles nothing before it builds its first address."""

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        compile_builder, compiled = super()._compile_builder, list[Any]()

        def build(rule: Rule, **values: Any) -> Any:
            if not compiled:
                compiled.append(compile_builder(append_unknown))
            return compiled[0](rule, **values)

        return build


def install(app: Quart) -> None:
    """Make the app use these rules for routes that are added from now on."""
    app.url_rule_class = RouteRule
