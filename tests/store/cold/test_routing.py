"""Test that every read of one task is routed to its cold file."""

from __future__ import annotations

import inspect

from signalbox.store.contract import Reading
from signalbox.store.sql.cold_reading import RoutedView

OF_ROWS_THAT_STAY = {
    *("artifact_bytes", "audited_identity", "audits", "cold_task", "log_bytes", "log_claims", "same_error"),
    *("signed_heads", "unfinished"),
}
"""Reads of one task whose rows stay in the database, or that measure the database."""


def test_every_read_of_a_task_is_routed() -> None:
    of_task = {
        name
        for name, read in inspect.getmembers(Reading, inspect.isfunction)
        if list(inspect.signature(read).parameters)[1:2] == ["task_id"]
    }
    assert of_task - set(vars(RoutedView)) == OF_ROWS_THAT_STAY
