"""Bybit's answers as other clients keep them for their tests, read by our parsers.

    python -m benchmarks.bybit_fixtures --data DIR

`DIR/fixtures/jkorf_bybit.tar.gz` (JKorf/Bybit.Net, MIT), `nautilus_binance_bybit_okx.tar.gz` (LGPL). Prints a line for
each answer: what it became, or why it is not believed. Exits with 1 where one ended otherwise than the table says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from modules.exchange import bybit_events as events
from modules.exchange import bybit_parse as parse
from modules.exchange import bybit_public as public
from modules.exchange.binance_events import Trouble
from modules.exchange.bybit_codes import BYBIT
from modules.exchange.classify import Answer, classify
from modules.exchange.parsing import Unreadable

V5 = "Endpoints/V5Api/"
REFUSED = "refused"


def placed(body: str) -> str:
    """The id of a new order, whatever its client id."""
    return parse.placed(body, json.loads(body)["result"]["orderLinkId"])


def rows(body: str) -> list[Any]:
    """Orders of either family."""
    return [parse.trigger(row) if parse.conditional(row) else parse.order(row) for row in parse.order_rows(body)[0]]


def fills(body: str, hedge: bool = False) -> list[Any]:
    """Executions of the first row's contract: the others are not what was asked for."""
    told = json.loads(body)
    symbol = told["result"]["list"][0]["symbol"]
    told["result"]["list"] = [row for row in told["result"]["list"] if row["symbol"] == symbol]
    return parse.fills(json.dumps(told), symbol, hedge)[0]


def held(body: str) -> list[Any]:
    """Positions."""
    return parse.positions(parse.position_rows(body)[0], False)


def candles(body: str) -> int:
    """How many."""
    return len(public.candles(body, json.loads(body)["result"]["symbol"]))


def book(body: str) -> Any:
    """The best bid."""
    return public.book(json.loads(body)["result"]["s"], body).bids[0]


def brackets(body: str) -> list[Any]:
    """Risk limits of the first row's contract."""
    return public.brackets(body, json.loads(body)["result"]["list"][0]["symbol"])


def news(body: str) -> Any:
    """An event of the private stream."""
    return events.read(body.encode())


#: file → how it is read, and what has to come of it: something, or a refusal for the reason beside it
JKORF: dict[str, tuple[Callable[[str], Any], str]] = {
    "Trading/PlaceOrder": (placed, ""), "Trading/CancelOrder": (placed, ""), "Trading/EditOrder": (placed, ""),
    "Trading/GetOrders": (rows, ""), "Trading/GetOrderHistory": (rows, ""), "Trading/GetPositions": (held, ""),
    "Trading/GetUserTrades": (fills, ""), "Account/GetBalances": (parse.wallet, REFUSED),  # no row of USDT
    "Account/GetTransactionHistory": (lambda body: parse.incomes(body)[0], ""),
    "ExchangeData/GetLinearInverseSymbols": (lambda body: public.contracts(body)[0], ""),
    "ExchangeData/GetLinearInverseTickers": (public.marks, ""), "ExchangeData/GetOrderbook": (book, ""),
    "ExchangeData/GetKlines": (candles, ""), "ExchangeData/GetTradeHistory": (public.prints, ""),
    "ExchangeData/GetOpenInterest": (public.interest_history, ""),
    "ExchangeData/GetFundingRateHistory": (public.funding_history, ""),
    "ExchangeData/GetRiskLimit": (brackets, REFUSED),  # rates in percent
}
NAUTILUS: dict[str, tuple[Callable[[str], Any], str]] = {
    "http_get_orders_realtime": (rows, ""), "http_get_orders_history": (rows, ""),
    "http_get_orders_history_with_duplicate": (rows, ""), "http_get_order_partially_filled_rejected": (rows, ""),
    "http_get_positions": (held, ""), "http_get_positions_with_open_time": (held, ""),
    "http_get_executions": (fills, ""), "http_get_wallet_balance": (parse.wallet, ""),
    "http_get_account_info": (parse.margin, ""),
    "http_get_instruments_linear": (lambda body: public.contracts(body)[0], ""),
    "http_get_klines_linear": (candles, ""), "http_get_orderbook": (book, ""),
    "http_get_funding_history": (public.funding_history, ""), "http_get_trades_recent": (public.prints, ""),
    **{f"ws_account_{name}": (news, "") for name in (
        "order", "order_filled", "execution", "position", "position_short", "wallet")},
}


def judged(name: str, body: str, read: Callable[[str], Any], wanted: str) -> bool:
    """One line; whether it ended as the table says."""
    try:
        found = read(body)
        said, ended = f"{type(found).__name__} {found!s}"[:110], ""
        if isinstance(found, Trouble):
            ended = REFUSED
    except Unreadable as problem:
        said, ended = f"not believed: {problem}", REFUSED
    if not name.startswith("ws_") and not isinstance(classify(200, {}, body, BYBIT), Answer):
        said, ended = "no answer by its code", REFUSED
    print(f"{'ok  ' if ended == wanted else 'FAIL'} {name}: {said}", flush=True)
    return ended == wanted


def main() -> int:
    """All of both archives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with fixtures/")
    folder = parser.parse_args().data / "fixtures"
    good = []
    with tarfile.open(folder / "jkorf_bybit.tar.gz") as kept:
        for name, (read, wanted) in JKORF.items():
            text = kept.extractfile(f"jkorf_bybit/{V5}{name}.txt").read().decode("utf-8-sig")  # type: ignore[union-attr]
            good.append(judged(name, text[text.index("{"):], read, wanted))
    with tarfile.open(folder / "nautilus_binance_bybit_okx.tar.gz") as kept:
        for name, (read, wanted) in NAUTILUS.items():
            path = f"nautilus_binance_bybit_okx/bybit/test_data/{name}.json"
            good.append(judged(name, kept.extractfile(path).read().decode(), read, wanted))  # type: ignore[union-attr]
    print(f"== {sum(good)} of {len(good)} as expected")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
