"""Test the comparison of two versions: which figures are read from rows, and which version is worse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import against
from bench.against import compare, figures_of
from bench.other_version import HELPERS, adopt_bench, measure
from bench.table import Row, cpu, write


@pytest.mark.parametrize(
    ("measured", "values"),
    [
        ("8,000 events/s", [8000]),
        ("1.47 µs; 121 ms (13.0 events a write)", [1.47e-6, 0.121]),
        ("4.70 ms / 14 ms", [4.7e-3, 14e-3]),
        ("3 / 10 ms", [3e-3, 10e-3]),
        ("6.2 ms (7.0 ms) / 0.52 s (0.79 s)", [6.2e-3, 0.52]),
        ("25.4 KB", [25_400]),
        ("0.5 s, 2,616,314 deliveries/s (0.3 s of the server's core)", [0.5, 2_616_314]),
        ("not measured", []),
    ],
)
def test_times_sizes_and_rates_are_read_from_a_row(measured: str, values: list[float]) -> None:
    assert [figure.value for figure in figures_of(measured)] == pytest.approx(values)


def test_a_longer_time_and_a_lower_rate_are_worse() -> None:
    before = {"a page": "10 ms", "appends": "1,000 events/s", "gone": "1 s"}
    now = {"a page": "12 ms", "appends": "500 events/s", "new": "1 s"}
    ratios = {comparison.name: comparison.worse for comparison in compare([(before, now)])}
    assert ratios == pytest.approx({"a page": 1.2, "appends": 2.0})


def test_a_single_bad_pair_of_runs_does_not_decide() -> None:
    runs = [({"a": "10 ms"}, {"a": text}) for text in ("10 ms", "90 ms", "10 ms")]
    assert [comparison.worse for comparison in compare(runs)] == [1.0]


def test_versions_are_measured_alternately_and_the_worse_figure_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(against, "checkout", lambda revision, folder: tmp_path)
    order: list[str] = []
    times: Iterator[int] = iter([10, 20, 22, 10])

    def measure(tree: Path, scenario: str, scale: str) -> dict[str, str]:
        order.append("before" if tree == tmp_path else "now")
        return {"a page": f"{next(times)} ms"}

    assert against.run("v1", ["console"], rounds=2, scale="brief", measure=measure) == 1
    assert order == ["before", "now", "now", "before"]
    assert "1 figures, 2 pairs of runs: 1 worse" in capsys.readouterr().out


def test_a_scenario_that_one_version_cannot_run_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(against, "checkout", lambda revision, folder: tmp_path)

    def measure(tree: Path, scenario: str, scale: str) -> dict[str, str]:
        if scenario == "cut" and tree == tmp_path:
            raise RuntimeError("there is no such page")
        return {"a page": "10 ms"}

    assert against.run("v1", ["cut", "console"], rounds=1, scale="brief", measure=measure) == 1
    output = capsys.readouterr()
    assert "1 figures" in output.out
    assert "there is no such page" in output.err
    assert "cut could not be measured" in output.err


def test_a_scenario_without_rows_in_the_other_version_is_named_and_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(against, "checkout", lambda revision, folder: tmp_path)
    measured: list[str] = []

    def measure(tree: Path, scenario: str, scale: str) -> dict[str, str]:
        measured.append(scenario)
        return {} if scenario == "payloads" else {"a page": "10 ms"}

    assert against.run("v1", ["payloads", "console"], rounds=2, scale="brief", measure=measure) == 0
    assert measured == ["payloads", *["console"] * 4]
    assert "not in v1, so not compared: payloads" in capsys.readouterr().out


def test_both_versions_are_measured_with_the_same_helpers(tmp_path: Path) -> None:
    adopt_bench(tmp_path)
    for helper in HELPERS:
        assert (tmp_path / helper).read_text() == (against.ROOT / helper).read_text()


def test_the_bench_imports_the_top_level_packages_of_an_older_version(tmp_path: Path) -> None:
    adopt_bench(tmp_path)
    emitter = (tmp_path / "bench/emitter.py").read_text()
    assert "from store import NewEvent" in emitter
    assert "signalbox" not in emitter


def test_the_bench_keeps_its_imports_where_the_package_signalbox_exists(tmp_path: Path) -> None:
    (tmp_path / "signalbox").mkdir()
    adopt_bench(tmp_path)
    assert "from signalbox.store import NewEvent" in (tmp_path / "bench/emitter.py").read_text()


def make_version(folder: Path, program: str = "") -> None:
    """Make the checkout of a version whose Python runs a line of shell instead of the bench."""
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    (folder / "bench").mkdir()


def test_the_comparison_reads_the_results_that_the_bench_writes(tmp_path: Path) -> None:
    make_version(tmp_path)
    write(tmp_path / "bench/results.json", {}, [Row(name="a page", measured="10 ms")])
    assert measure(tmp_path, "console", "brief") == {"a page": "10 ms"}


def test_the_cpu_time_is_compared_where_a_row_has_it(tmp_path: Path) -> None:
    make_version(tmp_path, '[ -z "$PYTHONDONTWRITEBYTECODE" ]')
    rows = [Row(name="a page", measured="10 ms", compared=f"{cpu(0.004)} for each"), Row(name="size", measured="2 MB")]
    write(tmp_path / "bench/results.json", {}, rows)
    with pytest.MonkeyPatch.context() as patch:
        # Otherwise a version that was never compiled would compile its modules at each start.
        patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        results = measure(tmp_path, "console", "brief")
    assert {name: [figure.value for figure in figures_of(text)] for name, text in results.items()} == {
        "a page": [0.004],
        "size": [2e6],
    }


def test_the_bench_uses_only_modules_that_older_versions_have_too() -> None:
    shared = {
        "signalbox.store",
        "signalbox.store.sqlite.connection",
        "signalbox.webapp.settings",
        "tests.support.proxy",
    }
    anywhere = re.compile(r"^\s*(?:from|import) (signalbox[\w.]*)", re.MULTILINE)
    # A scenario may try to import a helper of the tests, and do without it.
    at_start = re.compile(r"^(?:from|import) (tests[\w.]*)", re.MULTILINE)
    # An older version cannot run the programs of these scenarios, so it has no such figures.
    newer = {"span_emitter.py", "logging.py", "payloads.py", "indexed.py"}
    run_alone = {"year.py", "retention_steps.py"}
    for path in (against.ROOT / "bench").rglob("*.py"):
        if path.name.startswith("test_") or path.name in newer | run_alone or path.parent.name == "simulation":
            continue
        text = path.read_text()
        used = {*anywhere.findall(text), *at_start.findall(text)}
        assert used <= shared, f"--against fails with {path.name} in an older version"
