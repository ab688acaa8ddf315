"""Questions of the command process to the exchange, asked by a worker process (workers.py): balances, the key."""

from decimal import Decimal
from typing import Any

from modules.exchange.api import Account, MarketData
from modules.exchange.gateway import open_account, open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Balance, Mode
from utils.paths import Paths

_CENT = Decimal("0.01")


async def balance(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Non-zero balances of an account and what they are worth. Raises Unavailable."""
    mode = Mode(spec["mode"])
    market = await open_market(exchange, paths)
    try:
        account = await open_account(mode, exchange, paths, market)
        try:
            return await _worth(account, market, exchange)
        finally:
            await account.close()
    finally:
        await market.close()


async def _worth(account: Account, market: MarketData, exchange: ExchangeSettings) -> dict[str, Any]:
    held = await account.balances()
    tickers = await market.tickers() if any(asset != "USDT" for asset in held) else {}
    prices = {asset: Decimal(1) if asset == "USDT" else _price(tickers, asset) for asset in held}
    rows = {asset: _row(found, prices[asset]) for asset, found in held.items() if found.free + found.locked}
    worth = [Decimal(row["usdt"]) for row in rows.values() if row["usdt"] is not None]
    ordered = dict(sorted(rows.items(), key=lambda item: Decimal(item[1]["usdt"] or 0), reverse=True))
    return {"balances": ordered, "equity": str(sum(worth, Decimal(0)).quantize(_CENT)), "venue": exchange.name,
            "unpriced": [asset for asset, row in rows.items() if row["usdt"] is None]}


def _price(tickers: Any, asset: str) -> Decimal | None:
    ticker = tickers.get(f"{asset}USDT")
    return Decimal(str(ticker.bid or ticker.last)) if ticker is not None else None


def _row(found: Balance, price: Decimal | None) -> dict[str, Any]:
    total = found.free + found.locked
    return {"free": str(found.free), "locked": str(found.locked), "total": str(total),
            "usdt": None if price is None else str((total * price).quantize(_CENT))}
