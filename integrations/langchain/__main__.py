"""Starts a program whose LangChain calls are all reported, without a change of its code.

python -m signalbox.integrations.langchain app.py ARGUMENTS
python -m signalbox.integrations.langchain -m uvicorn app:app
"""

from __future__ import annotations

import os
import runpy
import sys

from signalbox.integrations.langchain import VARIABLE

USAGE = "usage: python -m signalbox.integrations.langchain (FILE | -m MODULE) [ARGUMENT…]"


def main() -> None:
    """Run the program that the arguments name, as Python itself would."""
    arguments = sys.argv[1:]
    is_module = arguments[:1] == ["-m"]
    if is_module:
        del arguments[0]
    if not arguments or arguments[0].startswith("-"):
        raise SystemExit(USAGE)
    os.environ.setdefault(VARIABLE, "1")
    sys.argv = arguments
    if is_module:
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(arguments[0])))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
