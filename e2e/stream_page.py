"""A page that follows a log with EventStreamService and counts the events that it receives."""

from playwright.sync_api import Page

FOLLOW = """async (options) => {
    const {EventStreamService} = await import('/static/js/EventStreamService.js');
    Object.assign(window, {seen: [], states: [], errors: [], resets: 0, reconnects: 0});
    window.service = new EventStreamService('build-7', {
        reconnectDelay: 20, maxReconnectDelay: 100, ...options,
        onEvent: (event) => seen.push(event.seq),
        onStateChange: (state, {attempt, delay, message}) => states.push({state, attempt, delay, message}),
        onError: (error) => errors.push({message: error.message, status: error.status ?? 0}),
        onReconnect: () => reconnects++,
        onReset: () => resets++,
    });
    service.start();
}"""


def expect_all_seqs(page: Page, latest: int, first: int = 1) -> None:
    """Wait for `latest`, and check that the page has received each seq from `first` to it once and in order."""
    page.wait_for_function("latest => seen.includes(latest)", arg=latest)
    assert page.evaluate("seen") == list(range(first, latest + 1))


def states(page: Page) -> list[str]:
    """Return the states that the service has been in, without consecutive repetitions."""
    names = [entry["state"] for entry in page.evaluate("states")]
    return [name for at, name in enumerate(names) if at == 0 or names[at - 1] != name]


def wait_for_state(page: Page, state: str) -> None:
    page.wait_for_function("state => service.state === state", arg=state)


def stats(page: Page) -> dict[str, int]:
    return page.evaluate("service.getStats()")
