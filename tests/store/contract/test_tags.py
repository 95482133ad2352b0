"""Test tags and links: those of the metadata, changes by events, limits, and the filter of the task list."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store import InvalidEvent, NewEvent, Store, TaskQuery, open_task
from signalbox.store.history import History
from signalbox.store.past_reading import PastReading
from signalbox.store.state import Task
from signalbox.store.tags import MAX_TAGS


async def listed(store: Store, *tags: tuple[str, str], **query: Any) -> list[str]:
    async with store.read() as view:
        return [task.task_id for task in (await view.tasks(TaskQuery(tags=tags, **query))).tasks]


async def read(store: Store, task_id: str) -> Task:
    async with store.read() as view:
        return await view.task(task_id)


def changed(**tags: Any) -> NewEvent:
    return NewEvent(event_type="tags_changed", payload={"tags": tags})


async def test_a_task_has_the_tags_of_its_metadata_and_is_found_by_all_of_them(store: Store) -> None:
    store.create_task("main", metadata={"tags": {"branch": "main", "build": 412, "ci": True}, "pr": 7})
    store.create_task("other", metadata={"tags": {"branch": "other", "ci": True}})
    store.create_task("plain", metadata={"tags": ["branch", "main"]})
    assert (await read(store, "main")).tags == {"branch": "main", "build": "412", "ci": "true"}
    assert (await read(store, "plain")).tags == {}
    assert await listed(store, ("ci", "true")) == ["other", "main"]
    assert await listed(store, ("ci", "true"), ("branch", "main")) == ["main"]
    assert await listed(store, ("branch", "mai")) == []
    for sort in ("oldest", "active"):
        assert set(await listed(store, ("ci", "true"), sort=sort)) == {"main", "other"}


async def test_numbers_of_any_size_are_tags_as_text(store: Store) -> None:
    store.create_task("run", metadata={"tags": {"loss": -1.7976931348623157e308, "seed": 10**199}})
    assert (await read(store, "run")).tags == {"loss": "-1.7976931348623157e+308", "seed": f"1{'0' * 199}"}


async def test_pages_of_a_tag_follow_their_cursor(store: Store) -> None:
    for number in range(5):
        store.create_task(f"t{number}", metadata={"tags": {"env": "test"}})
        store.create_task(f"u{number}")
    found, cursor = [], None
    while True:
        async with store.read() as view:
            page = await view.tasks(TaskQuery(tags=(("env", "test"),), limit=2, before=cursor))
        found += [task.task_id for task in page.tasks]
        if (cursor := page.cursor) is None:
            break
    assert found == ["t4", "t3", "t2", "t1", "t0"]


async def test_events_add_change_and_remove_tags_and_links(store: Store) -> None:
    store.create_task("run", metadata={"tags": {"branch": "main", "old": "yes"}})
    store.append("run", [NewEvent(event_type="runner_spawn"), changed(branch="dev", old=None, new=1)])
    store.append("run", NewEvent(event_type="links_changed", payload={"links": {"report": "https://example.org/r"}}))
    task = await read(store, "run")
    assert (task.tags, task.links) == ({"branch": "dev", "new": "1"}, {"report": "https://example.org/r"})
    assert await listed(store, ("old", "yes")) == await listed(store, ("branch", "main")) == []
    assert await listed(store, ("branch", "dev"), ("new", "1")) == ["run"]
    store.append("run", [changed(old="again"), changed(branch="main"), changed(new=None)])
    assert (await read(store, "run")).tags == {"branch": "main", "old": "again"}
    assert await listed(store, ("old", "again")) == ["run"]
    async with store.read() as view:
        past = PastReading(view, await History().state_at(view, "run", 2))
        assert (await past.task("run")).tags == {"branch": "dev", "new": "1"}


async def test_a_tag_does_not_start_a_queued_task(store: Store) -> None:
    store.create_task("run")
    store.append("run", changed(triaged="yes"))
    queued = await read(store, "run")
    assert (queued.status, queued.tags, queued.spans_total) == ("queued", {"triaged": "yes"}, 0)
    store.append("run", NewEvent(event_type="runner_spawn", span_id="main"))
    assert (await read(store, "run")).main_span_id == "main"


async def test_values_that_no_tag_can_have_are_left_out_of_events(store: Store) -> None:
    store.create_task("run")
    store.append("run", changed(good="1", nested={}, empty="", long="x" * 201, **{"a=b": "1", " ": "1", "nul": "\0"}))
    store.append("run", NewEvent(event_type="tags_changed", payload={"tags": "none"}))
    store.append("run", NewEvent(event_type="links_changed", payload={"links": {"bad": "javascript:alert(1)"}}))
    task = await read(store, "run")
    assert (task.tags, task.links) == ({"good": "1"}, {})
    store.append("run", changed(**{f"t{number}": "1" for number in range(60)}))
    store.append("run", changed(one_more="1", good="2"))
    assert len((await read(store, "run")).tags) == MAX_TAGS
    assert (await read(store, "run")).tags["good"] == "2"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"tags": {"x" * 65: "1"}}, "metadata.tags: a name must have 1 to 64 characters, not 65"),
        ({"tags": {"a": "x" * 201}}, "metadata.tags: the value of 'a' must have 1 to 200 characters, not 201"),
        ({"tags": {"a": []}}, "metadata.tags: the value of 'a' must be text, not list"),
        ({"tags": {f"t{n}": 1 for n in range(51)}}, "metadata.tags may have at most 50 names, not 51"),
        ({"links": {"a": "ftp://x"}}, "metadata.links: the address of 'a' must begin with http:// or https://"),
    ],
)
def test_tags_and_links_over_a_limit_are_refused_with_the_limit(
    store: Store, metadata: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidEvent, match="metadata") as refused:
        store.create_task("run", metadata=metadata)
    assert message in str(refused.value)


async def test_a_deleted_task_leaves_no_tags_to_the_next_task_with_its_id(store: Store) -> None:
    store.create_task("run", metadata={"tags": {"branch": "main"}})
    store.delete_task("run")
    store.create_task("run")
    assert await listed(store, ("branch", "main")) == []


async def test_an_emitter_gives_tags_and_changes_them(store: Store) -> None:
    with open_task(store, "run", tags={"branch": "main", "commit message": "a\nb" * 200}, links={"ci": "x"}) as task:
        task.tag(branch="dev", suite="unit")
        task.link("report", "https://example.org/report")
    found = await read(store, "run")
    assert found.tags["branch"] == "dev"
    assert found.tags["commit message"].startswith("a b")
    assert found.links == {"report": "https://example.org/report"}
    with open_task(store, "run", tags={"attempt": 2}):
        pass
    assert (await read(store, "run")).tags["attempt"] == "2"
    with pytest.raises(InvalidEvent, match="must be text"), open_task(store, "strict", strict=True) as task:
        task.tag(branch=["a"])
