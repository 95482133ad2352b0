"""Limits on password guesses, and on password checks at the same time.

There are three budgets of failed log-ins: for an account from one network, for one network, and for an account from
everywhere. The last one stops guesses from many addresses. So that strangers cannot lock a person out, it does not
apply to a browser or a network from which the account has logged in before. The store counts the attempts of all
processes, so a caller gains nothing by asking several.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from signalbox.store import Store
from signalbox.store.events import new_id
from signalbox.store.people import LoginBudget
from signalbox.webapp.http.refusals import LoginsBusy, TooManyLogins

T = TypeVar("T")

WINDOW = 300.0
"""Seconds for which failed log-ins from one network are counted."""

ACCOUNT_WINDOW = 3600.0
"""Seconds for which failed log-ins to one account, or from one known browser, are counted."""

NETWORK_FACTOR, ACCOUNT_FACTOR = 5, 5
"""The other two budgets, as multiples of the budget for one account from one network."""

MAX_REFUSALS = 10_000
"""Maximum number of refusals that are remembered, so that refused callers cause no further transactions."""

MAX_RUNNING, MAX_WAITING, MAX_WAITING_PER_NETWORK = 2, 32, 16
"""Maximum number of checks at the same time (each takes 64 MiB), of waiting checks, and of these from one network."""


class LoginAttempts:
    """The budgets. `attempts` is the budget for one account from one network."""

    def __init__(self, store: Store, attempts: int) -> None:
        self._store = store
        self._attempts = attempts
        # The key of a database that others can read signs no cookies that another process accepts.
        self._cookie_key = store.key or secrets.token_bytes(32)
        self._refusals: dict[tuple[LoginBudget, ...], tuple[float, float]] = {}

    async def attempt(self, who: str, network: str, browser: str | None = None) -> str:
        """Count one more log-in of the account `who` as failed, and return its id. Raises TooManyLogins.

        `browser` is the signed cookie of the browser.
        """
        nonce = self._nonce(who, browser)
        if nonce is not None:
            try:
                return await self._take(self._budget(ACCOUNT_WINDOW, 1, "browser", who, nonce))
            except TooManyLogins:
                pass  # The budget of the browser is used up, so treat it as unknown.
        pair = self._budget(WINDOW, 1, "pair", who, network)
        wide = self._budget(WINDOW, NETWORK_FACTOR, "network", network)
        if await self._store.people.known_place(self._digest("place", who, network)):
            return await self._take(pair, wide)
        return await self._take(pair, wide, self._budget(ACCOUNT_WINDOW, ACCOUNT_FACTOR, "account", who))

    async def withdraw(self, attempt_id: str) -> None:
        """Do not count this log-in as failed."""
        await self._store.people.awithdraw_login(attempt_id)

    async def succeeded(self, attempt_id: str, who: str, network: str) -> str:
        """Withdraw a successful log-in, remember its network, and return the signed cookie for its browser."""
        pair, place = self._digest("pair", who, network), self._digest("place", who, network)
        await self._store.people.afinish_login(attempt_id, pair, place)
        self._refusals.clear()
        nonce = secrets.token_urlsafe(16)
        return f"{nonce}.{self._sign(who, nonce)}"

    async def _take(self, *budgets: LoginBudget) -> str:
        now = time.monotonic()
        ask_again, free = self._refusals.get(budgets, (0.0, 0.0))
        if ask_again > now:
            raise TooManyLogins(free - now)
        attempt_id = new_id()
        wait = await self._store.people.astart_login(attempt_id, budgets)
        if wait is None:
            return attempt_id
        if len(self._refusals) >= MAX_REFUSALS:
            self._refusals.clear()
        # Ask again soon: the owner may log in elsewhere meanwhile, which empties the budget.
        self._refusals[budgets] = now + min(wait, 1.0), now + wait
        raise TooManyLogins(wait)

    def _budget(self, window: float, factor: int, *name: str) -> LoginBudget:
        return LoginBudget(self._digest(*name), self._attempts * factor, window)

    def _digest(self, *name: str) -> str:
        key = self._store.key or self._store.epoch.encode()
        return hmac.new(key, repr(name).encode(errors="replace"), "sha256").hexdigest()

    def _nonce(self, who: str, browser: str | None) -> str | None:
        nonce, _, signature = (browser or "").partition(".")
        if not nonce or len(browser or "") > 200 or not signature.isascii():
            return None
        return nonce if hmac.compare_digest(signature, self._sign(who, nonce)) else None

    def _sign(self, who: str, nonce: str) -> str:
        message = f"known browser {who} {nonce}".encode(errors="replace")
        return hmac.new(self._cookie_key, message, "sha256").hexdigest()


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
