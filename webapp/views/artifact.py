"""One artifact with the beginning of its content, and the way in which its page shows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from signalbox.store import NotFound, Reading, TaskReading
from signalbox.store.artifacts import PIECE_BYTES, UNKNOWN_TYPE, ArtifactContent
from signalbox.store.state import Artifact, Task
from signalbox.webapp.junit.report import MAX_BYTES as MAX_JUNIT_BYTES
from signalbox.webapp.junit.report import JUnitReport, NotJUnit, junit_report

PreviewKind = Literal["image", "html", "markdown", "junit", "text", "none"]

PREVIEW_BYTES = PIECE_BYTES
"""The beginning of a text that the page shows: one piece."""

ARTIFACTS_PAGE = 100

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/svg+xml"})
_TEXTS = frozenset(
    {"application/json", "application/x-ndjson", "application/xml", "application/javascript", "application/x-sh"}
)


@dataclass(frozen=True, kw_only=True)
class ArtifactView:
    """An artifact. `text` is the beginning of a text, `cut` says that there is more. `stored` is whether its content is
    in this store: that of an imported artifact may be missing. `xml` may be JUnit XML, which `with_report` reads.
    """

    task: Task
    artifact: Artifact
    stored: bool
    kind: PreviewKind
    text: str = ""
    cut: bool = False
    report: JUnitReport | None = None
    xml: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class ArtifactsView:
    """One page of the artifacts of a task, the newest first. `before` is the seq for the next page, if there is one."""

    task: Task
    artifacts: list[Artifact]
    before: int | None


async def artifacts_view(view: TaskReading, task_id: str, before: int | None = None) -> ArtifactsView:
    """Read one page of the artifacts of a task. Raises UnknownTask."""
    task = await view.task(task_id)
    found = await view.artifacts(task_id, ARTIFACTS_PAGE + 1, before)
    shown = found[:ARTIFACTS_PAGE]
    return ArtifactsView(task=task, artifacts=shown, before=shown[-1].seq if len(found) > len(shown) else None)


async def artifact_of(view: TaskReading, task_id: str, seq: int) -> Artifact:
    """Return an artifact. Raises UnknownTask and NotFound."""
    await view.task(task_id)
    artifact = await view.artifact(task_id, seq)
    if artifact is None:
        raise NotFound(f"the event #{seq} stored no artifact")
    return artifact


async def artifact_view(view: Reading, task_id: str, seq: int) -> ArtifactView:
    """Read an artifact and what its page needs of its content. Raises UnknownTask and NotFound."""
    artifact = await artifact_of(view, task_id, seq)
    task = await view.task(task_id)
    if not await view.has_content(task_id, artifact.sha256):
        return ArtifactView(task=task, artifact=artifact, stored=False, kind="none")
    kind = artifact.content_type
    if kind in IMAGES:
        return ArtifactView(task=task, artifact=artifact, stored=True, kind="image")
    if kind == "text/html":
        return ArtifactView(task=task, artifact=artifact, stored=True, kind="html")
    begin = await view.content_piece(task_id, artifact.sha256, 0) or b""
    xml = None
    if kind in ("application/xml", "text/xml") and artifact.size <= MAX_JUNIT_BYTES and b"<testsuite" in begin:
        rest = range(1, ArtifactContent(artifact.sha256, artifact.size).pieces)
        xml = begin + b"".join([await view.content_piece(task_id, artifact.sha256, number) or b"" for number in rest])
    text = _text_in(begin, cut=artifact.size > len(begin))
    if text is None or not (kind.startswith("text/") or kind in _TEXTS or kind == UNKNOWN_TYPE):
        return ArtifactView(task=task, artifact=artifact, stored=True, kind="none", xml=xml)
    return ArtifactView(
        task=task,
        artifact=artifact,
        stored=True,
        kind="markdown" if kind == "text/markdown" else "text",
        text=text,
        cut=artifact.size > len(begin),
        xml=xml,
    )


def with_report(seen: ArtifactView) -> ArtifactView:
    """Return the view with the tests of its file, or unchanged if the file is not JUnit XML. Runs in a thread."""
    if seen.xml is None:
        return seen
    try:
        return replace(seen, kind="junit", report=junit_report(seen.xml), text="", cut=False, xml=None)
    except NotJUnit:
        return seen


def _text_in(content: bytes, *, cut: bool) -> str | None:
    """Return a text in UTF-8, or None if the content is none. A character that is cut at the end is left out."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        if not cut or error.start < len(content) - 3:
            return None
        text = content[: error.start].decode()
    return None if "\0" in text else text
