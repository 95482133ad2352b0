"""The `signalbox` command, also as `python -m signalbox`.

`signalbox hook` runs before and after each tool call of a coding agent, so it must start fast: it does not import the
other commands.
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit."""
    if sys.argv[1:2] == ["hook"] and not {"-h", "--help"}.intersection(sys.argv):
        from signalbox.integrations.agent_hook import run

        run(sys.argv[2:])
    # What the modules define lives as long as the program, so a collection while they load frees nothing.
    gc.disable()
    from signalbox.webapp.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
