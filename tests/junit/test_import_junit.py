"""Test `signalbox import junit`: JUnit XML of several test runners becomes a finished run."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from signalbox.integrations.reporting import testing
from signalbox.store import NewEvent, open_store
from signalbox.webapp.junit.report import read_report
from signalbox.webapp.junit.run import run_of
from tests.support.command import signalbox
from tests.support.paths import ROOT
from tests.support.reporting import environment, events_in, tasks_in
from tests.support.server import Server

GRADLE = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="com.shop.OrderTest" tests="3" failures="1" timestamp="2026-11-20T10:00:00" hostname="ci-7" time="3.5">
  <testcase name="adds()" classname="com.shop.OrderTest" time="1.5"/>
  <testcase name="totals()" classname="com.shop.OrderTest" time="2.0">
    <failure message="expected: &lt;4&gt; but was: &lt;3&gt;" type="org.opentest4j.AssertionFailedError">
org.opentest4j.AssertionFailedError: expected: &lt;4&gt; but was: &lt;3&gt;
	at com.shop.OrderTest.totals(OrderTest.java:12)</failure>
    <system-err>rounding</system-err>
  </testcase>
  <testcase name="pays()" classname="com.shop.OrderTest"><skipped message="no network"/></testcase>
</testsuite>
"""

SUREFIRE = """<testsuites><testsuite name="cart"><testcase classname="cart" name="flaky" time="0.5">
<flakyFailure message="not yet" type="java.lang.AssertionError">x</flakyFailure></testcase></testsuite></testsuites>
"""

BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]>
<testsuite name="&b;"><testcase name="x"/></testsuite>
"""


async def test_files_become_one_finished_run_with_the_times_of_the_tests(tmp_path: Path, url: str) -> None:
    (tmp_path / "orders.xml").write_text(GRADLE)
    (tmp_path / "cart.xml").write_text(SUREFIRE)
    files = (str(tmp_path / "orders.xml"), str(tmp_path / "cart.xml"))
    options = ("--title", "Build 12", "--tag", "branch=main", "--link", "build=https://ci.example/12", "--store", url)
    for _ in range(2):
        done = signalbox("import", "junit", *files, *options)
        assert done.returncode == 0, done.stderr
    (task,) = await tasks_in(url)
    assert done.stdout == f"{task.task_id}: 4 tests, failed\n"
    assert (task.title, task.kind, task.tags) == ("Build 12", "tests", {"branch": "main"})
    assert str(task.error) == "1 failed, 2 passed, 1 skipped, 1 rerun in 4.00s"
    events = await events_in(url, task.task_id)
    failed = next(event for event in events if event.payload.get("outcome") == "failed")
    assert failed.payload["work_item_id"] == "com.shop.OrderTest > totals()"
    assert (failed.payload["error_code"], failed.payload["message"]) == (
        "AssertionFailedError",
        "expected: <4> but was: <3>",
    )
    assert (failed.phase, failed.happened_at) == ("com.shop.OrderTest", "2026-11-20T10:00:03.500000Z")
    lines = [event.payload for event in events if event.event_type == "log" and event.span_id == failed.span_id]
    assert lines[0] == {"message": "rounding", "stream": "stderr"}
    assert "at com.shop.OrderTest.totals(OrderTest.java:12)" in lines[1]["message"]
    flaky = [event.payload for event in events if event.payload.get("work_item_id") == "cart > flaky"]
    assert [payload.get("outcome") for payload in flaky] == [None, "rerun", None, "passed"]


def test_the_events_do_not_depend_on_how_long_the_import_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for pause in (0.0, 1.0):
        clock = itertools.count(100.0, pause)
        monkeypatch.setattr(testing.time, "monotonic", lambda clock=clock: next(clock))
        found.append(run_of([read_report(GRADLE.encode(), 1000)], 1.7e9))
    assert found[0] == found[1]
    times = [event.occurred_at or "" for event in found[0]]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("attribute", "seconds"),
    [("1.5", 1.5), ("0,5", 0.5), ("0,125", 0.125), ("1,204.5", 1204.5), ("1,204", 1204.0), ("-1", None), ("x", None)],
)
def test_a_duration_may_have_a_decimal_comma_or_thousands(attribute: str, seconds: float | None) -> None:
    (test,) = read_report(GRADLE.replace('time="1.5"', f'time="{attribute}"').encode(), 1000).tests[:1]
    assert test.seconds == seconds


def test_a_suite_whose_time_is_unknown_does_not_begin_in_the_year_1() -> None:
    text = GRADLE.replace("2026-11-20T10:00:00", "0001-01-01T00:00:00")
    events = run_of([read_report(text.encode(), 1000)], 1_700_000_003.5)
    assert (events[0].occurred_at, events[-1].occurred_at) == (
        "2023-11-14T22:13:20.000000Z",
        "2023-11-14T22:13:23.500000Z",
    )


def test_durations_of_millennia_do_not_put_the_begin_after_the_end() -> None:
    tests = '<testcase classname="c" name="t" time="9e8"/>' * 100
    events = run_of([read_report(f"<testsuite>{tests}</testsuite>".encode(), 1000)], 1.7e9)
    assert events[0].occurred_at == "0001-01-01T00:00:00.000000Z"


async def test_secrets_are_hidden_before_they_are_stored(tmp_path: Path, url: str) -> None:
    secret = "hunter2hunter2"
    (tmp_path / "tests.xml").write_text(GRADLE.replace("rounding", f"token={secret}"))
    options = ("--title", f"Build password={secret}", "--as", "hidden", "--store", url)
    done = signalbox("import", "junit", str(tmp_path / "tests.xml"), *options, SIGNALBOX_REDACT_WRITES="1")
    assert done.returncode == 0, done.stderr
    stored = f"{await tasks_in(url)} {[event.payload for event in await events_in(url, 'hidden')]}"
    assert "token=" in stored
    assert secret not in stored


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB, "it has a document type"),
        ("<html/>", "it begins with <html>"),
        ("<testsuite>", "no element found"),
        ("", "no element found"),
        ('<?xml version="1.0" encoding="shift_jis"?><testsuite/>', "multi-byte encodings are not supported"),
        ('<?xml version="1.0" encoding="no-such"?><testsuite/>', "unknown encoding: no-such"),
    ],
)
def test_a_file_that_is_no_junit_xml_is_refused(content: str, reason: str, tmp_path: Path, url: str) -> None:
    (tmp_path / "bad.xml").write_text(content)
    done = signalbox("import", "junit", str(tmp_path / "bad.xml"), "--store", url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"signalbox: this is not JUnit XML: {reason}")


@pytest.mark.long
def test_the_documented_steps_of_ci_report_to_a_server(start_server: Callable[..., Server], tmp_path: Path) -> None:
    server = start_server()
    (tmp_path / "report.xml").write_text(GRADLE)
    (tmp_path / "build" / "test-results" / "test").mkdir(parents=True)
    (tmp_path / "build" / "test-results" / "test" / "cart.xml").write_text(SUREFIRE)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pipx").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "signalbox").write_text(f'#!/bin/sh\nexec {sys.executable} -m signalbox "$@"\n')
    for program in (tmp_path / "bin").iterdir():
        program.chmod(0o755)
    text = (ROOT / "docs" / "integrations.md").read_text()
    blocks = dict(re.findall(r"```(yaml|groovy)\n(.*?)```", text, re.S))
    (step,) = yaml.safe_load(blocks["yaml"])
    jenkins = re.findall(r"sh '''\n(.*?)'''", blocks["groovy"], re.S)[0]
    variables = {
        "GITHUB_WORKFLOW": "tests",
        "GITHUB_RUN_NUMBER": "12",
        "GITHUB_REF_NAME": "main",
        "GITHUB_SHA": "3fa9c1e",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "ada/shop",
        "GITHUB_RUN_ID": "99",
        "JOB_NAME": "shop",
        "BUILD_NUMBER": "7",
        "GIT_COMMIT": "3fa9c1e",
        "BUILD_URL": "https://ci.example/7",
    }
    for script in (step["run"], jenkins):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace("https://signalbox.example.org", server.url)],
            cwd=tmp_path,
            env=environment(
                {**variables, "SIGNALBOX_SERVER": server.url, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
            ),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    tasks = {task["title"]: task for task in server.get("/api/tasks").json()["tasks"]}
    assert {title: (task["kind"], task["status"]) for title, task in tasks.items()} == {
        "tests 12": ("tests", "failed"),
        "shop 7": ("shop", "done"),
    }
    assert tasks["tests 12"]["tags"] == {"branch": "main", "commit": "3fa9c1e"}
    assert tasks["tests 12"]["links"] == {"job": "https://github.com/ada/shop/actions/runs/99"}


async def test_tests_are_not_added_to_a_task_of_another_kind(tmp_path: Path, url: str) -> None:
    (tmp_path / "orders.xml").write_text(GRADLE)
    with closing(open_store(url)) as store:
        store.create_task("deploy-7", kind="deployment")
        store.create_task("plain")
        store.append("deploy-7", [NewEvent(event_type="log", payload={"message": "x"})])
    for task_id, words in (("deploy-7", "of the kind deployment"), ("plain", "without a kind")):
        refused = signalbox("import", "junit", str(tmp_path / "orders.xml"), "--as", task_id, "--store", url)
        assert refused.returncode == 1
        assert f"there is a task {task_id} {words} already" in refused.stderr
        assert "give another id with --as" in refused.stderr
    assert [task.latest_seq for task in await tasks_in(url)] == [0, 1]
    done = signalbox(
        *("import", "junit", str(tmp_path / "orders.xml"), "--as", "deploy-7", "--kind", "deployment", "--store", url)
    )
    assert done.returncode == 0, done.stderr
