"""The pages Data and Settings, the balance and the pairs: from files that others write; a secret is never shown."""

import os
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from config.crew import crew_for
from config.reference import rows, value_text
from config.settings import origins
from modules.dashboard.pages.backtests import BacktestsPage
from modules.dashboard.pages.balance import balance
from modules.dashboard.pages.data import MOST_FILES, DataPage
from modules.dashboard.pages.hype import market
from modules.dashboard.pages.settings import SettingsPage
from modules.dashboard.pages.sources import Sources
from modules.exchange.paper import account_file
from modules.exchange.paper_state import Money, PaperState
from modules.market import sets
from modules.storage.kept_runs import KeptRun, KeptRuns, UnderWay
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.scan_report import BoardRow, ScanReport, scan_report_file
from tests.backtest.candles import table, write_csv
from tests.telegram.house import NOW_MS, House
from utils.processes import start_mark

DOWNLOAD = ("data", "download", "BTCUSDT", "--json", "--progress", "--interval=5m", "--days=2")


def sources_of(house: House) -> Sources:
    return Sources(house.paths, house.settings, crew_for(house.settings))


def page_of(house: House) -> DataPage:
    return DataPage(sources_of(house))


def kept(house: House, number: int, result: Any, code: int = 0, said: str = "") -> None:
    KeptRuns(house.paths).keep(KeptRun(f"data-{number}", "data", DOWNLOAD, "Ann", NOW_MS, NOW_MS + number, code, said,
                                       False, result))


def checked(symbol: str, first: int, last: int, **more: Any) -> dict[str, Any]:
    return {"file": f"{symbol}.csv", "symbol": symbol, "rows": 300, "first_ms": first, "last_ms": last, "gap_count": 0,
            "missing": 0, "unusable": 0, "zero_volume": 0, "problem": "", **more}


def test_empty_it_says_so_and_is_json(house: House) -> None:
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    assert shown["sets"] == [] and shown["files"] == {"rows": [], "more": 0} and shown["runs"] == []
    assert shown["choices"]["exchanges"] == ["simulated", "mexc"]


def test_files_show_their_span_and_what_the_newest_check_said(house: House) -> None:
    for name in ("AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT"):
        write_csv(house.paths.market_data / f"{name}.csv", table(1, 300))
    first, last = sets.ends(house.paths.market_data / "AAAUSDT.csv") or (0, 0)
    kept(house, 1, {"set": "market_data", "symbols": [checked("AAAUSDT", first, last, gap_count=9)], "added": 1})
    kept(house, 2, {"set": "market_data", "failed": {"XUSDT": "no answer"}, "added": 5, "symbols": [
        checked("AAAUSDT", first, last), checked("BBBUSDT", first, last, gap_count=2, missing=7),
        checked("CCCUSDT", first, last - 300_000, unusable=3)]}, code=1)
    kept(house, 3, {"set": "mexc-1h", "symbols": [checked("AAAUSDT", first, last, unusable=300)]})
    kept(house, 4, None, code=2, said="no such symbol")
    shown = page_of(house)({})
    msgspec.json.encode(shown)
    found = {row["symbol"]: (row["state"], row["gap_count"], row["said"]) for row in shown["files"]["rows"]}
    assert found == {"AAAUSDT": ("sound", 0, ""), "BBBUSDT": ("gaps", 2, ""), "DDDUSDT": ("not checked", None, ""),
                     "CCCUSDT": ("cannot all be used", 0,
                                 "3 rows with missing or impossible numbers are left out; changed since")}
    assert shown["files"]["rows"][0]["first_ms"] == first and shown["files"]["rows"][0]["checked_ms"] == NOW_MS + 2
    assert [row["state"] for row in shown["runs"]] == ["failed", "done", "partly", "done"]
    assert shown["runs"][2]["said"] == "XUSDT: no answer" and shown["runs"][0]["said"] == "no such symbol"
    assert shown["runs"][0]["what"] == "download BTCUSDT interval=5m days=2"


def test_a_set_is_chosen_by_name_and_nothing_else(house: House) -> None:
    write_csv(house.paths.market_data / "AAAUSDT.csv", table(1, 300))
    apart = sets.folder_of(house.paths, "mexc-1h")
    apart.mkdir(parents=True)
    write_csv(apart / "BBBUSDT.csv", table(2, 50))
    page = page_of(house)
    assert [row["symbol"] for row in page({"set": "mexc-1h"})["files"]["rows"]] == ["BBBUSDT"]
    for name in ("../../config", "/etc", "mexc-4h", "x"):
        assert page({"set": name})["chosen"] == "market_data"
    found = {row["name"]: (row["exchange"], row["interval"], row["tokens"]) for row in page({})["sets"]}
    assert found == {"market_data": ("simulated", "5m", 1), "mexc-1h": ("mexc", "1h", 1)}
    assert BacktestsPage(sources_of(house))({})["candles"]["sets"] == ["mexc-1h"]


def test_thousands_of_files_are_cut_with_the_rest_counted(house: House) -> None:
    for number in range(MOST_FILES + 3):
        (house.paths.market_data / f"T{number:04}USDT.csv").write_text("time,open\n1760000000000,1\n")
    shown = page_of(house)({})["files"]
    assert len(shown["rows"]) == MOST_FILES and shown["more"] == 3


def test_what_runs_is_on_its_own_page_only(house: House) -> None:
    runs, mark = KeptRuns(house.paths), start_mark(os.getpid())
    runs.note([UnderWay("data", DOWNLOAD, "Ann", NOW_MS, os.getpid(), mark, 0.4, "1 of 2 tokens, BTCUSDT"),
               UnderWay("backtest", ("backtest", "hype"), "Ann", NOW_MS, os.getpid(), mark, 0.1, "signals")])
    kept(house, 1, {"set": "market_data", "symbols": []})
    assert [one["step"] for one in page_of(house)({})["running"]] == ["1 of 2 tokens, BTCUSDT"]
    other = BacktestsPage(sources_of(house))({})
    assert [one["kind"] for one in other["running"]] == ["backtest"] and other["runs"] == []


# -- settings


def test_every_setting_is_there_and_no_secret_is(house: House) -> None:
    told = House(house.paths.home, EXCHANGE_API_KEY="key-of-mine-123456", EXCHANGE_API_SECRET="secret-of-mine-654321",
                 EXCHANGE_PROXY="http://ann:pass-word-9@127.0.0.1:3128", HYPE_TRADE_USDT="17")
    variables = {"HYPE_TRADE_USDT": "17"}
    found = {row["name"]: row for row in rows(told.settings, origins(told.paths, variables))}
    text = msgspec.json.encode(SettingsPage(list(found.values()))({})).decode()
    assert len(found) == sum(len(type(getattr(told.settings, group)).model_fields)
                             for group in type(told.settings).model_fields)
    for secret in ("key-of-mine", "secret-of-mine", "pass-word-9"):
        assert secret not in text
    assert found["exchange.api_key"]["value"] == "set, not shown" and found["dashboard.password"]["value"] == ""
    trade = found["hype.trade_usdt"]
    assert (trade["value"], trade["changed"], trade["source"], trade["env"]) == (
        "17.0", True, "environment", "HYPE_TRADE_USDT") and trade["what"] and trade["default"] != "17.0"
    assert all(row["what"] for row in found.values())


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (None, ""), ((1, 2), "1,2"), (0.5, "0.5"), ("", "")])
def test_a_value_is_shown_as_it_is_written(value: object, text: str) -> None:
    assert value_text(value) == text


# -- balance and pairs


def test_the_paper_accounts_coins_with_their_worth(house: House) -> None:
    assert balance(sources_of(house)) == []
    scan_report_file(house.paths).save(ScanReport(board=[BoardRow("PEPEUSDT", 2.0, 0.1, 9.0, 1.0, 2.0, 3.0, 0)]))
    account_file(house.paths).write_bytes(msgspec.json.encode(PaperState(
        balances={"USDT": Money(Decimal(60), Decimal(20)), "PEPE": Money(Decimal(10)), "ODD": Money(Decimal(5)),
                  "GONE": Money()})))
    found = balance(sources_of(house))
    assert [(row["asset"], row["total"], row["locked"], row["usdt"]) for row in found] == [
        ("USDT", 80.0, 20.0, 80.0), ("PEPE", 10.0, 0.0, 20.0), ("ODD", 5.0, 0.0, None)]
    assert [row["share_pct"] for row in found] == [80.0, 20.0, None]  # without a price: no worth, no share


def test_pairs_that_pass_come_first_then_by_growth_and_closed_ones_last() -> None:
    def row(symbol: str, growth: float | None, code: int) -> BoardRow:
        return BoardRow(symbol, 1.0, 0.1, 1000.0, 1.0, growth, 2.0, code)

    told = market(ScanReport(board=[row("A", 1.0, Refusal.GROWTH_LOW), row("B", 50.0, Refusal.API_CLOSED),
                                    row("C", None, Refusal.VOLUME_LOW), row("D", 20.0, Refusal.NONE),
                                    row("E", 9.0, Refusal.SPREAD_WIDE), row("F", 1.0, 999)]))
    assert [one["symbol"] for one in told["rows"]] == ["D", "E", "A", "F", "C", "B"]
    assert [one["code"] for one in told["rows"]] == ["passes", "spread wide", "growth low", "code 999", "volume low",
                                                     "api closed"]
    assert (told["listed"], told["passed"]) == (6, 1)
