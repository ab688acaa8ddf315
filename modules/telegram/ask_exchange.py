"""Questions of the command process to the exchange, asked by a worker process (workers.py).

The paper account's balances are read from its file (`peek`): its only writer is the tracker.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from modules.exchange.api import MarketData
from modules.exchange.gateway import check_key, open_account, open_market
from modules.exchange.paper import PaperAccount
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Balance, Mode, Ticker, Unavailable
from modules.strategies.hype import resync
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.settings import HypeSettings
from utils.paths import Paths

_CENT = Decimal("0.01")


async def balance(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Non-zero balances of an account and their worth. Raises Unavailable; a paper account is told without prices."""
    mode = Mode(spec["mode"])
    try:
        market = await open_market(exchange, paths)
    except Unavailable as problem:
        if mode is Mode.LIVE:
            raise
        return _worth(PaperAccount.peek(paths), {}, exchange) | {"note": str(problem)}
    try:
        held = await _balances(mode, paths, exchange, market)
        tickers = await market.tickers() if any(asset != "USDT" for asset in held) else {}
        return _worth(held, tickers, exchange) | {"note": ""}
    finally:
        await market.close()


async def key_report(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Whether the key suits for LIVE, and the USDT it would trade with. Raises Unavailable."""
    report = await check_key(exchange, paths)
    if not report.usable:
        return {"refused": report.text, "usdt": "0"}
    market = await open_market(exchange, paths)
    try:
        held = await _balances(Mode.LIVE, paths, exchange, market)
    finally:
        await market.close()
    return {"refused": "", "usdt": str(held["USDT"].free if "USDT" in held else Decimal(0))}


async def resync_changes(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """What /resync (or with ``clear`` /cleartracked) would change now. Raises Unavailable, StateError."""
    mode = Mode(spec["mode"])
    files = HypeFiles(paths, mode)
    market = await open_market(exchange, paths)
    try:
        held = await _balances(mode, paths, exchange, market)
        markets = await market.markets()
    finally:
        await market.close()
    if spec["clear"]:
        found = resync.clearable(files.tracked.load(), held, markets)
    else:
        found = resync.preview(files, held, markets, HypeSettings.model_validate(spec["hype"]))
    return {"changes": [{"symbol": change.symbol, "kind": change.kind, "line": change.line()} for change in found]}


async def _balances(mode: Mode, paths: Paths, exchange: ExchangeSettings, market: MarketData) -> Mapping[str, Balance]:
    if mode is Mode.TEST:
        return PaperAccount.peek(paths)
    account = await open_account(mode, exchange, paths, market)
    try:
        return await account.balances()
    finally:
        await account.close()


def _worth(held: Mapping[str, Balance], tickers: Mapping[str, Ticker], exchange: ExchangeSettings) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}
    for asset, found in held.items():
        total, price = found.free + found.locked, _price(tickers, asset)
        if total:
            rows[asset] = {"free": str(found.free), "locked": str(found.locked), "total": str(total),
                           "usdt": None if price is None else str((total * price).quantize(_CENT))}
    worth = [Decimal(row["usdt"]) for row in rows.values() if row["usdt"] is not None]
    ordered = dict(sorted(rows.items(), key=lambda item: Decimal(item[1]["usdt"] or 0), reverse=True))
    return {"balances": ordered, "equity": str(sum(worth, Decimal(0)).quantize(_CENT)), "venue": exchange.name,
            "unpriced": [asset for asset, row in rows.items() if row["usdt"] is None]}


def _price(tickers: Mapping[str, Ticker], asset: str) -> Decimal | None:
    """What a coin would fetch now: the bid."""
    if asset == "USDT":
        return Decimal(1)
    ticker = tickers.get(f"{asset}USDT")
    return Decimal(str(ticker.bid if ticker.bid > 0 else ticker.last)) if ticker is not None else None
