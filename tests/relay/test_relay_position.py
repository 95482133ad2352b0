"""Test which messages of an upstream count as new when it repeats some."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store.events import NewEvent
from signalbox.store.remote.sse import Message
from signalbox.webapp.relay.position import UpstreamPosition, mark_of, usable
from signalbox.webapp.relay.replay import PROOF_MESSAGES, Replay

LINES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=12)


class KeyedLog:
    """A log reduced to idempotency keys: a repeated key appends nothing."""

    def __init__(self) -> None:
        self.events: dict[str, NewEvent] = {}
        self.position = UpstreamPosition()

    def connection(self, messages: Sequence[Message]) -> None:
        self.position.connected()
        for message in messages:
            for event in self.position.take(message):
                assert event.key is not None
                self.events.setdefault(event.key, event)

    def restart(self) -> None:
        """Restart the relay after a SIGKILL: its position comes from the log alone."""
        marks = [mark for key in self.events if (mark := mark_of(key))]
        last = [number for number, mark in enumerate(marks) if mark.number == 0]
        self.position = UpstreamPosition(marks[last[-1] :] if last else marks)

    @property
    def lines(self) -> list[str]:
        return [event.payload["message"] for event in self.events.values()]


def lines(texts: Sequence[str], ids: Sequence[str] | None = None) -> list[Message]:
    return [Message("log", text, ids[number] if ids else "") for number, text in enumerate(texts)]


@given(LINES, st.data())
def test_an_upstream_that_restarts_its_stream_is_stored_once(texts_sent: list[str], data: st.DataObject) -> None:
    log = KeyedLog()
    for _ in range(data.draw(st.integers(0, 4))):
        log.connection(lines(texts_sent[: data.draw(st.integers(0, len(texts_sent)))]))
        if data.draw(st.booleans()):
            log.restart()
    log.connection(lines(texts_sent))
    assert log.lines == texts_sent


@given(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=6))
def test_an_upstream_that_repeats_its_last_lines_is_stored_once(window: int, growth: list[int]) -> None:
    log, texts_sent = KeyedLog(), list[str]()
    for more in growth:
        begin = max(0, len(texts_sent) - window)
        texts_sent += [f"line {len(texts_sent) + number}" for number in range(more)]
        log.connection(lines(texts_sent[begin:]))
        log.restart()
    assert log.lines == texts_sent


def test_an_upstream_that_resumes_without_repeating_loses_nothing() -> None:
    log = KeyedLog()
    log.connection(lines(["one", "two", "three"]))
    log.connection(lines(["four"]))
    log.restart()
    log.connection(lines(["two", "five", "six"]))
    assert log.lines == ["one", "two", "three", "four", "two", "five", "six"]


@given(LINES, st.data())
def test_messages_with_different_ids_are_all_stored(texts_sent: list[str], data: st.DataObject) -> None:
    # Only some messages carry an `id:` of their own; for the others the parser reports the last one.
    own = data.draw(st.lists(st.booleans(), min_size=len(texts_sent), max_size=len(texts_sent)))
    ids, current = [], ""
    for number, has in enumerate(own):
        current = f"id {number}" if has else current
        ids.append(current)
    log = KeyedLog()
    for _ in range(data.draw(st.integers(0, 4))):
        last = log.position.last_id
        # An upstream resumes after the id, or at it, or ignores it and starts with the first message.
        starts = {ids.index(last) + 1, ids.index(last)} if last else {0}
        starts |= {0} if own[0] else set()
        begin = data.draw(st.sampled_from(sorted(starts)))
        end = data.draw(st.integers(begin, len(texts_sent)))
        # After a resume, a message without an `id:` of its own has none.
        sent = [mine if any(own[begin : number + 1]) else "" for number, mine in enumerate(ids[:end])][begin:]
        log.connection(lines(texts_sent[begin:end], sent))
        if data.draw(st.booleans()):
            log.restart()
    last = log.position.last_id
    begin = ids.index(last) + 1 if last else 0
    sent = [mine if any(own[begin : number + 1]) else "" for number, mine in enumerate(ids)][begin:]
    log.connection(lines(texts_sent[begin:], sent))
    assert log.lines == texts_sent


def test_a_long_repetition_uses_little_memory() -> None:
    texts_sent = [f"line {number}" for number in range(3 * PROOF_MESSAGES)]
    log = KeyedLog()
    log.connection(lines(texts_sent))
    log.connection(lines([*texts_sent[:-5], "another end"]))
    assert log.lines == [*texts_sent, "another end"]


class CountedReads(array):  # type: ignore[type-arg]
    """Hashes of messages that count how often one is compared."""

    reads = 0

    def __getitem__(self, index: Any) -> Any:
        self.reads += 1
        return super().__getitem__(index)


def test_thousands_of_equal_messages_are_compared_once_each() -> None:
    known = CountedReads("Q", [7] * 3000 + [8] + [7] * 3000)
    replay, repeated = Replay(known), NewEvent(event_type="log", payload={"message": "waiting"})
    for digest in known:
        assert replay.take(repeated, digest) == []
    assert replay.take(repeated, 9) == [(repeated, 9)]
    assert known.reads < 10 * len(known)


def test_a_message_that_the_log_refused_leaves_no_gap() -> None:
    log, texts_sent = KeyedLog(), ["one", "refused", "three"]
    log.connection(lines(texts_sent))
    log.events = {key: event for key, event in log.events.items() if event.payload["message"] != "refused"}
    log.restart()
    log.connection(lines([*texts_sent, "four"]))
    assert log.lines == ["one", "three", "four"]


def test_messages_about_the_connection_move_the_position_but_are_not_stored() -> None:
    log = KeyedLog()
    log.connection([Message("log", "one", "1"), Message("heartbeat", "{}", "2")])
    assert log.position.last_id == "2"
    assert log.lines == ["one"]


@pytest.mark.parametrize("upstream_id", ["", "1", "a/b c:d", "ä", "%2F", "x" * 200])
def test_the_id_can_be_read_from_a_key(upstream_id: str) -> None:
    log = KeyedLog()
    log.connection(lines(["one"], [upstream_id]))
    (key,) = log.events
    mark = mark_of(key)
    assert mark is not None
    assert mark.id == upstream_id


@pytest.mark.parametrize("upstream_id", ["x" * 201, "tab\tin it", " leading"])
def test_an_id_that_no_header_can_carry_is_ignored(upstream_id: str) -> None:
    assert not usable(upstream_id)
    log = KeyedLog()
    log.connection(lines(["one", "two"], [upstream_id, upstream_id + "2"]))
    log.connection(lines(["one", "two"], [upstream_id, upstream_id + "2"]))
    assert log.lines == ["one", "two"]


@pytest.mark.parametrize("key", [None, "mine", "relay-spawn", "relay/a/b", "relay/a/1/zz", "relay/a/1/2/3"])
def test_other_keys_have_no_position(key: str | None) -> None:
    assert mark_of(key) is None


@pytest.mark.parametrize(
    "key",
    [
        "relay/x/1/ffffffffffffffffffff",
        "relay/x/-5/0000000000000001",
        "relay/x/1/-1",
        "relay/x/0/0000000000000001",
        "relay/%0A",
        "relay/x%00/1/0000000000000001",
        "relay//1_0/0000000000000001",
    ],
)
def test_a_key_that_another_program_wrote_is_no_position(key: str) -> None:
    assert mark_of(key) is None


def test_a_number_that_another_program_chose_does_not_fill_the_memory() -> None:
    log = KeyedLog()
    log.connection(lines(["one"]))
    log.events["relay//4000000000/0000000000000001"] = NewEvent(event_type="log", payload={"message": "planted"})
    log.restart()
    log.connection(lines(["one", "two"]))
    assert log.lines == ["one", "planted", "two"]
