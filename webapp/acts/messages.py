"""Messages of people to a run."""

from __future__ import annotations

from typing import Any

from signalbox.store import Event
from signalbox.store.events import MAX_MESSAGE_CHARS
from signalbox.webapp.acts.user_actions import act, form_key, listening_task
from signalbox.webapp.http.bad_request import BadRequest


async def send_message(task_id: str, text: str, data: Any = None, *, form: str | None = None) -> Event:
    """Send a message to the run. Raises UnknownTask, Conflict if the run has ended or nothing
    listens, and BadRequest.

    `form` identifies the form that sent it: the same text from the same form is sent once.
    """
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise BadRequest("text must not be empty", "text")
    if len(text) > MAX_MESSAGE_CHARS:
        raise BadRequest(f"text must have at most {MAX_MESSAGE_CHARS} characters, not {len(text)}", "text")
    await listening_task(task_id)
    key = await form_key("message", form, text) if form else None
    return await act(task_id, "message_sent", key=key, text=text, data=data)
