"""Test the ledger. The tests pass before and after it is refactored."""

import contextlib
import io
import os
import tempfile
import unittest
from datetime import date

from ledger import Journal, Money
from ledger.budget import Budget
from ledger.cli import main
from ledger.csvfile import dump, load
from ledger.dates import month_name, parse_day
from ledger.errors import BadLine, Unbalanced, UnknownAccount
from ledger.parser import parse
from ledger.report import balances, register

TEXT = """
; a month
2026-11-02 | salary    | income:work -2500.00 | assets:bank 2500.00
2026-11-21 | groceries | expenses:food 112.50  | assets:bank -112.50 | #weekly
2026-12-01 | {rent}    | expenses:home 800      | assets:bank -800
"""


class LedgerTest(unittest.TestCase):
    def setUp(self) -> None:
        self.journal = parse(TEXT)

    def test_balances(self) -> None:
        output = balances(self.journal, 2).splitlines()
        self.assertEqual(output[0], "assets                          1587.50 EUR")
        self.assertEqual(output[3], "  food                           112.50 EUR")
        self.assertEqual(len(balances(self.journal, 1).splitlines()), 3)

    def test_register(self) -> None:
        output = register(self.journal, first=date(2026, 11, 20)).splitlines()
        self.assertEqual(output[0], "== nov 2026 ==")
        self.assertEqual(output[1], "2026-11-21 #0002 groceries [weekly]")
        self.assertEqual(output[2], "  expenses:food              112.50 EUR")
        self.assertIn("2026-12-01 #0003 {rent}", output)

    def test_money(self) -> None:
        self.assertEqual(repr(Money("1.005")), "Money('1.00', 'EUR')")
        self.assertEqual(str(-Money(3)), "-3.00 EUR")
        with self.assertRaisesRegex(ValueError, "cannot add USD to EUR"):
            Money(1) + Money(1, "USD")

    def test_errors(self) -> None:
        with self.assertRaisesRegex(UnknownAccount, "there is no account 'assets:bnk'; did you mean 'assets:bank'?"):
            self.journal.account("assets:bnk")
        with self.assertRaisesRegex(Unbalanced, "transaction 4 is off by 1.00 EUR"):
            self.journal.post(date(2026, 12, 2), "x", [("assets:bank", Money(1))])
        with self.assertRaisesRegex(BadLine, "line 1: 2 parts are too few: 'a | b'"):
            parse("a | b")
        with self.assertRaisesRegex(BadLine, "line 1: an entry is an account"):
            parse("2026-11-02 | x | y | z")

    def test_budget(self) -> None:
        budget = Budget(self.journal)
        budget.limit("expenses:food", Money(100))
        month = date(2026, 11, 1)
        self.assertEqual(budget.warning("expenses:food", month), "expenses:food: 112.50 EUR of 100.00 EUR, 12.5% over")
        self.assertIsNone(budget.warning("expenses:home", month))

    def test_csv_there_and_back(self) -> None:
        output = dump(self.journal)
        self.assertEqual(output.splitlines()[1], "0001,2026-11-02,salary,income:work,-2500.00,EUR")
        self.assertEqual(balances(load(output.splitlines())), balances(self.journal))

    def test_dates(self) -> None:
        self.assertEqual(parse_day("21 Nov", 2026), date(2026, 11, 21))
        self.assertEqual(month_name(date(2026, 1, 5)), "jan 2026")
        with self.assertRaisesRegex(ValueError, "'soon' is no day"):
            parse_day("soon")

    def test_accounts(self) -> None:
        account = self.journal.account("expenses:food")
        self.assertEqual(repr(account), "<Account expenses:food: 112.50 EUR>")
        self.assertEqual([above.path for above in account.ancestors()], ["expenses"])
        self.assertEqual(Journal().open("a:b").path, "a:b")

    def test_command(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "journal")
            with open(path, "w") as file:
                file.write(TEXT)
            for arguments, code, output in (
                ([path], 0, "assets "),
                ([path, "magic"], 2, "there is no report 'magic', only balances and register"),
                ([path + "x"], 1, "ledger: "),
                ([], 2, "usage: "),
            ):
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    self.assertEqual(main(arguments), code)
                self.assertTrue(out.getvalue().startswith(output), out.getvalue())


if __name__ == "__main__":
    unittest.main()
