"""The docs are correct: their examples run, and they describe every setting, command, route and event type.

Each `python` or `shell` block runs against a real server and its database, in place of http://127.0.0.1:8000 and
signalbox.db. A `json` or `text` block is the expected output of the block before it, except for ids and times. A
`shell stream` block runs for ever: it is killed once it has printed the expected lines. A `shell alone` block has its
own database, because it changes access rights. `console` blocks are not run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from signalbox.store.events import KNOWN_EVENTS, OLDER_SPELLINGS
from signalbox.store.state import STATUSES
from signalbox.webapp.api.openapi import describe
from signalbox.webapp.app import create_app
from signalbox.webapp.cli import cli
from signalbox.webapp.http.refusal_table import CALLER_STREAMS, REFUSALS
from signalbox.webapp.settings import Settings, variable
from tests.support.markdown import Block, anchors, blocks, links, rows, section
from tests.support.paths import ROOT
from tests.support.server import Server

DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
DOCUMENTED_URL = "http://127.0.0.1:8000"
MASKS = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<moment>"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b", "<minute>"),
    (r"\b\d\d:\d\d:\d\d\.\d{3}\b", "<time>"),
    (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "<ulid>"),
    (r"\b[0-9a-f]{16}\b", "<identity>"),
    (r'("(?:event_id|runner_pid|streams|tasks|lag_p99)": ?)[\d.]+', r"\g<1>0"),
)
"""Patterns of output that differs from run to run, each with its replacement."""

documents = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def read(name: str) -> str:
    return (DOCS / name).read_text()


# the examples


@pytest.mark.long
@documents
def test_every_example_runs_and_prints_the_documented_output(path: Path, server: Server) -> None:
    printed = ""
    for block in blocks(path.read_text()):
        expected = next_block_text(path, block)
        if block.language == "python":
            printed = run([sys.executable, "-c", with_real_url(block.text, server)], server)
        elif (block.language, block.mark) == ("shell", "stream"):
            printed = run_until(expected, with_real_url(block.text, server), server)
        elif (block.language, block.mark) == ("shell", "alone"):
            printed = run(["bash", "-euo", "pipefail", "-c", block.text], server, store=f"sqlite:///{path.stem}.db")
        elif block.language == "shell":
            printed = run(["bash", "-euo", "pipefail", "-c", with_real_url(block.text, server)], server)
        elif block.language in ("json", "text"):
            location = f"{path.name}:{block.line}"
            assert masked(block, printed) == masked(block, block.text), f"{location} differs from the output"


def next_block_text(path: Path, block: Block) -> str:
    return next((after.text for after in blocks(path.read_text()) if after.line > block.line), "")


def with_real_url(code: str, server: Server) -> str:
    return code.replace(DOCUMENTED_URL, server.url)


def environment(server: Server, store: str | None = None) -> dict[str, str]:
    own = {"SIGNALBOX_STORE_URL": store or server.store_url, "NO_COLOR": "1"}
    return {**os.environ, **own, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def run(command: list[str], server: Server, store: str | None = None) -> str:
    done = subprocess.run(
        command, cwd=server.path.parent, env=environment(server, store), capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
    return done.stdout.replace(server.url, DOCUMENTED_URL)


def run_until(expected: str, command: str, server: Server) -> str:
    options: dict[str, Any] = {"cwd": server.path.parent, "env": environment(server)}
    with subprocess.Popen(["bash", "-c", f"exec {command}"], stdout=subprocess.PIPE, text=True, **options) as process:
        assert process.stdout is not None
        too_late = threading.Timer(15, process.kill)
        too_late.start()
        lines = [process.stdout.readline() for _ in expected.splitlines()]
        too_late.cancel()
        process.kill()
    return "".join(lines)


def masked(block: Block, text: str) -> Any:
    text = text.strip()
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return json.loads(text) if block.language == "json" else text


# completeness


@documents
def test_links_lead_to_existing_targets(path: Path) -> None:
    for target in links(path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(file.read_text()), f"{path.name} links to {target}"


@documents
def test_the_readme_links_to_every_document(path: Path) -> None:
    reached = {ROOT / "README.md", *((ROOT / target.partition("#")[0]) for target in links(DOCUMENTS[0].read_text()))}
    assert path in reached


def test_images_are_small() -> None:
    too_large = [path.name for path in (DOCS / "images").iterdir() if path.stat().st_size > 220_000]
    assert not too_large


def test_every_setting_is_documented_with_its_bounds() -> None:
    documented = {row[0]: row[1:] for row in rows(read("settings.md"))}
    expected = {f"`{spec.name}`": setting_row(spec) for spec in dataclasses.fields(Settings)}
    assert documented == expected


def setting_row(spec: dataclasses.Field[Any]) -> list[str]:
    low, high, choices = (spec.metadata[name] for name in ("low", "high", "choices"))
    default = str(spec.default).lower() if isinstance(spec.default, bool) else str(spec.default)
    bounds = f"{low:,} to {high:,}" if low is not None else ", ".join(f"`{choice}`" for choice in choices)
    return [f"`{variable(spec)}`", f"`{default}`" if default else "none", bounds, spec.metadata["help"]]


def commands(group: click.Group, *above: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        else:
            yield " ".join((*above, name)), command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_documented(name: str) -> None:
    text = section(read("command.md"), f"signalbox {name}")
    settings = {spec.name for spec in dataclasses.fields(Settings)}
    documented = {row[0].split("`")[1].split()[0]: row[1] for row in rows(text)}
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not (name == "serve" and parameter.name in settings):
            default = parameter.default
            assert parameter.opts[-1] in documented, f"signalbox {name} {parameter.opts[-1]} is not in command.md"
            if isinstance(default, str | int | float) and not isinstance(default, bool):
                assert documented[parameter.opts[-1]] == f"`{default}`"
        elif isinstance(parameter, click.Argument):
            assert parameter.make_metavar(click.Context(cli)).rstrip(".") in text


def test_every_route_is_documented() -> None:
    variable_part = re.compile(r"<(?:[^:>]*:)?([^>]*)>")
    routes = {
        f"{method} {variable_part.sub(lambda part: '{' + part[1] + '}', rule.rule)}"
        for rule in create_app(Settings()).url_map.iter_rules()
        for method in (rule.methods or {"GET"}) - {"HEAD", "OPTIONS"}
    }
    text = "".join(map(read, ("api.md", "streams.md", "dialects.md", "pages.md", "operations.md")))
    documented = set(re.findall(r"\b((?:GET|POST|DELETE|PUT|PATCH) /[^\s`?]*)", text))
    assert routes <= documented, sorted(routes - documented)
    assert documented <= routes, sorted(documented - routes)


DOCUMENT = describe(create_app(Settings()))
OPERATIONS = {
    f"{method.upper()} {path}": route
    for path, methods in (DOCUMENT["paths"] | DOCUMENT["x-websockets"]).items()
    for method, route in methods.items()
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_api_parameter_is_documented_with_its_bounds(name: str) -> None:
    text = "".join(map(read, ("api.md", "streams.md", "dialects.md")))
    tables = rows(section(text, name))
    documented = {row[0].strip("`"): row[1:3] for row in tables if len(row) == 4}
    parameters = {
        parameter["name"]: default_and_bounds(parameter["schema"])
        for parameter in OPERATIONS[name]["parameters"]
        if parameter["in"] == "query" and not name.startswith("GET /ws/")
    }
    assert documented == parameters


def default_and_bounds(schema: dict[str, Any]) -> list[str]:
    constraint = schema.get("anyOf", [schema])[0]
    default, low, high = schema.get("default"), constraint.get("minimum"), constraint.get("maximum")
    bounds = f"{low:,} to {high:,}" if low is not None and high != 2**53 - 1 else "0 or more" if low == 0 else ""
    return ["" if default in (None, "") else f"`{default}`", bounds]


def test_every_error_is_documented_with_its_status_and_code() -> None:
    documented = {(row[0], row[1].strip("`")) for row in rows(section(read("api.md"), "Errors"))}
    errors = {(str(refusal.status), refusal.code) for refusal in (*REFUSALS.values(), CALLER_STREAMS)}
    assert documented == errors | {("426", "upgrade_required"), ("500", "internal")}


def test_every_field_of_the_snapshot_is_documented() -> None:
    fields = set(DOCUMENT["components"]["schemas"]["Snapshot"]["properties"])
    table = rows(section(read("api.md"), "GET /api/tasks/{task_id}/events/snapshot"))
    documented = {word for row in table for word in re.findall(r"`(\w+)`", row[0])}
    assert fields <= documented


def test_every_metric_is_documented(server: Server) -> None:
    documented = {row[0].strip("`"): row[1] for row in rows(section(read("operations.md"), "Metrics"))}
    metrics = re.findall(r"^# TYPE (\S+) (\S+)$", server.get("/metrics").text, re.MULTILINE)
    assert documented == {name: kind for name, kind in metrics if not name.endswith("_created")}


@pytest.mark.parametrize("word", [*KNOWN_EVENTS, *OLDER_SPELLINGS, *STATUSES])
def test_every_event_type_and_status_is_documented(word: str) -> None:
    assert f"`{word}`" in read("events.md")


@pytest.mark.parametrize("module", ["EventStreamService", "connection-options", "ConnectionStatus"])
def test_every_default_of_the_browser_modules_is_documented(module: str) -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows(read("browser.md"))}
    source = (ROOT / "webapp" / "static" / "js" / f"{module}.js").read_text()
    defaults_text = re.search(r"(?:const defaults = |this\.#options = )\{(.*?)\}", source, re.DOTALL)
    assert defaults_text
    defaults = dict(re.findall(r"(\w+): ([\w.']+|\{\}),?(?:\s|$)", defaults_text[1]))
    internal = {"pauseHidden", "probe"}
    assert {name: documented.get(name) for name in defaults.keys() - internal} == {
        name: value for name, value in defaults.items() if name not in internal
    }
