"""Test the box below the header that says why a run failed or who cancelled it: on the page, and exported."""

from __future__ import annotations

import re
from typing import Any

import pytest

from signalbox.store import NewEvent
from tests.support.dom import Node, parse
from tests.support.server import Server

PYTEST = [
    "tests/test_cart.py ..F                                                   [100%]",
    "E       AssertionError: assert 90 == 89",
    "=========================== short test summary info ============================",
    "\x1b[31mFAILED\x1b[0m tests/test_cart.py::\x1b[1mtest_discount\x1b[0m - AssertionError: assert 90 == 89",
    "========================= 1 failed, 2 passed in 0.40s ==========================",
]


def event(event_type: str, span_id: str = "main", parent: str | None = None, **payload: Any) -> NewEvent:
    return NewEvent(event_type=event_type, span_id=span_id, parent_span_id=parent, payload=payload)


def command(*lines: str, stream: str = "stdout", words: str = "pytest -q", **end: Any) -> list[NewEvent]:
    """Return the log of a command. It failed unless `end` has another outcome."""
    said = [event("log", message=line, stream=stream) for line in lines]
    outcome: dict[str, Any] = {"status": "failed", "exit_code": 1, "message": "exit code 1"} | end
    return [event("runner_spawn", command=words.split()), *said, event("runner_exit", **outcome)]


def box(server: Server, path: str) -> Node:
    (found,) = [node for node in parse(server.get(path).text).all("section") if node.attributes.get("id") == "failure"]
    return found


def text_of(server: Server, path: str) -> str:
    return " ".join(box(server, path).text.split())


def links(node: Node) -> dict[str, str]:
    return {" ".join(link.text.split()): link.attributes["href"] or "" for link in node.all("a")}


def test_a_failed_command_shows_its_failed_tests_and_its_last_lines(server: Server) -> None:
    server.emit("shop", *command(*PYTEST))
    shown = text_of(server, "/tasks/shop")
    assert shown.startswith(
        "1 failed, 2 passed in 0.40s tests/test_cart.py::test_discount AssertionError: assert 90 == 89"
    )
    assert "exit code 1" in shown
    assert "pytest -q" in shown
    assert shown.endswith("AssertionError: assert 90 == 89 ======== 1 failed, 2 passed in 0.40s ========")
    assert '<span class="f1">FAILED</span>' in server.get("/tasks/shop").text
    assert re.fullmatch(r"/tasks/shop/log\?around=3&identity=\w+#e3", links(box(server, "/tasks/shop"))["Show in log"])


def test_the_last_lines_are_fifteen_and_those_of_stderr_come_first(server: Server) -> None:
    early = [event("log", message="disk full", stream="stderr")]
    lines = [event("log", message=f"line {n}", stream="stdout") for n in range(600)]
    server.emit("copy", *command()[:1], *early, *lines, *command()[-1:])
    (output,) = [
        node
        for node in box(server, "/tasks/copy").all("div")
        if "failure-output" in (node.attributes.get("class") or "")
    ]
    assert [node.text for node in output.all("pre")] == ["disk full", "\n".join(f"line {n}" for n in range(586, 600))]
    assert text_of(server, "/tasks/copy").startswith("disk full exit code 1")


def test_the_end_of_a_group_is_not_the_reason_of_a_failure(server: Server) -> None:
    server.emit("grouped", *command("::group::Deploy", "no space left", "::endgroup::", words="sh deploy"))
    assert text_of(server, "/tasks/grouped").startswith("no space left exit code 1")


def test_a_failed_span_is_named_with_its_path(server: Server) -> None:
    server.emit(
        "nested",
        event("runner_spawn"),
        event("phase_enter", "phase", "main"),
        event("work_item_start", "a", "phase", work_item_id="copy"),
        event("work_item_start", "b", "a", work_item_id="shard 3"),
        event("work_item_failed", "b", "a", work_item_id="shard 3", error_code="OSError", message="no space\nleft"),
        event("work_item_failed", "a", "phase", work_item_id="copy", message="a shard failed"),
        event(
            "runner_exit", status="failed", message="a shard failed", traceback="Traceback:\n  line\nOSError: no space"
        ),
    )
    shown = box(server, "/tasks/nested")
    assert text_of(server, "/tasks/nested").startswith("OSError: no space leftin phase › copy › shard 3")
    assert "OSError: no space" in shown.all("pre")[-1].text
    assert links(shown)["shard 3"] == "/tasks/nested/spans/b"
    assert "around=5&" in links(shown)["Show in log"]


def test_a_long_error_is_shown_whole(server: Server) -> None:
    server.emit(
        "long", event("runner_spawn"), event("runner_exit", status="failed", message="<b>" + "x " * 5000 + "end")
    )
    assert box(server, "/tasks/long").all("h2")[0].text.startswith("<b>x x")
    assert box(server, "/tasks/long").all("pre")[0].text.endswith("end")


def test_runs_with_the_same_error_are_counted_and_listed(server: Server) -> None:
    for number in range(3):
        server.emit(f"same-{number}", *command(f"cannot open /data/{number}", words="load.sh"))
    server.emit("same-other", *command("broken pipe", words="load.sh"))
    assert "First run with this error" in text_of(server, "/tasks/same-other")
    found = links(box(server, "/tasks/same-1"))
    (words,) = [words for words in found if words.startswith("Same error in 3 runs since ")]
    assert re.search(r"since \d\d? [A-Z][a-z]{2}$", words)
    listed = server.get(found[words]).text
    assert [f"same-{n}" in listed for n in range(3)] == [True] * 3
    assert "same-other" not in listed
    assert "any error" in listed
    fingerprint = server.get("/api/tasks/same-1/outcome").json()["failure"]["fingerprint"]
    assert len(server.get(f"/api/tasks?error={fingerprint}").json()["tasks"]) == 3
    refused = server.get("/api/tasks?error=all")
    assert refused.status_code == 400
    assert "error must be a fingerprint" in refused.text
    server.store.archive_task("same-0", True, actor="ann")
    found = links(box(server, "/tasks/same-1"))
    assert any(words.startswith("Same error in 3 runs since ") for words in found)
    assert "same-0" in server.get(found["1 of them archived"]).text
    for number in (1, 2):
        server.store.archive_task(f"same-{number}", True, actor="ann")
    found = links(box(server, "/tasks/same-2"))
    (words,) = [words for words in found if words.startswith("Same error in 3 archived runs since ")]
    assert "same-1" in server.get(found[words]).text


def test_a_failed_run_links_to_the_comparison_with_the_last_successful_run_of_its_kind(server: Server) -> None:
    for task_id, status in [("n1", "done"), ("n2", "done"), ("n3", "failed"), ("n4", "done")]:
        server.store.create_task(task_id, kind="nightly", title="Nightly")
        state = "work_item_complete" if status == "done" else "work_item_failed"
        item = {"work_item_id": "load"}
        server.emit(
            task_id,
            event("runner_spawn"),
            event("work_item_start", "a", "main", **item),
            event(state, "a", "main", **item),
            event("runner_exit", status=status),
        )
    assert "first difference: load" in text_of(server, "/tasks/n3")
    address = links(box(server, "/tasks/n3"))["Compare with the last successful run"]
    assert re.fullmatch(r"/compare\?a=n2@\w+&b=n3@\w+#first-difference", address)
    assert 'id="first-difference"' in server.get(address.split("#")[0]).text
    assert "Compare with the last successful run" in server.get("/tasks/n4").text
    assert "Compare with" not in server.get("/tasks/shop").text
    assert server.get("/api/tasks/n3/outcome").json()["last_success"] == "n2"


def test_a_command_without_a_kind_is_compared_with_the_same_command_only(server: Server) -> None:
    for task_id, title, status in [
        ("c1", "ls", "done"),
        ("c2", "make", "done"),
        ("c3", "ls", "done"),
        ("c4", "make", "failed"),
    ]:
        server.store.create_task(task_id, kind="command", title=title)
        server.emit(task_id, *command(words=title, status=status, exit_code=int(status == "failed")))
    assert server.get("/api/tasks/c4/outcome").json()["last_success"] == "c2"


def test_a_cancelled_run_says_who_cancelled_it_when_and_why(server: Server) -> None:
    server.emit("stopped", event("runner_spawn"))
    server.post("/api/tasks/stopped/cancel", json={"reason": "wrong branch"})
    server.post("/api/tasks/stopped/cancel", json={})
    server.emit("stopped", event("runner_exit", status="cancelled", message="cancelled on request"))
    shown = text_of(server, "/tasks/stopped")
    assert re.match(
        r"Cancelled by local user .*, \d+ ms after it started: wrong branch #2 Force stopped by local user", shown
    )
    assert links(box(server, "/tasks/stopped"))["#2"].startswith("/tasks/stopped/log?around=2&")
    assert server.get("/api/tasks/stopped/outcome").json()["cancel_requests"][0]["reason"] == "wrong branch"

    server.emit("signal", event("runner_spawn"), event("runner_exit", status="cancelled", message="stopped by SIGINT"))
    assert text_of(server, "/tasks/signal").startswith("Cancelled: stopped by SIGINT, not from a page")

    server.store.create_task("early")
    server.post("/api/tasks/early/cancel", json={})
    server.emit("early", event("status", status="cancelled"))
    assert "before it started" in text_of(server, "/tasks/early")


def test_a_claim_in_the_log_cancels_nothing(server: Server) -> None:
    claim = NewEvent(event_type="cancel_requested", payload={"by": "ann"})
    server.store.append("claimed", [event("runner_spawn"), claim, event("runner_exit", status="cancelled")])
    assert "ann" not in text_of(server, "/tasks/claimed")


@pytest.mark.parametrize("end", [None, event("runner_exit", status="done", exit_code=0)], ids=["running", "done"])
def test_other_runs_have_no_box(server: Server, end: NewEvent | None) -> None:
    name = "done" if end else "running"
    server.emit(name, event("runner_spawn"), "Error: none", *([end] if end else []))
    assert "hidden" in box(server, f"/tasks/{name}").attributes
    assert text_of(server, f"/tasks/{name}") == ""
    assert server.get(f"/api/tasks/{name}/outcome").json()["failure"] is None


def test_the_page_as_of_an_earlier_event_has_the_box_of_that_event(server: Server) -> None:
    interrupted = event("status", status="interrupted", explanation="no heartbeat")
    server.emit("twice", event("runner_spawn"), "before", interrupted)
    server.emit("twice", "after", event("runner_exit", status="failed", message="disk full"))
    assert text_of(server, "/tasks/twice?at=2") == ""
    assert text_of(server, "/tasks/twice?at=3").startswith("no heartbeat")
    assert text_of(server, "/tasks/twice?at=4") == ""
    assert text_of(server, "/tasks/twice?at=5").startswith("disk full")


def test_the_difference_as_of_an_event_is_the_one_at_that_time(server: Server) -> None:
    def run(*ends: str) -> list[NewEvent]:
        names = ("first", "second")
        starts = [event("work_item_start", name, "main", work_item_id=name) for name in names]
        return [event("runner_spawn"), *starts, *(event(f"work_item_{e}", n) for n, e in zip(names, ends, strict=True))]

    for task, status in (("went-well", "done"), ("went-wrong", "failed")):
        server.store.create_task(task, kind="differing", title="the same")
        last = "complete" if status == "done" else "failed"
        server.emit(task, *run("complete", last), event("runner_exit", status=status, message="over"))
    ended = server.latest("went-wrong")
    assert "first difference: second" in text_of(server, "/tasks/went-wrong")
    server.emit("went-wrong", event("work_item_failed", "first", message="late"))
    assert "first difference: first" in text_of(server, "/tasks/went-wrong")
    assert "first difference: second" in text_of(server, f"/tasks/went-wrong?at={ended}")


def test_the_exported_file_has_the_box_without_secrets(server: Server) -> None:
    server.emit("secret", *command("ValueError: login failed", "token=sbx_1234567890abcdef", stream="stderr"))
    page = server.get("/tasks/secret/export.html").text
    (found,) = [node for node in parse(page).all("section") if "failure" in (node.attributes.get("class") or "")]
    assert "exit code 1" in found.text
    assert "token=" in found.text
    assert "sbx_1234567890abcdef" not in page


def test_the_list_of_failures_has_the_lines_that_the_box_shows(server: Server) -> None:
    server.emit("again", *command(*PYTEST))
    rows = re.findall(r'<li id="e(\d+)"', server.get("/tasks/again/log?failed=1").text)
    assert rows == ["3", "5", "6", "7"]
    jump = server.get("/tasks/again/log?failure_before=0")
    assert "around=7" in jump.headers["location"]
    assert "around=6" in server.get("/tasks/again/log?failure_before=7").headers["location"]
    assert "No failure before #3." in server.get("/tasks/again/log?failure_before=3", follow_redirects=True).text
