"""Test the codes with which refused WebSockets are closed."""

from __future__ import annotations

import pytest

from signalbox.store.errors import StoreFull, StoreLost, StoreUnavailable, TaskReplaced, UnknownTask
from signalbox.webapp.auth.guard import close_code


@pytest.mark.parametrize("kind", [StoreUnavailable, StoreLost, StoreFull])
def test_a_socket_is_closed_with_a_code_while_the_store_cannot_answer(kind: type[Exception]) -> None:
    assert close_code(kind("the database was moved away")) == 1013


def test_a_replaced_task_has_a_code_of_its_own() -> None:
    assert close_code(TaskReplaced("run")) == 4410
    assert close_code(UnknownTask("run")) == 4404
