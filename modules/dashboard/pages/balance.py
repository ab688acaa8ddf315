"""Balance: the coins of the spot accounts and what they are worth, read from files; /balance asks the exchange itself.

TEST is the paper account as it lies on disk. LIVE is what the exchange said at the tracker's last comparison with the
books; nothing is asked for here. Worth: the last price of the scanner's table of the market, None where it has none.
"""

from decimal import Decimal
from typing import Any

from modules.dashboard.pages.sources import Sources, number
from modules.exchange.paper import PaperAccount, account_file
from modules.exchange.types import Balance, Mode, Unavailable
from modules.storage.damage import StateError
from modules.strategies.hype.desk_books import reconciled_file
from modules.strategies.hype.scan_report import scan_report_file

CASH = "USDT"
MOST = 60


def balance(sources: Sources) -> list[dict[str, Any]]:
    """A row for each coin that is there, LIVE first, then by worth."""
    prices = sources.for_a_while("prices", 5.0, lambda: prices_of(sources))
    rows = [*_live(sources, prices), *_test(sources, prices)]
    for mode in Mode:
        mine = [row for row in rows if row["mode"] == mode.value]
        total = sum(row["usdt"] or 0.0 for row in mine)
        for row in mine:
            row["share_pct"] = row["usdt"] / total * 100 if total and row["usdt"] is not None else None
    return sorted(rows, key=lambda row: (row["mode"] != Mode.LIVE.value, -(row["usdt"] or 0.0), row["asset"]))[:MOST]


def prices_of(sources: Sources) -> dict[str, float]:
    """Last prices by symbol, as the scanner saw the market."""
    file = scan_report_file(sources.paths)
    try:
        report = sources.while_same(file.path, file.load)
    except StateError:
        return {}
    return {row.symbol: row.price for row in report.board if row.price}


def _test(sources: Sources, prices: dict[str, float]) -> list[dict[str, Any]]:
    def read() -> dict[str, Balance]:
        try:
            return PaperAccount.peek(sources.paths)
        except Unavailable:  # not opened yet: Accounts says so
            return {}

    held = sources.while_same(account_file(sources.paths), read)
    return [_row(Mode.TEST, asset, one.free, one.locked, prices) for asset, one in held.items()
            if one.free + one.locked]


def _live(sources: Sources, prices: dict[str, float]) -> list[dict[str, Any]]:
    file = reconciled_file(sources.paths, Mode.LIVE)
    try:
        report = sources.while_same(file.path, file.load).report
    except StateError:  # the page Reconciliation says what is wrong with it
        return []
    return [_row(Mode.LIVE, row.asset, row.venue, Decimal(0), prices) for row in (report.rows if report else ())
            if row.venue]


def _row(mode: Mode, asset: str, free: Decimal, locked: Decimal, prices: dict[str, float]) -> dict[str, Any]:
    price = 1.0 if asset == CASH else prices.get(f"{asset}{CASH}")
    total = free + locked
    return {"mode": mode.value, "asset": asset, "free": number(free), "locked": number(locked), "total": number(total),
            "price": price, "usdt": float(total) * price if price is not None else None, "share_pct": None}
