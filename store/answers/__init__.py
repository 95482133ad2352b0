"""Answers to permission requests: the value that a request asks for, and the check of the value that a person gives.

A request may offer choices, describe a value with a JSON Schema, or let the person change its arguments. The schema
comes from a run, so its size and the cost of a check are limited.
"""

from signalbox.store.answers.errors import InvalidAnswer, InvalidPart, UnusableSchema
from signalbox.store.answers.expectation import Expectation, expectation_of
from signalbox.store.answers.schema import check_schema, problems_of

__all__ = [
    "Expectation",
    "InvalidAnswer",
    "InvalidPart",
    "UnusableSchema",
    "check_schema",
    "expectation_of",
    "problems_of",
]
