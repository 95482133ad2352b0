"""Test that a rule builds addresses, and that creating an app compiles no function that builds them."""

from __future__ import annotations

import pytest
from werkzeug.routing import Map, Rule

from signalbox.webapp.app import create_app
from signalbox.webapp.http.route_rules import RouteRule
from signalbox.webapp.settings import Settings


def test_creating_an_app_compiles_no_builder_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a builder was compiled")

    monkeypatch.setattr(Rule, "_compile_builder", refuse)
    assert create_app(Settings()).url_map._rules


def test_a_rule_still_builds_its_address() -> None:
    rules = Map([RouteRule("/tasks/<task_id>/log", endpoint="log")]).bind("example.org")
    for _ in range(2):
        assert rules.build("log", {"task_id": "a b", "q": "x"}) == "/tasks/a%20b/log?q=x"
