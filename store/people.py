"""People and what they may do: accounts, tokens, sessions, projects and their members.

Nothing here knows a secret. A password comes as the hash that its caller made, a token or a session as the SHA-256 of
its random text (`digest`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Protocol, get_args

import msgspec

from signalbox.store.errors import InvalidEvent
from signalbox.store.events import check_text

Role = Literal["viewer", "operator", "owner"]
"""viewer: read. operator: also emit, answer, cancel, start. owner: also delete, and who is a member."""
ROLES: tuple[Role, ...] = get_args(Role)

Scope = Literal["read", "emit", "respond", "admin"]
"""read: pages, API, streams. emit: create tasks, append. respond: answer, cancel, start. admin: delete, manage."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

SCOPES_OF_ROLE: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "emit", "respond"}),
    "owner": frozenset({"read", "emit", "respond", "admin"}),
}
DEFAULT_PROJECT = "default"
"""The project of every task that was made without one."""

LONGEST_NAME = 128
LONGEST_EMAIL = 254
"""What RFC 5321 leaves of a path of 256."""

_EMAIL = re.compile(r"[^@\s<>()\[\],;:\"\\]{1,64}@[^@\s<>()\[\],;:\"\\]+")
_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can log in. `email` is as `checked_email` spells it.

    An `admin` may do everything in every project.
    """

    account_id: str
    email: str
    admin: bool = False
    created_at: str
    disabled_at: str | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What a program shows instead of a password.

    It may do what its `scopes` say, in `project_id` (None: in all), and never more than its account may (None: the
    token stands for itself). `expires_at` and `revoked_at` are timestamps of the store or None.
    """

    token_id: str
    name: str
    account_id: str | None = None
    project_id: str | None = None
    scopes: tuple[Scope, ...]
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is logged in."""

    account_id: str
    created_at: str
    expires_at: str


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What tasks belong to. `agent` says what runs for it: see `webapp/agents`; None: nothing can be started."""

    project_id: str
    name: str
    created_at: str
    agent: dict[str, Any] | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An account's role in a project."""

    project_id: str
    account_id: str
    email: str
    role: Role


class Place(NamedTuple):
    """Where a task belongs, its kind, and which of the tasks it is that ever had its id."""

    project_id: str
    identity: str
    kind: str | None


class People(Protocol):
    """What a store keeps of people, as `store.people`.

    Writes are synchronous (from asyncio: in a thread), and each is whole when it has returned. They raise
    `InvalidEvent` for a value that cannot be used (its `field` says which), `Conflict` for what is there already, and
    `NotFound` for what is not there. Every write that changes or ends anything raises
    `version`, by which other processes notice. Timestamps are
    those of the store: UTC, microseconds, `Z`.
    """

    # accounts

    def add_account(self, email: str, password_hash: str, *, admin: bool = False) -> Account: ...
    def set_password(self, account_id: str, password_hash: str, *, instead_of: str | None = None) -> None:
        """Also ends all sessions of the account. Raises Conflict if `instead_of` is no longer the hash that is kept."""

    def renew_hash(self, account_id: str, password_hash: str, renewed: str) -> None:
        """The same password, hashed anew: its sessions go on. Nothing if `password_hash` is no longer what is kept."""

    def set_disabled(self, account_id: str, disabled: bool) -> None:
        """A disabled account cannot log in; its sessions end, its tokens stop working."""

    def remove_account(self, account_id: str) -> None:
        """With its memberships, sessions and tokens."""

    async def accounts(self) -> list[Account]: ...
    async def account(self, account_id: str) -> Account | None: ...
    async def account_by_email(self, email: str) -> tuple[Account, str] | None:
        """The account, in whatever case the address is written, and its password's hash."""

    # tokens and sessions

    def add_token(
        self,
        name: str,
        digest: str,
        *,
        scopes: tuple[Scope, ...],
        account_id: str | None = None,
        project_id: str | None = None,
        expires_at: str | None = None,
    ) -> Token: ...
    def revoke_token(self, token_id: str) -> None:
        """For good. A token that was revoked before keeps its time."""

    async def tokens(self, account_id: str | None = None) -> list[Token]:
        """All tokens, or those of one account; also the revoked and the expired ones."""

    async def token(self, digest: str) -> Token | None:
        """The token, also a revoked or an expired one; None if its account is disabled."""

    def add_session(self, account_id: str, digest: str, expires_at: str, *, password_hash: str | None = None) -> None:
        """Also forgets sessions that have expired. Changes nobody's rights, so the `version` stays.

        Raises Conflict if the account is disabled, or if `password_hash`, against which the password was checked, is
        no longer the hash that is kept: a log-in that began before a password change gives no session.
        """

    def end_session(self, digest: str) -> None:
        """Also one that is over already."""

    async def session(self, digest: str) -> Session | None:
        """The session; None when it is over."""

    # projects

    def add_project(self, project_id: str, name: str, *, agent: dict[str, Any] | None = None) -> Project: ...
    def set_agent(self, project_id: str, agent: dict[str, Any] | None) -> None: ...
    def remove_project(self, project_id: str) -> None:
        """With its members and tokens. Raises Conflict while tasks belong to it, and for the default project."""

    async def projects(self) -> list[Project]: ...
    async def project(self, project_id: str) -> Project | None: ...
    def set_member(self, project_id: str, account_id: str, role: Role | None) -> None:
        """Give an account a role in a project; None takes it away."""

    async def members(self, project_id: str) -> list[Member]: ...
    async def roles(self, account_id: str) -> dict[str, Role]:
        """The projects that an account is a member of, and as what."""

    async def project_of(self, task_id: str) -> str | None:
        """The project of a task; None if there is no such task."""

    async def place_of(self, task_id: str) -> Place | None:
        """Where a task belongs; None if there is no such task."""

    async def version(self) -> int:
        """A number that grows with every write of any process."""

    async def guarded(self) -> bool:
        """Whether there is any account or token: from then on everybody must say who they are.

        Also one that is disabled, revoked or expired: no door opens because time goes by or a right is taken away.
        """


def checked_email(email: str) -> str:
    """An e-mail address in the one spelling that is kept and compared. Raises InvalidEvent.

    Case, compatible forms of the same letters (Unicode NFKC) and white space around it make no difference.
    """
    # To normalise takes quadratic time, so the length is checked first.
    check_text(email, "email", limit=LONGEST_EMAIL)
    one = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold()).strip()
    if len(one) > LONGEST_EMAIL or not _EMAIL.fullmatch(one):
        raise InvalidEvent(f"email must be an address such as ann@example.org, not {email!r}", "email")
    return one


def older_spelling(email: str) -> str:
    """How versions before 0.2 kept an address that `checked_email` takes."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def check_project_id(project_id: object) -> str:
    """Return `project_id` or raise InvalidEvent."""
    if not isinstance(project_id, str) or not _PROJECT_ID.fullmatch(project_id):
        said = "project_id must be 1 to 64 characters of a-z 0-9 _ -, the first of them a letter or a digit"
        raise InvalidEvent(said, "project_id")
    return project_id


def checked_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """`scopes`, each once and in order. Raises InvalidEvent for one that is not known, and for none at all."""
    given = set(scopes)
    if not given or not given <= set(SCOPES):
        raise InvalidEvent(
            f"scopes must be some of {', '.join(SCOPES)}, not {', '.join(sorted(given)) or 'none'}", "scopes"
        )
    return tuple(scope for scope in SCOPES if scope in given)


def check_digest(digest: str) -> str:
    """Return `digest` or raise InvalidEvent: nothing but a digest is ever kept."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidEvent("digest must be what digest_of makes of the secret", "digest")
    return digest


def digest_of(secret: str) -> str:
    """How a token's or session's text is kept. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
