"""Fixtures of the browser tests.

These tests are plain functions: Playwright's sync API keeps its own event loop marked as running from the first
page to the end of the session, so nothing on this thread may start another (`asyncio.run`, an `async def` test).
"""

import inspect
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebError, expect, sync_playwright

from e2e.browser import launch
from e2e.kept_profile import OPTIONS, KeptProfile
from e2e.stream_page import FOLLOW
from e2e.stream_stub import StubServer, running
from e2e.visitor import Visitor
from tests.support.proxy import Proxy
from tests.support.server import Server

HERE = Path(__file__).parent
TIMEOUT_MS = 30_000
"""Longer than anything takes on a slow machine, and shorter than the 35 s in which a page notices a silent stream."""

FAILED = pytest.StashKey[bool]()

expect.set_options(timeout=TIMEOUT_MS)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last, because no async test can run after the first of them."""
    here = {path: HERE in path.parents for path in {item.path for item in items}}
    items.sort(key=lambda item: here[item.path])
    for item in items:
        if here[item.path] and inspect.iscoroutinefunction(getattr(item, "function", None)):
            raise pytest.UsageError(f"{item.nodeid}: a browser test is a plain function, see e2e/conftest.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixtures know that their test has failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def expect_console() -> list[str]:
    """Return the list of patterns of console errors that the test causes: `expect_console.append(r"503")`."""
    return []


@pytest.fixture
def watch_errors(expect_console: list[str]) -> Iterator[Callable[[BrowserContext], None]]:
    """Return a function that watches the pages of a context.

    The test fails if a page threw or logged an error that matches no pattern of `expect_console`.
    """
    watched: list[BrowserContext] = []
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location['url']})")

    def on_page_error(error: WebError) -> None:
        errors.append(error.error.stack or error.error.message)

    def watch(context: BrowserContext) -> None:
        context.set_default_timeout(TIMEOUT_MS)
        context.on("console", on_console)
        context.on("weberror", on_page_error)
        watched.append(context)

    yield watch

    for context in watched:
        context.remove_listener("console", on_console)
        context.remove_listener("weberror", on_page_error)
    unexpected = [e for e in errors if not any(re.search(pattern, e) for pattern in expect_console)]
    if unexpected:
        pytest.fail("The pages reported errors:\n" + "\n".join(unexpected), pytrace=False)


@pytest.fixture
def new_context(
    browser: Browser, watch_errors: Callable[[BrowserContext], None]
) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that opens a new browser profile: `new_context(java_script_enabled=False)`.

    It takes Playwright's options. All contexts are closed at the end of the test.
    """
    contexts: list[BrowserContext] = []

    def open_context(**options: object) -> BrowserContext:
        contexts.append(browser.new_context(**{**OPTIONS, **options}))  # type: ignore[arg-type]
        watch_errors(contexts[-1])
        return contexts[-1]

    yield open_context

    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def kept_profile(browser: Browser) -> KeptProfile:
    return KeptProfile(browser)


@pytest.fixture
def context(request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Return the profile that tests use one after the other, empty, or a new one for a test marked `own_profile`."""
    if request.node.get_closest_marker("own_profile"):
        open_context: Callable[..., BrowserContext] = request.getfixturevalue("new_context")
        yield open_context()
        return
    kept: KeptProfile = request.getfixturevalue("kept_profile")
    request.getfixturevalue("watch_errors")(kept.context)
    yield kept.context
    if request.node.stash.get(FAILED, False):
        kept.replace()
    else:
        kept.clean()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[Visitor]:
    """Return a page for the tests of a module that only look at it, light, dark, on a phone and enlarged."""
    visiting = Visitor(browser)
    yield visiting
    visiting.close()


@pytest.fixture
def plain_page(new_context: Callable[..., BrowserContext]) -> Page:
    """Return a page in a browser without JavaScript."""
    return new_context(java_script_enabled=False).new_page()


@pytest.fixture
def stub() -> Iterator[StubServer]:
    with running() as server:
        yield server


@pytest.fixture
def follow(page: Page, stub: StubServer, expect_console: list[str]) -> Callable[..., None]:
    """Return a function that opens a page that follows the stub's log: `follow(watchdogTimeout=300)`."""
    expect_console.append(r"Failed to load resource|net::ERR_")

    def start(**options: Any) -> None:
        if page.url == "about:blank":
            page.goto(stub.url)
        page.evaluate(FOLLOW, options)

    return start


@pytest.fixture
def connect(expect_console: list[str]) -> Iterator[Callable[[Server], Proxy]]:
    """Return a function that starts a proxy in front of a server: `connect(server)`."""
    expect_console.append(r"Failed to load resource|net::ERR_|Failed to fetch|network error")
    proxies: list[Proxy] = []

    def start_proxy(server: Server) -> Proxy:
        proxies.append(Proxy(server.port))
        return proxies[-1]

    yield start_proxy
    for proxy in proxies:
        proxy.close()
