"""Emitting never raises into the program: values that the log cannot hold are converted or cut."""

from __future__ import annotations

import asyncio
import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store import AsyncEmitter, Emitter, InvalidEvent, open_task
from signalbox.store.emitter import fit_payload
from signalbox.store.emitter.fit_payload import fitting, fitting_object
from signalbox.store.events import NewEvent, check_event
from signalbox.store.remote import RemoteLog
from signalbox.store.sqlite import SqliteStore
from tests.support.log import log_of, task_of
from tests.support.server import Server


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class BrokenError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


VALUES = {
    "path": (Path("r.html"), "r.html"),
    "set": ({1}, [1]),
    "decimal": (Decimal("1.5"), "1.5"),
    "date": (datetime.date(2026, 11, 26), "2026-11-26"),
    "complex": (1j, "1j"),
    "huge": (10**5000, hex(10**5000)),
    "surrogate": ("a\udc80", "a?"),
    "broken": (Broken(), "<Broken>"),
    "nan": (math.nan, None),
    "keys": ({(1, 2): "a", None: "b", "\udc80": "c"}, {"(1, 2)": "a", "None": "b", "?": "c"}),
    "range": (range(2), "range(0, 2)"),
}


def test_unsupported_values_are_stored_as_text(store: SqliteStore) -> None:
    with open_task(store, "t", title="a\n" * 600, kind="", metadata={"where": Path("x")}) as task:
        for name, (value, _) in VALUES.items():
            task.log("kept", **{name: value})
        task.log("cyclic", value=cyclic())
        task.log(b"bytes \xff")  # type: ignore[arg-type]
        task.log(Path("x"))  # type: ignore[arg-type]
        task.status(None)  # type: ignore[arg-type]
        with task.work_item("w") as item:
            item.result(report=Path("r.html"), task_id=3, phase="p", work_type="x")
    log = log_of(store, "t")
    for event, (name, (_, wanted)) in zip(log[1:], VALUES.items(), strict=False):
        assert event.payload["message"] == "kept"
        assert event.payload.get(name) == wanted, name
    messages = [event.payload.get("message") for event in log if event.event_type in ("log", "status")]
    assert messages[-4:] == ["cyclic", "bytes \ufffd", "x", "None"]
    result = log[-2].payload
    assert [result[name] for name in ("report", "task_id_", "phase_", "work_type_")] == ["r.html", 3, "p", "x"]
    assert task_of(store, "t").status == "done"
    assert task_of(store, "t").metadata == {"where": "x"}


def test_a_long_line_is_cut_and_marked_truncated(store: SqliteStore) -> None:
    with open_task(store, "t") as task:
        task.log("x" * 300_000, level="info")
        task.log("many", values=list(range(300_000)))
    long, many = log_of(store, "t")[1:3]
    assert long.payload == {"message": "x" * 20_000 + "…", "level": "info", "truncated": 300_000}
    assert many.payload["message"] == "many"
    assert many.payload["values"][:2] == [0, 1]
    assert many.payload["values"][-1] == "…"
    assert many.payload["truncated"] > 300_000


@pytest.mark.parametrize("value", [math.nan, math.inf, "three", None, 10**400, Broken(), Decimal("NaN")])
def test_progress_that_is_not_a_finite_number_is_dropped(store: SqliteStore, value: Any) -> None:
    with open_task(store, "t") as task:
        task.progress(value, 10)
        task.progress(1, value)
        with task.work_item("w") as item:
            item.progress(value, value)
    assert "progress" not in log_of(store, "t")[1].payload
    assert log_of(store, "t")[2].payload["progress"] == {"current": 1}
    assert task_of(store, "t").status == "done"


def test_every_field_of_an_event_is_made_valid(store: SqliteStore) -> None:
    stored = Emitter(store).emit(
        "t", "", "s" * 300, actor="a\nb", phase="", parent_span_id="s" * 300, key="k" * 300, note="kept"
    )
    assert (stored.event_type, stored.actor, stored.phase, stored.parent_span_id) == ("unnamed", "a b", None, None)
    assert stored.payload == {"note": "kept"}
    other = Emitter(store).emit("t", "log", "s" * 301, key="k" * 301)
    assert (other.span_id == stored.span_id, other.key == stored.key) == (False, False)
    assert Emitter(store).emit("t", "log", key="k" * 300).seq == stored.seq


def test_an_exception_whose_text_raises_is_recorded(store: SqliteStore) -> None:
    with pytest.raises(BrokenError), open_task(store, "t") as task, task.phase("p"):
        raise BrokenError
    assert task_of(store, "t").status == "failed"


def test_strict_mode_raises_instead_of_converting(store: SqliteStore) -> None:
    with pytest.raises(InvalidEvent), open_task(store, "t", strict=True) as task:
        task.log("x" * 300_000)
    with pytest.raises(InvalidEvent):
        Emitter(store, strict=True).emit("t", "")
    with pytest.raises(InvalidEvent):
        asyncio.run(AsyncEmitter(store, strict=True).emit("t", "log", value=Path("x")))  # type: ignore[arg-type]


async def test_an_asyncio_run_over_http_cuts_long_lines_too(tmp_path: Path) -> None:
    server = Server(tmp_path).start()
    try:
        log = RemoteLog(server.url)
        async with open_task(log, "t") as task:
            await task.log("x" * 300_000, report=Path("r.html"))
        await log.aclose()
        assert (await asyncio.to_thread(log_of, server.store, "t"))[1].payload["truncated"] == 300_000
    finally:
        server.close()


def test_values_that_do_not_fit_anyway_are_not_converted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a million numbers from one caller must not stop a server."""
    converted, convert = 0, fit_payload.plain

    def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal converted
        converted += 1
        return convert(*arguments, **named)

    monkeypatch.setattr(fit_payload, "plain", counting)
    rows = [[number] * 20 for number in range(25_000)]
    found = fitting_object({"message": "m", "values": [0] * 500_000, "rows": rows}, 200_000)
    assert found == {
        "message": "m",
        "values": [0] * 1000 + ["…"],
        "rows": [*rows[:1000], "…"],
        "truncated": len(msgspec.json.encode({"message": "m", "values": [0] * 500_000, "rows": rows})),
    }
    assert converted < 250_000


@pytest.mark.parametrize("limit", [100, 1000, 21_000, 300_000])
def test_a_payload_of_many_values_is_cut_to_its_limit(limit: int) -> None:
    found = fitting_object({"values": [{"a": 1}, {1, 2}, "x" * 50] * 50_000}, limit)
    assert len(msgspec.json.encode(found)) <= limit
    assert found["truncated"] == 3_350_012


ANYTHING = st.recursive(
    st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.binary(), st.complex_numbers(), st.dates()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers(), st.none()), inner, max_size=3),
    ),
    max_leaves=10,
)


@pytest.mark.long
@given(st.dictionaries(st.text(max_size=5), ANYTHING, max_size=4), ANYTHING, st.integers(1, 2000))
def test_any_value_becomes_a_valid_event(payload: dict[str, Any], text: Any, limit: int) -> None:
    event = NewEvent(
        event_type=text, actor=text, phase=text, span_id=text, parent_span_id=text, key=text, payload=payload
    )
    assert len(check_event(fitting(event, limit))) <= max(limit, 30)


def test_occurred_at_is_kept_and_moves_to_the_payload_without_a_zone(store: SqliteStore) -> None:
    emit = Emitter(store)
    noon = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    assert emit.emit_log("run", None, "late", occurred_at=noon).occurred_at == "2026-11-20T12:00:00.000000Z"
    without_zone = emit.emit_log("run", None, "late", occurred_at="2026-11-20 12:00")
    assert without_zone.happened_at == without_zone.created_at
    assert without_zone.payload["occurred_at"] == "2026-11-20 12:00"
    with pytest.raises(InvalidEvent, match="occurred_at must be a time with its zone"):
        Emitter(store, strict=True).emit_log("run", None, "late", occurred_at=datetime.datetime(2026, 11, 20))
