"""The values of people: accounts, tokens, sessions, projects, their members, roles and scopes. See `contract.people`.

No value contains a secret. Callers pass a password as a hash, and a token or session as the SHA-256 of its random text
(`digest`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from signalbox.store.errors import InvalidEvent
from signalbox.store.events import check_text

Role = Literal["viewer", "operator", "owner"]
"""viewer: read. operator: also emit, answer, cancel, start. owner: also delete, and manage members."""
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
"""The project of tasks that are created without a project."""

PROJECT_VARIABLE = "SIGNALBOX_PROJECT"
"""The variable with the project of the tasks that a program creates."""

MAX_NAME_CHARS = 128
MAX_QUOTA = 1_000_000_000_000
MAX_EMAIL_CHARS = 254
"""RFC 5321 limits a path to 256 characters, two of which are the angle brackets."""

NO_PASSWORD = "!"
"""The password hash of an account whose invitation was not accepted yet. It is the hash of no password."""

Purpose = Literal["invitation", "reset"]

PLACE_LIFE = 90 * 86400.0
"""Seconds for which the place of a successful log-in is remembered."""

_EMAIL = re.compile(r"[^@\s<>()\[\],;:\"\\]{1,64}@[^@\s<>()\[\],;:\"\\]+")
_PROJECT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
PROJECT_ID_PATTERN = f"^{_PROJECT_ID.pattern}$"
ProjectId = Annotated[str, Meta(extra_json_schema={"pattern": PROJECT_ID_PATTERN})]
_DIGEST = re.compile(r"[0-9a-f]{64}")


class LoginBudget(NamedTuple):
    """A limit of failed log-ins: `limit` within `window` seconds.

    `name` is a digest, because people also type passwords into the field for their address.
    """

    name: str
    limit: int
    window: float


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person who can log in. `email` is in the spelling of `checked_email`.

    An `admin` has all rights in all projects. An account that is `invited` has no password yet.
    """

    account_id: str
    email: str
    admin: bool = False
    created_at: str
    disabled_at: str | None = None
    invited: bool = False


class LoginLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link with which a person sets a password once, before `expires_at`."""

    account_id: str
    purpose: Purpose
    created_at: str
    expires_at: str


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """The credential of a program.

    It has the rights of its `scopes` in the project `project_id`, or in all projects if that is None. It never has more
    rights than its account, if it belongs to one. `expires_at` and `revoked_at` are timestamps or None. The
    quota is the number of events and of bytes that it may send per minute; None means no limit.
    """

    token_id: str
    name: str
    account_id: str | None = None
    project_id: str | None = None
    scopes: tuple[Scope, ...]
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    events_per_minute: int | None = None
    bytes_per_minute: int | None = None

    @property
    def has_quota(self) -> bool:
        """Whether the number of events or of bytes per minute is limited."""
        return self.events_per_minute is not None or self.bytes_per_minute is not None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that is logged in."""

    account_id: str
    created_at: str
    expires_at: str


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A project, to which tasks belong. `agent` describes its agent (see `webapp/agents`). None: it has no agent."""

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


class TaskSummary(NamedTuple):
    """The project, identity and kind of a task. The identity distinguishes it from other tasks with the same id."""

    project_id: str
    identity: str
    kind: str | None


def checked_email(email: str) -> str:
    """Return an e-mail address in the spelling that is stored and compared. Raises InvalidEvent.

    Case, compatible forms of the same letters (Unicode NFKC) and surrounding white space make no difference.
    """
    # Normalising takes quadratic time, so check the length first.
    check_text(email, "email", limit=MAX_EMAIL_CHARS)
    normalised = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold()).strip()
    if len(normalised) > MAX_EMAIL_CHARS or not _EMAIL.fullmatch(normalised):
        raise InvalidEvent(f"email must be an address such as ann@example.org, not {email!r}", "email")
    return normalised


def older_spelling(email: str) -> str:
    """Return an e-mail address in the spelling that versions before 0.2 stored."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def check_project_id(project_id: object) -> str:
    """Return `project_id` or raise InvalidEvent."""
    if not isinstance(project_id, str) or not _PROJECT_ID.fullmatch(project_id):
        rule = "project_id must be 1 to 64 characters of a-z 0-9 _ -, the first of them a letter or a digit"
        raise InvalidEvent(rule, "project_id")
    return project_id


def check_role(role: Role | None) -> None:
    """Raise InvalidEvent for an unknown role. None, which means no role, is valid."""
    if role is not None and role not in ROLES:
        raise InvalidEvent(f"role must be one of {', '.join(ROLES)}, not {role!r}", "role")


def checked_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return `scopes` without duplicates, in a fixed order. Raises InvalidEvent if one is unknown or there is none."""
    unique = set(scopes)
    if not unique or not unique <= set(SCOPES):
        raise InvalidEvent(
            f"scopes must be some of {', '.join(SCOPES)}, not {', '.join(sorted(unique)) or 'none'}", "scopes"
        )
    return tuple(scope for scope in SCOPES if scope in unique)


def check_quota(limit: int | None, field: str) -> None:
    """Raise InvalidEvent unless `limit` is a number of events or bytes per minute, or None for no limit."""
    if limit is not None and not (isinstance(limit, int) and 1 <= limit <= MAX_QUOTA):
        raise InvalidEvent(f"{field} must be a whole number between 1 and {MAX_QUOTA:,}, not {limit!r}", field)


def check_digest(digest: str) -> str:
    """Return `digest` or raise InvalidEvent, so that a secret is never stored by mistake."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidEvent("digest must be the result of digest_of(secret)", "digest")
    return digest


def digest_of(secret: str) -> str:
    """Return the digest that is stored for a token or session. The secret is long and random, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
