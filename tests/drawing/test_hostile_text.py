"""Text from a run never becomes markup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from signalbox.store import NewEvent, TaskQuery
from signalbox.store.events import KNOWN_EVENTS
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.drawing import ids
from signalbox.webapp.drawing.log_rows import SHOWN_KEYS
from signalbox.webapp.views.forecast import Earlier
from signalbox.webapp.views.log import log_window
from signalbox.webapp.views.permissions import inbox_view
from signalbox.webapp.views.spans import spans_view
from signalbox.webapp.views.task_list import task_list_view
from signalbox.webapp.views.timeline import timeline_view
from signalbox.webapp.views.waterfall import waterfall_view
from tests.support.dom import parse
from tests.support.rendering import FRAGMENTS, frame, log, main, page, parts

HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    '</hx-partial><hx-partial hx-target="body" hx-swap="innerHTML">owned</hx-partial>',
    "</li></ol></main><template hx type=partial>",
    "{{7*7}}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#60;i>",
    "--><!--",
    "</pre></code></textarea></title>",
    "\u202egnp.exe\u2066",
)
CONTROLS = (
    "a\nb",
    "a\r\nb\rc",
    "nul\x00",
    "line\u2028sep\u2029",
    "\x1b[31mred\x1b]0;title\x07\x1b[?1049h",
    "\x9b31m\x85",
)


def hostile_run(text: str) -> list[NewEvent]:
    """Return events with `text` in every field that a run can fill."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", text)[:256]
    return [
        NewEvent(
            event_type=line, phase=line, actor=line, span_id=line, parent_span_id="x" + line[:255], payload={text: text}
        ),
        NewEvent(event_type="phase_enter", phase=line, span_id="p"),
        log(text, stream="stderr", level=text, logger=text),
        log(text, stream=text, more={text: [text]}),
        *(
            NewEvent(event_type=kind, span_id="w", payload=dict.fromkeys([*SHOWN_KEYS.get(kind, ()), "own"], text))
            for kind in KNOWN_EVENTS
            if kind != "permission_response"
        ),
        NewEvent(event_type="work_item_start", span_id="v", payload={"work_item_id": text, "work_type": text}),
        NewEvent(event_type="work_item_progress", span_id="v", payload={"message": text}),
        NewEvent(
            event_type="checkpoint_commit",
            payload={"checkpoint_id": text, "evidence_refs": {text: [text, {text: text}]}},
        ),
        NewEvent(
            event_type="permission_request",
            payload=dict.fromkeys(("request_id", "tool_name", "arguments", "reason", "expires_at"), text),
        ),
        NewEvent(
            event_type="permission_request", payload={"tool_name": text, "choices": [text, {"value": 1, "label": text}]}
        ),
        NewEvent(
            event_type="permission_request", payload={"tool_name": text, "arguments": {text: text}, "editable": True}
        ),
        NewEvent(
            event_type="permission_request",
            payload={
                "tool_name": text,
                "response_schema": {
                    "properties": {text: {"type": "string", "title": text, "description": text, "default": text}}
                },
            },
        ),
        NewEvent(event_type="status", payload={"status": "running", "message": text}),
    ]


@pytest.mark.parametrize("text", [*HOSTILE, *CONTROLS])
async def test_hostile_text_is_shown_and_never_breaks_out(store: SqliteStore, text: str) -> None:
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "", text)
    store.create_task("run", title=line, kind=line[:256])
    live = main(await page(store, window=200))
    store.append("run", hostile_run(text))
    shown = await page(store, window=200)
    update = await frame(store, 0, window=200)
    async with store.read() as view:
        listed = FRAGMENTS.list_page(await task_list_view(view, TaskQuery(text=line[:9], kind=line[:256])))
        inbox = FRAGMENTS.inbox_page(await inbox_view(view))
        spans = parts({"table": "spans/_table.html"}, await spans_view(view, "run"))
        waterfall = parts({"falls": "waterfall/_panel.html"}, await waterfall_view(view, "run"))
        timeline = parts({"story": "timeline/_phases.html"}, await timeline_view(view, "run", Earlier()))
        rows = FRAGMENTS.log_window(await log_window(view, "run"))
    for html in (shown, update, listed, inbox, spans, waterfall, timeline, rows, FRAGMENTS.error_page(404, "x", text)):
        found = re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", html)
        assert not found, html[max(0, found.start() - 200) : found.end() + 60]
        tree = parse(html)
        assert not {node.tag for node in tree.walk()} & {"img", "template", "b1"}
        fields = {node.attributes.get("id") or "" for node in tree.all("textarea")}
        assert all(one == "message-text" or "_field_" in one for one in fields)
        for script in tree.all("script"):
            assert str(script.attributes.get("src")).startswith("/static/")
            assert not script.text
        for node in tree.walk():
            assert not any(name.startswith("on") or name == "style" for name in node.attributes)
            assert not (node.attributes.get("href") or "").startswith("javascript:")
    assert (
        update.count("</hx-partial>") == update.count("<hx-partial") == len(re.findall(r"^<hx-partial", update, re.M))
    )
    live.apply(update, 200)
    assert live.lines() == main(shown).lines()


async def test_hostile_text_is_shown_as_written(store: SqliteStore) -> None:
    for text in HOSTILE[:-1]:
        store.append("run", log(text))
    rows = main(await page(store, window=200)).by_id(ids.LOG_ROWS)
    for text in HOSTILE[:-1]:
        assert text in rows.text


def test_element_ids_are_unique_and_need_no_escaping() -> None:
    names = ["a", "a b", "a_20_b", "a.b", "a:b", "A", "ä", "<a>", '"', "#x .y", "_", "__", "\U0001f600"]
    element_ids = [ids.span(name) for name in names]
    assert len(set(element_ids)) == len(names)
    assert all(re.fullmatch(r"span-[A-Za-z0-9_-]+", element_id) for element_id in element_ids)
    assert not set(map(ids.task, names)) & set(map(ids.span, names))


def test_pages_have_no_inline_script_or_style() -> None:
    templates = Path(FRAGMENTS._environment.loader.searchpath[0])  # type: ignore[union-attr]
    for template in templates.rglob("*.html"):
        source = template.read_text()
        assert not re.search(r"\bstyle=|\bon[a-z]+=|<style|<script(?![^>]*\bsrc=)", source), template
