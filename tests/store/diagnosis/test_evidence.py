"""Test that the lines that say why a program failed are found in its output."""

from __future__ import annotations

import time

import pytest

from signalbox.store.diagnosis.evidence import Evidence, LogLine, evidence_in
from signalbox.store.diagnosis.reports import outcome_of, summary_of


def found_in(output: str) -> Evidence:
    lines = output.strip("\n").split("\n")
    return evidence_in([LogLine(seq, text) for seq, text in enumerate(lines, 1)])


PYTHON = """
before
Traceback (most recent call last):
  File "/app/load.py", line 7, in <module>
    main()
    ~~~~^^
KeyError: 'name'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/load.py", line 9, in <module>
    raise LoadError("no name in row 7") from error
app.errors.LoadError: no name in row 7
after
"""
EXCEPTION_GROUP = """
  + Exception Group Traceback (most recent call last):
  |   File "/app/a.py", line 3, in <module>
  |     raise ExceptionGroup("two", errors)
  | ExceptionGroup: two (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/a.py", line 1, in <module>
    |     raise ValueError("one")
    | ValueError: one
    +------------------------------------
"""
BARE_PYTHON = """
Traceback (most recent call last):
  File "/app/a.py", line 3, in <module>
    f()
KeyboardInterrupt
"""
NODE = """
/app/index.js:3
  throw new TypeError("cannot read 'id'");
  ^

TypeError: cannot read 'id'
    at load (/app/index.js:3:9)
    at Object.<anonymous> (/app/index.js:6:1)
    at Module._compile (node:internal/modules/cjs/loader:1554:14)

Node.js v22.14.0
"""
JAVA = """
Exception in thread "main" java.lang.IllegalStateException: cannot start
\tat com.example.App.start(App.java:17)
\tat com.example.App.main(App.java:9)
Caused by: java.io.FileNotFoundException: app.conf (No such file or directory)
\tat java.base/java.io.FileInputStream.open0(Native Method)
\t... 2 more
"""
GO = """
panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.main()
\t/app/main.go:9 +0x1d
exit status 2
"""
RUST = """
thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 7
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
OLDER_RUST = """
thread 'main' panicked at 'no such file', src/main.rs:2:5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
PYTEST = """
E       RuntimeError: database is locked: /var/pytest-of-root/pytest-2/test_boom0

tests/test_cart.py:12: RuntimeError
=========================== short test summary info ============================
"""


@pytest.mark.parametrize(
    ("output", "error", "seq"),
    [
        (PYTHON, "app.errors.LoadError: no name in row 7", 13),
        (EXCEPTION_GROUP, "ValueError: one", 9),
        (BARE_PYTHON, "KeyboardInterrupt", 4),
        (NODE, "TypeError: cannot read 'id'", 5),
        (JAVA, "java.io.FileNotFoundException: app.conf (No such file or directory)", 4),
        (GO, "panic: runtime error: index out of range [5] with length 3", 1),
        (RUST, "index out of bounds: the len is 3 but the index is 7", 2),
        (OLDER_RUST, "no such file", 1),
        (PYTEST, "RuntimeError: database is locked: /var/pytest-of-root/pytest-2/test_boom0", 1),
    ],
    ids=["python", "exception group", "bare python", "node", "java", "go", "rust", "older rust", "pytest"],
)
def test_the_error_of_the_last_traceback_is_found(output: str, error: str, seq: int) -> None:
    found = found_in(output)
    assert (found.error, found.error_seq) == (error, seq)
    assert seq in found.seqs


@pytest.mark.parametrize("output", ["all is well", "Error: none\nat home", "Traceback (most recent call last):", ""])
def test_output_without_a_traceback_names_no_error(output: str) -> None:
    assert found_in(output).error == ""


def test_a_pytest_run_is_summed_up_with_its_failed_tests() -> None:
    found = found_in(
        """
..F.F                                                                    [100%]
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_discount - AssertionError: assert {'net': 90...
FAILED tests/test_cart.py::test_names[a b - c] - RuntimeError: database is locked
ERROR tests/test_shop.py - ModuleNotFoundError: No module named 'shop'
==================== 2 failed, 25 passed, 1 error in 0.40s =====================
"""
    )
    assert found.tests == "2 failed, 25 passed, 1 error in 0.40s"
    assert [(test.name, test.message) for test in found.failed_tests] == [
        ("tests/test_cart.py::test_discount", "AssertionError: assert {'net': 90..."),
        ("tests/test_cart.py::test_names[a b - c]", "RuntimeError: database is locked"),
        ("tests/test_shop.py", "ModuleNotFoundError: No module named 'shop'"),
    ]
    assert found.seqs == [3, 4, 5, 6]
    assert found.first_seq == 3


def test_a_test_that_passed_when_it_was_run_again_has_not_failed() -> None:
    found = found_in("tests/a.py::test_x FAILED [ 50%]\ntests/a.py::test_x PASSED [ 50%]\ntests/a.py::test_y FAILED")
    assert [test.name for test in found.failed_tests] == ["tests/a.py::test_y"]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (
            "FAILED tests/test_a.py::TestB::test_c - assert 1 == 2",
            ("tests/test_a.py::TestB::test_c", "failed", "assert 1 == 2"),
        ),
        ("tests/test_a.py::test_b PASSED                        [ 12%]", ("tests/test_a.py::test_b", "passed", "")),
        ("tests/test_a.py::test_b SKIPPED (needs Linux)         [ 12%]", ("tests/test_a.py::test_b", "skipped", "")),
        ("[gw1] [ 50%] PASSED tests/test_a.py::test_b ", ("tests/test_a.py::test_b", "passed", "")),
        ("test_b (tests.test_a.TestA.test_b) ... ok", ("test_b (tests.test_a.TestA.test_b)", "passed", "")),
        ("test_b (tests.test_a.TestA.test_b) ... FAIL", ("test_b (tests.test_a.TestA.test_b)", "failed", "")),
        ("test_b (tests.test_a.TestA) ... skipped 'no'", ("test_b (tests.test_a.TestA)", "skipped", "")),
        ("ERROR: test_b (tests.test_a.TestA.test_b)", ("test_b (tests.test_a.TestA.test_b)", "failed", "")),
        ("--- FAIL: TestLoad (0.00s)", ("TestLoad", "failed", "")),
        ("    --- PASS: TestLoad/empty_row (0.01s)", ("TestLoad/empty_row", "passed", "")),
        ("test cart::tests::discount ... FAILED", ("cart::tests::discount", "failed", "")),
        ("test cart::tests::net ... ok", ("cart::tests::net", "passed", "")),
        ("test slow ... ignored", ("slow", "skipped", "")),
        (
            "[ERROR] com.example.CartTest.discount -- Time elapsed: 0.013 s <<< FAILURE!",
            ("com.example.CartTest.discount", "failed", ""),
        ),
        ("CartTest > discount() FAILED", ("CartTest > discount()", "failed", "")),
        ("  ✓ adds a line (3 ms)", ("adds a line", "passed", "")),
        ("  ✕ applies the discount (12 ms)", ("applies the discount", "failed", "")),
        ("   × src/cart.test.ts > cart > discount 5ms", ("src/cart.test.ts > cart > discount", "failed", "")),
        (" FAIL  src/cart.test.ts > cart > discount", ("src/cart.test.ts > cart > discount", "failed", "")),
        ("not ok 2 - discount", ("discount", "failed", "")),
        ("ok 1 - adds a line # time=0.3ms", ("adds a line", "passed", "")),
    ],
)
def test_the_outcome_of_one_test_is_read(line: str, outcome: tuple[str, str, str]) -> None:
    assert outcome_of(line) == outcome


@pytest.mark.parametrize(
    "line",
    [
        "FAILED to connect",
        "everything ok",
        "ERROR: disk full",
        "PASS",
        "ok",
        "test it ... now",
        "Build FAILED",
        "x" * 5000,
    ],
)
def test_a_line_about_something_else_is_no_outcome(line: str) -> None:
    assert outcome_of(line) is None


@pytest.mark.parametrize(
    ("line", "summary"),
    [
        ("=== 2 failed, 25 passed, 3 warnings in 0.40s ===", "2 failed, 25 passed, 3 warnings in 0.40s"),
        ("1 failed in 65.03s (0:01:05)", "1 failed in 65.03s (0:01:05)"),
        ("============ no tests ran in 0.01s ============", "no tests ran in 0.01s"),
        ("FAILED (failures=1, errors=2)", "FAILED (failures=1, errors=2)"),
        ("Tests:       1 failed, 4 passed, 5 total", "1 failed, 4 passed, 5 total"),
        ("      Tests  1 failed | 4 passed (5)", "1 failed | 4 passed (5)"),
        (
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ),
        (
            "[ERROR] Tests run: 5, Failures: 1, Errors: 0, Skipped: 0",
            "Tests run: 5, Failures: 1, Errors: 0, Skipped: 0",
        ),
        ("Tests run: 5,  Failures: 1", None),
        ("5 tests completed, 1 failed", "5 tests completed, 1 failed"),
        ("FAIL\texample.org/cart\t0.004s", "FAIL example.org/cart 0.004s"),
        ("2 failed attempts", None),
        ("12 passed the check", None),
    ],
)
def test_the_sum_of_a_test_run_is_read(line: str, summary: str | None) -> None:
    assert summary_of(line) == summary


def test_output_of_any_kind_is_examined_in_little_time() -> None:
    hostile = [
        "FAILED " + "a/" * 900,
        "ok " * 600,
        "Tests: " + "1 a," * 400,
        "    at " + "x." * 900,
        "E   " + "a." * 900,
        "a" + " > b" * 450 + " ok",
        "Tests  " + "1 a11 " * 300 + "total",
        "✓ a" + " " * 1900 + "x",
        "a.py::" * 300 + " ok",
        "FAILED " + "a.py::" * 300 + " ",
        "[ERROR] a.a" + "() --" * 300 + " <<< ERROR",
        "A$" * 900 + "!",
        "    at load (index.js:3:9)",
    ]
    started = time.process_time()
    evidence_in([LogLine(seq, hostile[seq % len(hostile)]) for seq in range(400)])
    assert time.process_time() - started < 1
