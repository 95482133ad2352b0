"""The demo run: plans, executes in parallel, recovers from a broken file, and verifies."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from signalbox.store import Event, Run, open_task
from signalbox.store.emitter import PhaseStep, WorkItemStep
from signalbox.store.log import Log
from signalbox.webapp.demo import results
from signalbox.webapp.demo.examine import ModuleReport, Recount, digest, examine, prepare_worker, recount
from signalbox.webapp.demo.results import Totals, count, totals_of
from signalbox.webapp.demo.survey import Module, Package, find_modules, group_by_package, library

DAMAGED = "textwrap.py"
"""A damaged copy of this module is audited first, so that the run has to recover."""

CHECKPOINT_EVERY = 6
"""The number of packages between two checkpoints."""

MAX_LINES, MAX_BRANCHES = 150, 40
"""A function with more lines or branches gets a warning."""


class Stopped(Exception):
    """Raised after the run was asked to stop."""


def audit(
    log: Log,
    *,
    task_id: str | None = None,
    jobs: int | None = None,
    pace: float = 0.0,
    root: Path | None = None,
    say: Callable[[str], object] | None = None,
) -> str:
    """Audit the standard library, or the modules below `root`, as a task. Returns a sentence about the outcome."""
    version = f"Python {platform.python_version()}"
    opened = open_task(
        log, task_id, title="stdlib audit", kind="audit", metadata={"python": version}, runner_version=version
    )
    workers = jobs or min(os.cpu_count() or 2, 8)
    try:
        with opened as task, TemporaryDirectory(prefix="signalbox-demo-") as place:
            if say:
                say(f"{task.task_id}: stdlib audit, {workers} at once")
            return LibraryAudit(task, root or library(), Path(place), workers, pace).run()
    except Stopped:
        return "stopped on request"


class LibraryAudit:
    """One audit: its reports so far and its checkpoints."""

    def __init__(self, task: Run[Event], root: Path, place: Path, workers: int, pace: float) -> None:
        self._task, self._root, self._place = task, root, place
        self._workers, self._pace = workers, pace
        self._reports: dict[str, ModuleReport] = {}
        self._checkpoints: list[tuple[str, Path, str]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._done = self._total = 0

    def run(self) -> str:
        """Plan, execute and verify the audit. Returns a sentence about the outcome."""
        spawn = get_context("spawn")
        with ProcessPoolExecutor(self._workers, spawn, prepare_worker) as self._processes:
            packages = self.plan()
            self.execute(packages)
            totals = self.verify([module for package in packages for module in package.modules])
        return f"{totals}: all verified"

    def plan(self) -> list[Package]:
        """Find the modules and divide them into packages."""
        with self._task.phase("planning") as planning:
            with planning.tool("rglob", {"pattern": "*.py"}) as search:
                modules = find_modules(self._root)
                search.result(found=len(modules))
            packages = group_by_package(modules)
            for package in packages:
                size = sum(module.path.stat().st_size for module in package.modules)
                planning.log(f"{package.name}: {len(package.modules)} modules, {size / 1024:,.0f} KiB")
            self._total = len(modules)
            planning.status(f"{count(self._total, 'module')} in {count(len(packages), 'package')}")
            self._checkpoint(planning, "plan", [package.name for package in packages])
        return packages

    def execute(self, packages: list[Package]) -> None:
        """Examine all packages in parallel. A package that fails is recovered from the last checkpoint."""
        with self._task.phase("executing") as executing, ThreadPoolExecutor(self._workers) as threads:
            try:
                items = {package.name: executing.work_item(package.name, "package") for package in packages}
                work = {threads.submit(self._examine, items[p.name], self._damaged(p)): p for p in packages}
                broken = self._gather(executing, work)
            except BaseException:
                self._stopping.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
            for package, error in broken:
                self._recover(executing, package, items[package.name].span_id, error)

    def verify(self, modules: list[Module]) -> Totals:
        """Read every file again, count in another way, and compare the totals with the last checkpoint."""
        with self._task.phase("verifying") as verifying:
            name, path, sha256 = self._checkpoints[-1]
            size = -(-len(modules) // 8)
            for start in range(0, len(modules), size):
                part = modules[start : start + size]
                with verifying.work_item(f"sources {start + 1} to {start + len(part)}", "verification") as item:
                    self._compare(item, part)
            with verifying.work_item("totals", "verification") as item:
                kept, found = totals_of(results.load(path, sha256)), totals_of(self._reports)
                item.log(f"{name}: {kept}")
                if kept != found:
                    verifying.checkpoint_invalid(name, message=f"the totals differ: {found}")
                    raise ValueError(f"checkpoint {name} says {kept}, the reports say {found}")
                verifying.checkpoint_verified(name, message="the totals agree")
            verifying.log(
                f"{found.bare_excepts} bare excepts, {found.remarks} remarks such as TODO, {found.tokens:,} tokens"
            )
            verifying.status(str(found))
        return found

    # executing

    def _damaged(self, package: Package) -> Package:
        modules = [self._damaged_copy(module) if module.name == DAMAGED else module for module in package.modules]
        return Package(package.name, modules)

    def _damaged_copy(self, module: Module) -> Module:
        copy = self._place / "damaged.py"
        before, _, after = module.path.read_text("utf-8").rpartition(")")
        copy.write_text(before + after, "utf-8")
        return Module(module.name, copy)

    def _gather(
        self, executing: PhaseStep[Event], work: dict[Future[None], Package]
    ) -> list[tuple[Package, SyntaxError]]:
        broken: list[tuple[Package, SyntaxError]] = []
        finished: list[str] = []
        for number, future in enumerate(as_completed(work), 1):
            error = future.exception()
            if error is None:
                finished.append(work[future].name)
            elif isinstance(error, SyntaxError):
                broken.append((work[future], error))
            else:
                raise error
            if number % CHECKPOINT_EVERY == 0 or number == len(work):
                self._checkpoint(executing, "packages", finished)
                finished = []
        return broken

    def _examine(self, opening: WorkItemStep[Event], package: Package) -> None:
        with opening as item:
            reports: dict[str, ModuleReport] = {}
            for number, module in enumerate(package.modules, 1):
                if self._stopping.is_set() or self._task.cancelled:
                    raise Stopped("stopped on request")
                reports[module.name] = self._report_on(item, module)
                with self._lock:
                    self._done += 1
                if number % 5 == 0 or number == len(package.modules):
                    item.progress(number, len(package.modules))
                    self._task.progress(self._done, self._total)
                if self._pace:
                    time.sleep(self._pace)
            totals = totals_of(reports)
            item.result(lines=totals.lines, functions=totals.functions, message=str(totals))
            with self._lock:
                self._reports |= reports

    def _report_on(self, item: WorkItemStep[Event], module: Module) -> ModuleReport:
        try:
            report = self._processes.submit(examine, module.path).result()
        except (SyntaxError, ValueError) as error:
            # Some files of the library's own tests are invalid on purpose.
            if not {"test", "tests"} & set(module.name.split("/")):
                raise
            item.log(f"{module.name}: invalid on purpose, for the library's tests: {error}")
            return ModuleReport(sha256=digest(module.path), size=module.path.stat().st_size, broken=True)
        functions, classes = count(report.functions, "function"), count(report.classes, "class", "classes")
        item.log(f"{module.name}: {count(report.lines, 'line')}, {functions}, {classes}")
        for warning in warnings_of(report):
            item.log(f"{module.name}: {warning}", level="warning")
        return report

    def _recover(self, executing: PhaseStep[Event], package: Package, span_id: str, error: SyntaxError) -> None:
        name, path, sha256 = self._checkpoints[-1]
        reason = f"{package.name} failed: {error.msg} (line {error.lineno} of a damaged {DAMAGED})"
        with executing.phase("recovery") as phase, phase.recovery(reason, name) as recovery:
            self._reports = results.load(path, sha256)
            self._done = len(self._reports)
            recovery.loaded(name, message=f"{totals_of(self._reports)} restored")
            self._examine(executing.work_item(package.name, "package", span_id=span_id), package)
            recovery.result(message=f"{package.name} recovered")
        self._checkpoint(executing, "recovery", [package.name])

    def _checkpoint(self, scope: PhaseStep[Event], kind: str, work_items: list[str]) -> None:
        name = f"checkpoint-{len(self._checkpoints) + 1}"
        path = self._place / f"{name}.json"
        with self._lock:
            sha256, totals = results.save(path, self._reports), totals_of(self._reports)
        self._checkpoints.append((name, path, sha256))
        scope.checkpoint(name, kind, artifacts=[path.name], work_items=work_items, message=str(totals))
        scope.evidence("sha256", sha256, checkpoint_id=name, artifact=path.name)
        results.load(path, sha256)
        scope.checkpoint_verified(name, message="read back with the same hash")

    # verifying

    def _compare(self, item: WorkItemStep[Event], modules: list[Module]) -> None:
        whole = [module for module in modules if not self._reports[module.name].broken]
        found = self._processes.map(recount, [module.path for module in whole], chunksize=5)
        for number, (module, second) in enumerate(zip(whole, found, strict=True), 1):
            if self._task.cancelled:
                raise Stopped("stopped on request")
            first = self._reports[module.name]
            if second != Recount(first.sha256, first.lines, first.functions, first.classes):
                raise ValueError(f"{module.name} looks different the second time: {second}")
            if number % 20 == 0 or number == len(whole):
                item.progress(number, len(whole))
        item.log(f"{count(len(whole), 'file')} with the same hashes, functions and classes as before")


def warnings_of(report: ModuleReport) -> list[str]:
    """Return the warnings about a module."""
    found = {
        f"{report.longest} has {count(report.longest_lines, 'line')}": report.longest_lines > MAX_LINES,
        f"a function with {count(report.most_branches, 'branch', 'branches')}": report.most_branches > MAX_BRANCHES,
        count(report.bare_excepts, "bare except"): report.bare_excepts > 0,
        f"{count(report.remarks, 'remark')} such as TODO": report.remarks > 0,
        "changes when it is unparsed and parsed again": not report.round_trips,
    }
    return [text for text, there in found.items() if there]
