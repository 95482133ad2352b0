"""Test ConnectionStatus: a mark and a word for each state, a countdown, statistics on demand."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.stream_stub import running

SHOW = """async (options) => {
    const {ConnectionStatus} = await import('/static/js/ConnectionStatus.js');
    window.retries = 0;
    window.shown = new ConnectionStatus({container: 'main', onRetry: () => retries++, ...options});
}"""


@pytest.fixture
def status(page: Page) -> Iterator[Locator]:
    with running() as stub:
        page.goto(stub.url)
        page.evaluate(SHOW, {})
        yield page.locator(".connection-status")


def set_state(page: Page, state: str, **info: object) -> None:
    page.evaluate("([state, info]) => shown.setState(state, info)", [state, info])


def test_each_state_has_its_own_class_mark_and_word(page: Page, status: Locator) -> None:
    seen = set()
    for state in ("disconnected", "connecting", "connected", "reconnecting", "error"):
        set_state(page, state)
        expect(status).to_have_class(f"connection-status connection-status--{state}")
        seen.add((status.locator("[class$=mark]").text_content(), status.get_by_role("status").text_content()))
    assert len({mark for mark, _ in seen}) == len({text for _, text in seen}) == 5


@pytest.mark.own_profile
def test_the_countdown_is_not_announced_to_screen_readers(page: Page, status: Locator) -> None:
    page.clock.install()
    page.clock.pause_at("2030-01-01")  # Otherwise it runs while the page is checked.
    set_state(page, "reconnecting", reconnectAttempt=3, reconnectDelay=5000, message="offline")
    announced = status.get_by_role("status").text_content()
    for seconds in (5, 4, 3, 2, 1):
        expect(status).to_contain_text(f"Retry in {seconds} s")
        page.clock.run_for(1000)
    expect(status).to_contain_text("Retrying")
    assert status.get_by_role("status").text_content() == announced
    assert "offline" in str(announced)


def test_retry_now_is_offered_while_the_service_waits(page: Page, status: Locator) -> None:
    retry = status.get_by_role("button", name="Retry now")
    expect(retry).to_be_visible()
    for state in ("connecting", "connected", "reconnecting"):
        set_state(page, state)
        expect(retry).to_be_hidden()
    set_state(page, "reconnecting", reconnectDelay=8000)
    retry.click()
    assert page.evaluate("retries") == 1


def test_statistics_are_shown_on_demand(page: Page, status: Locator) -> None:
    page.evaluate("shown.setStats({eventsReceived: 12, reconnects: 1, gapsDetected: 2, gapsRecovered: 2, errors: 3})")
    expect(status.get_by_text("Gaps found")).to_be_hidden()
    status.get_by_text("Connection", exact=True).click()
    expect(status.locator("dl")).to_have_text("Events12Reconnects1Gaps found2Gaps recovered2Errors3")


def test_parts_that_are_turned_off_are_not_shown(page: Page, status: Locator) -> None:
    page.evaluate(SHOW, {"showStats": False, "showReconnectTimer": False, "compact": True})
    set_state(page, "reconnecting", reconnectDelay=8000)
    expect(status.get_by_text("Connection", exact=True)).to_have_count(0)
    expect(status.get_by_text("Retry in")).to_be_hidden()
    expect(status).to_have_class("connection-status connection-status--reconnecting connection-status--compact")


def test_messages_of_the_server_are_shown_as_text(page: Page, status: Locator) -> None:
    set_state(page, "error", message="<img src=x onerror=alert(1)>")
    expect(status).to_contain_text("<img src=x onerror=alert(1)>")
    expect(status.locator("img")).to_have_count(0)


def test_destroy_removes_everything(page: Page, status: Locator) -> None:
    page.evaluate("shown.destroy()")
    expect(page.locator("main")).to_be_empty()
