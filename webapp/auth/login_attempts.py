"""Limits on password guesses, and on password checks at the same time.

Each process has three budgets of failed log-ins: for an account from one network, for one network, and for an account
from everywhere. The last one stops guesses from many addresses. So that strangers cannot lock a person out, it does not
apply to a browser or a network from which the account has logged in before.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from signalbox.webapp.http.refusals import LoginsBusy, TooManyLogins

T = TypeVar("T")
BudgetKey = tuple[str, ...]

WINDOW = 300.0
"""Seconds for which failed log-ins from one network are counted."""

ACCOUNT_WINDOW = 3600.0
"""Seconds for which failed log-ins to one account, or from one known browser, are counted."""

NETWORK_FACTOR, ACCOUNT_FACTOR = 5, 5
"""The other two budgets, as multiples of the budget for one account from one network."""

MAX_BUDGETS = 50_000
"""Maximum number of budgets in memory. The least recently used ones are dropped."""

MAX_RUNNING, MAX_WAITING, MAX_WAITING_PER_NETWORK = 2, 32, 16
"""Maximum number of checks at the same time (each takes 64 MiB), of waiting checks, and of these from one network."""


@dataclass
class Attempt:
    """One log-in that is being checked. It counts as failed until `withdraw`."""

    taken: list[tuple[deque[float], float]]

    def withdraw(self) -> None:
        """Do not count this log-in as failed."""
        for times, at in self.taken:
            if at in times:
                times.remove(at)
        self.taken = []


class LoginAttempts:
    """The budgets. `attempts` is the budget for one account from one network. `key` signs cookies of known browsers."""

    def __init__(self, attempts: int, key: bytes | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._attempts = attempts
        self._key = key or secrets.token_bytes(32)
        self._clock = clock
        self._failed: OrderedDict[BudgetKey, deque[float]] = OrderedDict()
        self._networks: OrderedDict[BudgetKey, None] = OrderedDict()

    def attempt(self, who: str, network: str, browser: str | None = None) -> Attempt:
        """Count one more log-in of the account `who`; `browser` is its signed cookie. Raises TooManyLogins."""
        nonce = self._nonce(who, browser)
        if nonce is not None:
            try:
                return self._take([(("browser", who, nonce), self._attempts, ACCOUNT_WINDOW)])
            except TooManyLogins:
                pass  # The budget of the browser is used up, so treat it as unknown.
        pair: tuple[BudgetKey, int, float] = ("pair", who, network), self._attempts, WINDOW
        wide: tuple[BudgetKey, int, float] = ("network", network), self._attempts * NETWORK_FACTOR, WINDOW
        everywhere: tuple[BudgetKey, int, float] = ("account", who), self._attempts * ACCOUNT_FACTOR, ACCOUNT_WINDOW
        if (who, network) in self._networks:
            return self._take([pair, wide])
        return self._take([pair, wide, everywhere])

    def succeeded(self, who: str, network: str) -> str:
        """Remember the network of a successful log-in, and return the signed cookie for its browser."""
        self._networks[who, network] = None
        self._networks.move_to_end((who, network))
        self._failed.pop(("pair", who, network), None)
        while len(self._networks) > MAX_BUDGETS:
            self._networks.popitem(last=False)
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._sign(who, nonce)}"

    def _take(self, budgets: list[tuple[BudgetKey, int, float]]) -> Attempt:
        at = self._clock()
        counted = [(self._times(key, at - window), most, window) for key, most, window in budgets]
        for times, most, window in counted:
            if len(times) >= most:
                raise TooManyLogins(max(1.0, times[0] + window - at))
        for times, _, _ in counted:
            times.append(at)
        while len(self._failed) > MAX_BUDGETS:
            self._failed.popitem(last=False)
        return Attempt([(times, at) for times, _, _ in counted])

    def _times(self, key: BudgetKey, since: float) -> deque[float]:
        times = self._failed.setdefault(key, deque())
        self._failed.move_to_end(key)
        while times and times[0] <= since:
            times.popleft()
        return times

    def _nonce(self, who: str, browser: str | None) -> str | None:
        nonce, _, signature = (browser or "").partition(".")
        if not nonce or len(browser or "") > 200 or not signature.isascii():
            return None
        return nonce if hmac.compare_digest(signature, self._sign(who, nonce)) else None

    def _sign(self, who: str, nonce: str) -> str:
        return hmac.new(self._key, f"known browser {who} {nonce}".encode(errors="replace"), "sha256").hexdigest()


class PasswordChecks:
    """Checks passwords in its own threads. A cancelled caller frees its thread and its place in the queue."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_RUNNING, thread_name_prefix="signalbox-password")
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()

    async def run(self, network: str, work: Callable[..., T], *given: str) -> T:
        """Run `work` in a thread and return its result. Raises LoginsBusy if too many wait already."""
        with self._lock:
            if self._waiting.total() >= MAX_WAITING or self._waiting[network] >= MAX_WAITING_PER_NETWORK:
                raise LoginsBusy
            self._waiting[network] += 1
        job: Future[T] = self._threads.submit(work, *given)
        job.add_done_callback(lambda _: self._leave(network))
        return await asyncio.wrap_future(job)

    def _leave(self, network: str) -> None:
        with self._lock:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]


def network_of(source: str | None) -> str:
    """Return the network that an address counts as: the /64 of an IPv6 address, else the IPv4 address."""
    try:
        address = ipaddress.ip_address((source or "").partition("%")[0])
    except ValueError:
        return source or ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
