"""Prices and budgets, as the operator writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from signalbox.store import NewEvent
from signalbox.store.events import new_id
from signalbox.store.model_calls import TokenCounts, Usage
from signalbox.webapp.prices.budget import Budget, budget_of, dollars
from signalbox.webapp.prices.price_table import Cost, InvalidPrices, Prices
from signalbox.webapp.settings import InvalidSetting, Settings
from signalbox.webapp.views.usage_text import tokens_text, tokens_words, usage_text
from tests.support.server import Server

PRICES = '{"small-*": {"input": 2, "output": 10, "cache_read": 0.5}, "*": {"input": 4, "output": 20}}'


def test_the_first_pattern_that_fits_a_model_gives_its_price() -> None:
    usage = Usage(TokenCounts(1_000_000, 100_000, 400_000), None, {"small-1": TokenCounts(1_000_000, 100_000, 400_000)})
    assert Prices(PRICES).cost(usage) == Cost(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10, True)
    assert Prices(PRICES).cost(Usage(TokenCounts(1_000_000), None, {"": TokenCounts(1_000_000)})) == Cost(4.0, True)


def test_a_cost_is_not_complete_while_a_model_has_no_price() -> None:
    usage = Usage(TokenCounts(30, 5), 0.5, {"unknown": TokenCounts(10)})
    assert Prices().cost(usage) == Cost(0.5, False)
    assert usage_text(usage, Prices().cost(usage)) == "35 tokens · at least $0.500"
    assert Prices().cost(Usage(TokenCounts(3), None, {"unknown": TokenCounts(3)})) is None


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"a": 3}', '{"a": {"input": 1}}', '{"a": {"input": -1, "output": 1}}', "/no/such/file.json"],
)
def test_a_bad_setting_says_what_is_wrong(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^prices \(SIGNALBOX_PRICES\): prices "):
        Settings(prices=text)


def test_files_that_are_no_text_are_refused_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "latin-1.json"
    file.write_bytes('{"modèle": {"input": 1, "output": 1}}'.encode("latin-1"))
    for name in ("prices", "budgets", "hook_rules", "retention"):
        with pytest.raises(InvalidSetting, match=rf"^{name} \(.*not valid.*utf-8"):
            Settings(**{name: str(file)})
    with pytest.raises(InvalidSetting, match=r"^budgets \(.*not valid: maximum recursion"):
        Settings(budgets='{"a":' * 3000 + "1" + "}" * 3000)


def test_prices_and_budgets_may_be_in_files(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(PRICES)
    (tmp_path / "budgets.json").write_text('{"agent-run": "$5"}')
    Settings(prices=str(tmp_path / "prices.json"), budgets=str(tmp_path / "budgets.json"))
    with pytest.raises(InvalidSetting, match="budget of 'agent-run' must have cost_usd or tokens"):
        Settings(budgets='{"agent-run": {}}')


@pytest.mark.parametrize(
    ("written", "budget"),
    [
        ("$2.50", Budget(cost_usd=2.5)),
        ("5", Budget(cost_usd=5)),
        (3, Budget(cost_usd=3)),
        ("200000 tokens", Budget(tokens=200_000)),
        ("200k tokens", Budget(tokens=200_000)),
        ({"tokens": 7, "cancel": True}, Budget(tokens=7, cancel=True)),
    ],
)
def test_a_budget_is_written_in_dollars_or_tokens(written: object, budget: Budget) -> None:
    assert budget_of(written) == budget


WRONG_NUMBERS = ("1.2.3", "1.000.000 tokens", "9" * 400, "9" * 400 + " tokens", "1,2,3.4.5 USD", "9" * 200_000, 10**400)


@pytest.mark.parametrize(
    "written",
    ["", "much", "-1", *WRONG_NUMBERS, {"cost_usd": -1}, {"cost": 1}, [], True, {"cancel": True}, None],
    ids=lambda written: str(written)[:20],
)
def test_a_bad_budget_is_refused(written: object) -> None:
    with pytest.raises(InvalidPrices, match=r"^budget must") as refused:
        budget_of(written)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("budget", WRONG_NUMBERS, ids=lambda budget: str(budget)[:20])
def test_a_task_with_a_budget_that_is_no_number_hides_no_other_task(shared_server: Server, budget: object) -> None:
    kind = new_id()
    for name in ("one", "two"):
        body = {"task_id": f"{name}-{kind}", "kind": kind, "metadata": {"budget": budget} if name == "one" else {}}
        assert shared_server.post("/api/tasks", json=body).status_code == 201
        usage = {"usage": {"input_tokens": 5}}
        shared_server.emit(f"{name}-{kind}", NewEvent(event_type="work_item_complete", span_id="m", payload=usage))
    for path in (f"/api/tasks?kind={kind}", f"/tasks?kind={kind}"):
        listed = shared_server.get(path)
        assert listed.status_code == 200
        assert f"one-{kind}" in listed.text
        assert f"two-{kind}" in listed.text
    assert shared_server.get(f"/tasks/one-{kind}").status_code == 200


def test_numbers_read_well() -> None:
    assert list(map(dollars, (0, 12.3, 0.033, 0.0004, 0.00001, 1234.5))) == [
        *("$0.00", "$12.30", "$0.033", "$0.0004", "<$0.0001", "$1,234.50"),
    ]
    assert list(map(tokens_text, (451, 7051, 22000, 123_456, 1_234_567))) == ["451", "7.1k", "22k", "123k", "1.2M"]
    assert tokens_words(TokenCounts(6600, 451, 1200, 0, 20)) == (
        "6,600 input (1,200 read from cache), 451 output (20 reasoning)"
    )
