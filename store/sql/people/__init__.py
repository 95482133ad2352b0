"""The tables of people: accounts, tokens, sessions, projects and their members. See `store.people`."""

from __future__ import annotations

from signalbox.store.sql.people.accounts import Accounts
from signalbox.store.sql.people.login_limits import LoginLimits
from signalbox.store.sql.people.login_links import LoginLinks
from signalbox.store.sql.people.projects import Projects
from signalbox.store.sql.people.tokens import Tokens


class PeopleTables(Accounts, Tokens, LoginLinks, LoginLimits, Projects):
    """Implements `People` on a database."""

    async def version(self) -> int:
        return int((await self._rows("SELECT value FROM store_facts WHERE name = 'people_version'"))[0][0])

    async def guarded(self) -> bool:
        sql = "SELECT EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM access_tokens)"
        return bool((await self._rows(sql))[0][0])
