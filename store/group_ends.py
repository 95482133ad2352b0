"""Lines of output that end a group of lines for a CI service. They say nothing about a run.

The page folds the groups; `webapp/drawing/log_groups.py` has the notations and their sources.
"""

from __future__ import annotations

GROUP_ENDS = ("::endgroup::", "##[endgroup]", "travis_fold:end")


def is_group_end(line: str) -> bool:
    """Return whether a line of output only ends a group."""
    return line.startswith(GROUP_ENDS)
