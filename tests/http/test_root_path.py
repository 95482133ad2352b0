"""A server below a path prefix: every link stays below the prefix, and paths outside it are 404."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
import websockets

from signalbox.store import NewEvent, open_task
from signalbox.store.remote import RemoteLog
from signalbox.webapp.settings import InvalidSetting, Settings
from tests.support.people import PASSWORD, person
from tests.support.server import Server
from tests.support.sse import open_stream

ROOT = "/signalbox"
ADDRESS = re.compile(r'\b(?:href|action|formaction|src|hx-\w+|data-(?:src|frame|events|path))="([^"]*)"')


@pytest.fixture(scope="module")
def server_below_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("below"), root_path=ROOT).start()
    fill(running)
    yield running
    running.close()
    assert "Traceback" not in running.log, running.log


def fill(server: Server) -> None:
    """Create two tasks with every kind of page content, and one with an open permission request."""
    for task_id in ("one", "two"):
        with open_task(server.store, task_id, title=f"run {task_id}", kind="nightly") as task:
            with task.phase("planning"):
                task.log("a line")
            with task.phase("executing") as executing, executing.work_item("w1"):
                task.checkpoint("c1", artifacts=["a.txt"])
                task.log("cannot read", level="error")
    request = {"request_id": "r1", "tool_name": "rm", "arguments": {"path": "/x"}}
    server.emit("ask", NewEvent(event_type="permission_request", payload=request))


def leaves_prefix(page: str, address: str) -> bool:
    target = urlsplit(urljoin(page, unescape(address)))
    if target.scheme in ("data", "mailto", "javascript") or target.netloc != urlsplit(page).netloc:
        return target.scheme in ("http", "https")
    return not target.path.startswith(f"{ROOT}/")


@pytest.mark.long
def test_no_page_links_outside_the_prefix(server_below_prefix: Server) -> None:
    origin = server_below_prefix.url.removesuffix(ROOT)
    waiting, seen = (
        [
            f"{server_below_prefix.url}/",
            f"{server_below_prefix.url}/demo",
            f"{server_below_prefix.url}/compare?a=one&b=two",
        ],
        set[str](),
    )
    waiting += [
        f"{server_below_prefix.url}/nothing/here",
        f"{server_below_prefix.url}/tasks/one?at=3",
        f"{server_below_prefix.url}/login",
    ]
    kinds, out = set[str](), list[str]()
    with httpx.Client(headers={"Accept": "text/html"}, timeout=60) as browser:
        while waiting:
            url = waiting.pop(0)
            kind = (
                re.sub(r"\d+|one|two|ask", "N", urlsplit(url).path)
                + "?"
                + "&".join(sorted(part.partition("=")[0] for part in urlsplit(url).query.split("&")))
            )
            if url in seen or (kind in kinds and len(seen) > 20):
                continue
            seen.add(url)
            kinds.add(kind)
            with browser.stream("GET", url) as response:
                assert response.status_code < 500, url
                if response.is_redirect:
                    addresses = [response.headers["Location"]]
                elif "html" not in response.headers["Content-Type"] or "Content-Disposition" in response.headers:
                    continue
                else:
                    text = response.read().decode()
                    addresses = [link for link in ADDRESS.findall(text) if link and not link.startswith(("#", "data:"))]
                    # The docs name addresses without the prefix in their texts.
                    words = text.partition('<div class="markdown manual-text">')[0]
                    assert not re.search(r'["(= ]/(?:tasks|static|api|sse|live|login)\b', words), url
            if "/help/docs/" in url:
                addresses = [link for link in addresses if "://" not in link]  # The docs link to other sites.
            out += [f"{url}: {link}" for link in addresses if leaves_prefix(url, link)]
            links = [urljoin(url, unescape(link)).partition("#")[0] for link in addresses]
            waiting += [link for link in links if link.startswith(f"{origin}/") and "/logout" not in link]
    assert not out
    assert len(seen) > 30
    assert {urlsplit(url).path for url in seen} >= {f"{ROOT}/tasks/one", f"{ROOT}/permissions", f"{ROOT}/audits"}


def test_assets_and_streams_are_below_the_prefix(server_below_prefix: Server) -> None:
    page = server_below_prefix.get("/tasks/one", headers={"Accept": "text/html"})
    script = re.search(r'src="([^"]*page\.js[^"]*)"', page.text)
    assert script
    source = httpx.get(urljoin(str(page.url), script[1]))
    assert source.status_code == 200
    later = re.findall(r"import\('([^']+)'\)", source.text)
    assert later
    for address in later:
        assert httpx.get(urljoin(str(source.url), address)).status_code == 200
    assert not re.search(r"""['`]/(?:api|sse|tasks|static|ws)\b""", source.text)
    css = server_below_prefix.get("/static/css/app.css").text
    assert not re.search(r"url\(['\"]?/", css)
    with open_stream(f"{server_below_prefix.url}/sse/tasks/one/events") as stream:
        assert [next(stream).id, next(stream).id] == [None, "1"]
    with open_stream(f"{server_below_prefix.url}/api/sse/events/ask?since_seq=0") as stream:
        assert [next(stream).comment, json.loads(next(stream).data)["type"]] == ["open", "heartbeat"]
    assert server_below_prefix.get("/api/openapi.json").json()["servers"] == [{"url": ROOT}]


def test_paths_outside_the_prefix_are_404(server_below_prefix: Server) -> None:
    origin = server_below_prefix.url.removesuffix(ROOT)
    for path in ("/", "/tasks", "/signalboxes/tasks", "/sse/health", "/static/css/app.css", "/x/signalbox/tasks"):
        assert httpx.get(origin + path).status_code == 404, path
    target = httpx.get(f"{origin}{ROOT}?status=done")
    assert (target.status_code, target.headers["Location"]) == (308, f"{ROOT}/?status=done")


def test_websockets_are_served_only_below_the_prefix(server_below_prefix: Server) -> None:
    async def first_event(url: str) -> dict[str, object]:
        async with websockets.connect(url) as socket:
            found: dict[str, object] = json.loads(await socket.recv())
            return found

    at = server_below_prefix.url.replace("http:", "ws:")
    assert asyncio.run(first_event(f"{at}/ws/tasks/one/events"))["seq"] == 1
    with pytest.raises(websockets.exceptions.InvalidStatus):
        asyncio.run(first_event(f"{at.removesuffix(ROOT)}/ws/tasks/one/events"))


def test_a_remote_log_works_below_the_prefix(server_below_prefix: Server) -> None:
    log = RemoteLog(server_below_prefix.url)
    log.append("remote", NewEvent(event_type="log", payload={"message": "hello"}))
    assert next(log.tail("remote")).payload == {"message": "hello"}
    log.close()


def test_logging_in_stays_below_the_prefix(tmp_path: Path) -> None:
    server = Server(tmp_path, root_path=ROOT)
    person(server.store, "op@example.org", admin=True)
    server.start()
    try:
        with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}) as browser:
            sent = browser.get("/tasks?status=done")
            assert sent.headers["Location"] == f"{ROOT}/login?next=/signalbox/tasks%3Fstatus%3Ddone"
            form = browser.get(sent.headers["Location"].removeprefix(ROOT))
            onward = re.search(r'name="next" value="([^"]*)"', form.text)
            assert onward
            login = {"email": "op@example.org", "password": PASSWORD, "next": unescape(onward[1])}
            inside = browser.post("/login", data=login)
            assert (inside.status_code, inside.headers["Location"]) == (303, f"{ROOT}/tasks?status=done")
            assert f"Path={ROOT};" in inside.headers["Set-Cookie"] + ";"
            assert browser.get("/tasks").status_code == 200
            for elsewhere in ("/tasks", "//evil.example", f"{ROOT}/../x", f"{ROOT}/%2e%2e/x", f"{ROOT}es"):
                again = browser.post("/login", data=login | {"next": elsewhere})
                assert again.headers["Location"] == f"{ROOT}/tasks", elsewhere
            out = browser.post("/logout")
            assert out.headers["Location"] == f"{ROOT}/login?note=out"
            assert f"Path={ROOT};" in out.headers["Set-Cookie"] + ";"
            secure = {"X-Forwarded-Proto": "https"}
            assert "__Host-" not in browser.post("/login", data=login, headers=secure).headers["Set-Cookie"]
    finally:
        server.close()


@pytest.mark.parametrize(
    "value", ["signalbox", "/", "/a/", "//a", "/a//b", "/a b", "/a?b", "/../a", "/a/.", "/é", "/a\n"]
)
def test_an_invalid_prefix_is_refused_at_startup(value: str) -> None:
    with pytest.raises(InvalidSetting, match="SIGNALBOX_ROOT_PATH"):
        Settings.from_environment({"SIGNALBOX_ROOT_PATH": value})


@pytest.mark.parametrize("value", ["", "/signalbox", "/a/b-c_d.e~f"])
def test_a_prefix_may_have_several_segments(value: str) -> None:
    assert Settings.from_environment({"SIGNALBOX_ROOT_PATH": value}).root_path == value
