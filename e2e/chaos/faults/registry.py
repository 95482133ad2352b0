"""Define a kind of fault, and find all kinds that a module defines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType

from e2e.chaos.world import World

FaultFunction = Callable[[World], Iterator[None]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault, its relative frequency, and its longest duration in seconds."""

    name: str
    apply: FaultFunction
    weight: int
    max_seconds: float
    possible: Callable[[World], bool]


def fault(
    weight: int, max_seconds: float = 0.5, possible: Callable[[World], bool] = lambda world: True
) -> Callable[[FaultFunction], Fault]:
    """Turn a generator, which breaks something before its `yield` and repairs it after, into a kind of fault."""

    def define(apply: FaultFunction) -> Fault:
        return Fault(apply.__name__, apply, weight, max_seconds, possible)

    return define


def faults_of(module: ModuleType) -> list[Fault]:
    """Return the kinds of faults that a module defines, in the order of their definitions."""
    return [member for member in vars(module).values() if isinstance(member, Fault)]
