"""Merges the metrics of several workers into one answer, in the text format of Prometheus."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


def merged(texts: Mapping[int, str]) -> str:
    """Return the samples of all workers, each with the label `worker`. `texts` has the metrics of each, by its number.

    The samples of a metric follow its one help text and type, as the format requires.
    """
    metrics: dict[str, list[str]] = {}
    for worker, text in sorted(texts.items()):
        head = ""
        for line in text.splitlines():
            if line.startswith("# HELP"):
                head = line
            elif line.startswith("# TYPE"):
                head = f"{head}\n{line}"
                metrics.setdefault(head, [])
            elif found := _SAMPLE.fullmatch(line):
                metrics[head].append(_with_worker(worker, *found.groups(default="")))
    return "".join(f"{head}\n{''.join(samples)}" for head, samples in metrics.items())


def _with_worker(worker: int, name: str, labels: str, value: str) -> str:
    if 'worker="' not in labels:
        labels = f'worker="{worker}"{"," if labels else ""}{labels}'
    return f"{name}{{{labels}}} {value}\n"
