"""People and what they may do: accounts, tokens, sessions, projects and their members. See `contract.people`.

Nothing here knows a secret. A password comes as the hash that its caller made, a token or a session as the SHA-256 of
its random text (`digest`).
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
PROJECT_ID_PATTERN = f"^{_PROJECT_ID.pattern}$"
ProjectId = Annotated[str, Meta(extra_json_schema={"pattern": PROJECT_ID_PATTERN})]
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


def checked_email(email: str) -> str:
    """Return an e-mail address in the one spelling that is kept and compared. Raises InvalidEvent.

    Case, compatible forms of the same letters (Unicode NFKC) and white space around it make no difference.
    """
    # To normalise takes quadratic time, so the length is checked first.
    check_text(email, "email", limit=LONGEST_EMAIL)
    one = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold()).strip()
    if len(one) > LONGEST_EMAIL or not _EMAIL.fullmatch(one):
        raise InvalidEvent(f"email must be an address such as ann@example.org, not {email!r}", "email")
    return one


def older_spelling(email: str) -> str:
    """Return how versions before 0.2 kept an address that `checked_email` takes."""
    return unicodedata.normalize("NFC", email.strip()).lower()


def check_project_id(project_id: object) -> str:
    """Return `project_id` or raise InvalidEvent."""
    if not isinstance(project_id, str) or not _PROJECT_ID.fullmatch(project_id):
        said = "project_id must be 1 to 64 characters of a-z 0-9 _ -, the first of them a letter or a digit"
        raise InvalidEvent(said, "project_id")
    return project_id


def check_role(role: Role | None) -> None:
    """Raise InvalidEvent for a role that is not known; None is no role."""
    if role is not None and role not in ROLES:
        raise InvalidEvent(f"role must be one of {', '.join(ROLES)}, not {role!r}", "role")


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
    """Return how a token's or session's text is kept. It is random and long, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
