"""The sentences of the audit log: "ada@example.org approved `shell` in deploy web"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from signalbox.webapp.views.text import display_text

SENTENCES = {
    "permission_response": "answered {tool} in {task}",
    "allowance_revoked": "revoked the remembered answer for {tool_name} in {task}",
    "message_sent": "sent a message to {task}",
    "cancel_requested": "asked {task} to stop",
    "retry_requested": "retried {task} as {retry}",
    "run_started": "started {task}",
    "rule_applied": "decided about {tool_name} in {task}: {rule}",
    "tags_changed": "changed the tags of {task}",
    "links_changed": "changed the links of {task}",
    "task_archived": "archived {task}",
    "task_restored": "restored {task}",
    "task_held": "put a hold on {task}",
    "hold_released": "released the hold on {task}",
    "task_deleted": "deleted {task} permanently",
    "view_saved": "saved the view {name}",
    "view_deleted": "deleted the view {name}",
    "log_in": "logged in",
    "log_out": "logged out",
    "log_in_failed": "failed to log in",
    "password_change": "changed their password",
    "password_change_failed": "failed to change their password",
    "invitation_accept": "accepted the invitation and set a password",
    "password_reset": "set a new password with a link",
    "user_add": "created the account {email}",
    "user_invite": "invited {email}",
    "user_link": "created a link with which {email} sets a password",
    "user_password": "set the password of {email}",
    "user_disable": "disabled the account {email}",
    "user_enable": "enabled the account {email}",
    "user_remove": "removed the account {email}",
    "token_create": "created the token {name} with the scopes {scopes}",
    "token_quota": "set the quota of the token {token_id}",
    "token_revoke": "revoked the token {token_id}",
    "project_add": "created the project {project_id}",
    "project_agent": "set the agent of {project_id} to {kind}",
    "project_remove": "removed the project {project_id}",
    "project_member": "made {email} {role} of {project_id}",
}
"""The sentence of each action, after the name of the person. A name in braces is the task, or a field of the detail."""

LABELS = {
    "permission_response": "Permission answered",
    "allowance_revoked": "Remembered answer revoked",
    "message_sent": "Message sent",
    "cancel_requested": "Cancel requested",
    "retry_requested": "Task retried",
    "run_started": "Run started",
    "rule_applied": "Rule applied",
    "log_in": "Logged in",
    "log_out": "Logged out",
    "log_in_failed": "Login failed",
    "user_add": "Account created",
    "user_invite": "Person invited",
    "user_link": "Password link created",
    "user_password": "Password set by another person",
    "user_disable": "Account disabled",
    "user_enable": "Account enabled",
    "user_remove": "Account removed",
    "project_add": "Project created",
    "project_agent": "Agent set",
    "project_remove": "Project removed",
    "project_member": "Member changed",
    "token_create": "Token created",
    "token_quota": "Quota of a token set",
    "password_change_failed": "Password change failed",
}
"""The names of actions in the filter, where they are not the words of the action itself."""

_QUIET = frozenset(
    ("by", "request_id", "approved", "identity", "admin", "purpose", "status", "events", "data", "decision")
)
"""Fields of the detail that a sentence leaves out, because it says them in words or they say little."""

_FIELD = re.compile(r"\{(\w+)\}")


class SentencePart(NamedTuple):
    """A part of a sentence. `kind` is "words", "task", "code" for a tool, or "value" for another name."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One action as a sentence. `quoted` is the reason or text that the person gave; `details` are further fields.

    `seq` is that of the action's event. `linked` says whether the task still exists.
    """

    audit_id: int
    at: str
    actor: str
    parts: list[SentencePart]
    quoted: str
    details: list[tuple[str, str]]
    task_id: str | None
    seq: int | None
    source: str | None
    linked: bool


def label_of(action: str) -> str:
    """Return an action as it is named in the filter."""
    return LABELS.get(action, action.replace("_", " ").capitalize())


def sentence_of(audit: dict[str, Any], title: str | None, tool: str | None) -> Sentence:
    """Return the sentence of one audit. `title` is that of its task, None if there is no such task any more."""
    action, detail, task_id = audit["action"], audit["detail"], audit["task_id"]
    known = SENTENCES.get(action)
    words = _special(action, detail) or known or f"{action.replace('_', ' ')}{': {task}' if task_id else ''}"
    fields = {**detail, "task": title or task_id or "a task", "tool": tool or "a request"}
    used = set(_FIELD.findall(words))
    quoted = detail.get("reason") or (detail.get("text") if known else None)
    skipped = used | {"reason"} | (_QUIET | {"text"} if known else frozenset())
    rest = [(name.replace("_", " "), _plain(value)) for name, value in detail.items() if name not in skipped]
    return Sentence(
        audit_id=audit["audit_id"],
        at=audit["at"],
        actor="" if action == "log_in_failed" and audit["actor"] == "nobody" else audit["actor"],
        parts=list(_parts(words, fields)),
        quoted=display_text(quoted, 500) if quoted else "",
        details=[(name, value) for name, value in rest if value],
        task_id=task_id,
        seq=audit["seq"],
        source=audit["source"],
        linked=title is not None,
    )


def _special(action: str, detail: dict[str, Any]) -> str | None:
    """Return the sentence of an action that depends on its detail."""
    if action == "task_deleted" and detail.get("rule"):
        return "deleted {task} permanently by {rule}"
    if action == "permission_response":
        return "approved {tool} in {task}" if detail.get("approved") is True else "denied {tool} in {task}"
    if action == "project_member" and detail.get("role") == "none":
        return "removed {email} from the project {project_id}"
    if action == "project_agent" and detail.get("kind") == "none":
        return "removed the agent of {project_id}"
    if action == "user_invite" and detail.get("admin") is True:
        return "invited {email} as an administrator"
    if action == "user_invite" and detail.get("project_id"):
        return "invited {email} as {role} of {project_id}"
    if action == "user_add" and detail.get("admin") is True:
        return "created the account {email} as an administrator"
    return None


def _parts(words: str, fields: dict[str, Any]) -> Iterator[SentencePart]:
    at = 0
    for found in _FIELD.finditer(words):
        if found.start() > at:
            yield SentencePart("words", words[at : found.start()])
        name = found[1]
        kind = "task" if name == "task" else "code" if name in ("tool", "tool_name") else "value"
        yield SentencePart(kind, _plain(fields.get(name)) or "?")
        at = found.end()
    if at < len(words):
        yield SentencePart("words", words[at:])


def _plain(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return display_text(", ".join(value), 200)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return display_text(value, 200)
