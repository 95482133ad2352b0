"""The ledger from a shell: `python -m ledger.cli FILE [balances|register]`."""

import sys
from typing import List, Optional

from ledger.errors import LedgerError
from ledger.parser import parse
from ledger.report import balances, register


def main(arguments: Optional[List[str]] = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if not 1 <= len(arguments) <= 2:
        print("usage: ledger FILE [balances|register]")
        return 2
    what = arguments[1] if len(arguments) == 2 else "balances"
    reports = {"balances": balances, "register": register}
    if what not in reports:
        print("there is no report %r, only %s" % (what, " and ".join(sorted(reports))))
        return 2
    try:
        with open(arguments[0]) as file:
            print(reports[what](parse(file.read())))
    except (LedgerError, OSError) as error:
        print("ledger: %s" % error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
