"""Programs that fork while their other threads use a SQLite store: the children can use it too, and none hangs."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import environment

FORKS = 25

BEGIN = """
import asyncio, os, signal, sys, threading, time
from signalbox import NewEvent, open_store, open_task

url, forks = sys.argv[1], int(sys.argv[2])
store = open_store(url)
stop = threading.Event()
counts = {}

def line(text):
    return NewEvent(event_type="log", payload={"message": text})

def write(name):
    while not stop.is_set():
        store.append("parent", line("x"))
        counts[name] = counts.get(name, 0) + 1

async def reading():
    while not stop.is_set():
        async with store.read() as view:
            assert (await view.task("parent")).latest_seq

def read():
    asyncio.run(reading())

def latest(store):
    async def reading():
        async with store.read() as view:
            return (await view.task("children")).latest_seq

    return asyncio.run(reading())

def child(number):
    signal.alarm(20)  # a child that hangs dies by SIGALRM
    CHILD

store.create_task("parent")
threads = [threading.Thread(target=write, args=(name,)) for name in "ab"] + [threading.Thread(target=read)]
for thread in threads:
    thread.start()
results = {}
with open_task(store, "run"):
    for number in range(forks):
        time.sleep(0.002 * (number % 4))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                child(number)
                code = 0
            except BaseException:
                import traceback
                traceback.print_exc()
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        results[status] = results.get(status, 0) + 1
stop.set()
for thread in threads:
    thread.join()
store.close()
import json
print(json.dumps([results, sum(counts.values())]))
"""

SAME_STORE = """store.append("children", [line(str(number)), line("again")])
    assert latest(store) >= 2
    with open_task(store, f"child-{number}") as task:
        task.log("hello")
    if number % 2:
        store.close()"""

OWN_STORE = """own = open_store(url)
    own.append("children", [line(str(number)), line("again")])
    assert latest(own) >= 2
    own.close()"""


def run(program: str, url: str, forks: int) -> tuple[dict[str, int], int]:
    done = subprocess.run(
        [sys.executable, "-c", program, url, str(forks)],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(PYTHONWARNINGS="ignore"),
    )
    assert done.returncode == 0, done.stderr
    results, appended = json.loads(done.stdout)
    assert results == {"0": forks}, (results, done.stderr)
    return results, appended


@pytest.mark.long
@pytest.mark.parametrize("child", [SAME_STORE, OWN_STORE], ids=["the same store", "a store of its own"])
def test_children_of_a_busy_program_use_the_database(child: str, tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    _, appended = run(BEGIN.replace("CHILD", child), f"sqlite:///{path}", FORKS)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        by_task = dict(database.execute("SELECT task_id, count(*) FROM task_events GROUP BY task_id"))
        assert by_task["parent"] == appended
        assert by_task["children"] == 2 * FORKS
        gaps = "SELECT count(*) FROM (SELECT task_id FROM task_events GROUP BY task_id HAVING max(seq) <> count(*))"
        assert database.execute(gaps).fetchone() == (0,)


OUTLIVES = """
import os, sys, time
from signalbox import NewEvent, open_store

store = open_store(sys.argv[1])
line = NewEvent(event_type="log", payload={"message": "x"})
store.append("run", line)
ready, told = os.pipe()
if os.fork() == 0:
    store.append("run", line)
    os.read(ready, 1)  # until the parent has closed its connections, which removes the write-ahead log
    for _ in range(3):
        store.append("run", line)
    os._exit(0)
store.append("run", line)
store.close()
os.write(told, b".")
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""

REFUSED = """
import os, sys, threading
from signalbox import NewEvent, StoreUnavailable, open_store
from signalbox.store.sqlite import forks

forks.FORK_WAIT_S = 0.05
store = open_store(sys.argv[1])
inside, leave = threading.Event(), threading.Event()

def use():
    with forks.gate:
        inside.set()
        leave.wait()

thread = threading.Thread(target=use)
thread.start()
inside.wait()
if os.fork() == 0:
    for call in (lambda: store.append("run", NewEvent(event_type="log")), lambda: open_store(sys.argv[1])):
        try:
            call()
        except StoreUnavailable as error:
            print(error, flush=True)
    sys.exit(0)  # the end of the interpreter must not wait for SQLite either
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
leave.set()
thread.join()
store.append("run", NewEvent(event_type="log"))
store.close()
"""


def output_of(program: str, url: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, timeout=60, env=environment()
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_child_outlives_the_store_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "signalbox.db"
    assert output_of(OUTLIVES, f"sqlite:///{path}")[-1] == "0"
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT max(seq), count(*) FROM task_events").fetchone() == (6, 6)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_child_that_cannot_use_the_database_says_why(tmp_path: Path) -> None:
    *errors, code = output_of(REFUSED, f"sqlite:///{tmp_path}/signalbox.db")
    assert code == "0"
    assert len(errors) == 2
    assert all(error.startswith("this process was forked while another thread used SQLite") for error in errors)
