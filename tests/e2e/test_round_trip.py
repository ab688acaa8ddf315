"""The main job: /startbot, a token bought and sold, /summary, and nothing left running."""

import time
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole
from tests.surroundings import wait_until


def closed_trades(program: Program, prefix: str) -> list[dict[str, Any]]:
    return [trade for trade in program.trades(prefix) if trade["side"] == "SELL" and trade["closes"]]


def sign(trade: dict[str, Any]) -> int:
    return 1 if trade["side"] == "BUY" else -1


def cash_of(program: Program) -> Decimal:
    """USDT that the live history leaves of the 10,000 at the start."""
    return Decimal(10_000) - sum((sign(trade) * Decimal(trade["quote_usdt"]) + Decimal(trade["fee_usdt"])
                                  for trade in program.trades("")), Decimal(0))


def venue_cash(program: Program) -> Decimal:
    row = program.venue("/sim/truth")["accounts"]["trader"]["balances"]["USDT"]
    return Decimal(row["free"]) + Decimal(row["locked"])


def sell_everything_live(program: Program) -> None:
    """Also what was just being bought when the first wish to sell came."""
    def gone() -> bool:
        if program.json("tracked_tokens.json") == {}:
            return True
        if program.ask("/sellall live", r"Nothing is held|Sell all .*LIVE.*yes or no").group(0) != "Nothing is held":
            program.ask("yes", r"Selling|Nothing is held|yes or no|changed")
        time.sleep(1)  # between two wishes, not to wait for anything
        return False

    wait_until(gone, "every live position sold")


def test_a_round_trip_in_test_mode(program: StartProgram) -> None:
    coxswain = program()
    coxswain.ask("/ping", r"pong|here|alive", 20)
    coxswain.ask("/startbot", r"Running: simulated exchange, TEST mode")
    coxswain.expect(r"\[TEST\] Bought \w+USDT for")
    wait_until(lambda: coxswain.trades() or None, "a purchase in the history")
    if not closed_trades(coxswain, "test_"):  # the market decides when; a trader may not want to wait
        coxswain.ask("/sellall", r"Sell all .* at market\?")
        coxswain.send("yes")
    wait_until(lambda: closed_trades(coxswain, "test_"), "a closed trade in the history")
    coxswain.ask("/testsummary", r"Summary \(paper money\).*trades? closed.*picture: .*\.png")
    coxswain.ask("/status", r"Tracker: ready.*Scanner: ready.*Trainer: ready")
    assert coxswain.json("trade_history.json") is None, "a test trade in the live history"
    account = {fill["symbol"] for fill in coxswain.json("test_account.json")["fills"]}
    assert {trade["symbol"] for trade in coxswain.trades()} <= account
    assert all(not truth["fills"] for truth in coxswain.venue("/sim/truth")["accounts"].values())

    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
    state_files_are_whole(coxswain.home)


def test_live_balances_are_the_venues(program: StartProgram) -> None:
    coxswain = program()
    coxswain.ask("/startbot", r"Running: simulated exchange, TEST mode")
    coxswain.ask("/testmode_off", r"LIVE.*yes or no")
    coxswain.ask("yes", r"LIVE")
    wait_until(lambda: len(coxswain.trades("")) >= 2, "live purchases")
    coxswain.ask("/testmode_on", r"TEST")
    sell_everything_live(coxswain)
    wait_until(lambda: cash_of(coxswain) == venue_cash(coxswain), "the sales that were under way in the history")

    truth = coxswain.venue("/sim/truth")["accounts"]["trader"]
    balances = {asset: Decimal(row["free"]) + Decimal(row["locked"]) for asset, row in truth["balances"].items()}
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for trade in coxswain.trades(""):
        ours[trade["symbol"].removesuffix("USDT")] += sign(trade) * Decimal(trade["quantity"])
    assert balances.pop("USDT") == cash_of(coxswain)
    assert {asset: amount for asset, amount in balances.items() if amount} == \
        {asset: amount for asset, amount in ours.items() if amount}
    executed = [order for order in truth["orders"] if Decimal(order["filled_qty"])]
    assert len(executed) == len(coxswain.trades("")), "orders that were executed and orders in our history"
    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
