"""Our records in MEXC's JSON shapes (recorded answers: ccxt's and Mexc.Net's fixtures)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from modules.simulator.accounts import Account, Fill, Order, OrderType
from modules.simulator.market import Board
from modules.simulator.pairs import PairState
from modules.simulator.paths import QUOTE_SCALE
from modules.simulator.rules import MAX_NOTIONAL, MAX_NOTIONAL_MARKET, MIN_NOTIONAL
from modules.simulator.universe import QUOTE, Token

_STATUS = {PairState.ONLINE: "1", PairState.SELL_ONLY: "1", PairState.HALTED: "2", PairState.OFFLINE: "3"}


_EXACT = 2**51


def units(value: int, scale: int) -> str:
    """An integer count of 10^-scale as plain text."""
    if scale == 0:
        return str(value)
    if value < _EXACT:  # the fast way; a double still holds every digit
        return f"{value / 10**scale:.{scale}f}"
    whole, part = divmod(value, 10**scale)
    return f"{whole}.{part:0{scale}d}"


def plain(value: Decimal) -> str:
    """A Decimal without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def symbol_info(token: Token, state: PairState) -> dict[str, Any]:
    """One row of exchangeInfo."""
    prices, amounts = token.order_scales
    kinds = ["LIMIT", "LIMIT_MAKER"] if not token.market_orders else ["LIMIT", "MARKET", "LIMIT_MAKER"]
    return {
        "symbol": token.symbol, "status": _STATUS[state], "baseAsset": token.base,
        "baseAssetPrecision": amounts, "quoteAsset": QUOTE, "quotePrecision": prices,
        "quoteAssetPrecision": prices, "baseCommissionPrecision": amounts,
        "quoteCommissionPrecision": prices, "orderTypes": kinds,
        "isSpotTradingAllowed": token.api_open and state in (PairState.ONLINE, PairState.SELL_ONLY),
        "isMarginTradingAllowed": False, "quoteAmountPrecision": plain(MIN_NOTIONAL),
        "baseSizePrecision": plain(Decimal(1).scaleb(-amounts)), "permissions": ["SPOT"], "filters": [],
        "maxQuoteAmount": plain(MAX_NOTIONAL), "makerCommission": plain(token.maker),
        "takerCommission": plain(token.taker), "quoteAmountPrecisionMarket": plain(MIN_NOTIONAL),
        "maxQuoteAmountMarket": plain(MAX_NOTIONAL_MARKET), "fullName": token.base.title(),
        "tradeSideType": 3 if state is PairState.SELL_ONLY else 1,
        "quoteOrderQtyMarketAllowed": token.market_orders,
    }


def ticker_text(board: Board, token: Token, bid_qty: str, ask_qty: str, bid: int, ask: int) -> str:
    """One row of ticker/24hr as JSON text (there are thousands of them, twice a second)."""
    slot, scale = token.slot, token.price_scale
    last, opened = int(board.last[slot]), int(board.open24[slot])
    change = last - opened
    sign = "-" if change < 0 else ""
    return (
        f'{{"symbol":"{token.symbol}","priceChange":"{sign}{units(abs(change), scale)}",'
        f'"priceChangePercent":"{change / opened:.4f}","prevClosePrice":"{units(opened, scale)}",'
        f'"lastPrice":"{units(last, scale)}","bidPrice":"{units(bid, scale)}","bidQty":"{bid_qty}",'
        f'"askPrice":"{units(ask, scale)}","askQty":"{ask_qty}","openPrice":"{units(opened, scale)}",'
        f'"highPrice":"{units(int(board.high24[slot]), scale)}",'
        f'"lowPrice":"{units(int(board.low24[slot]), scale)}",'
        f'"volume":"{units(int(board.volume24[slot]), token.base_scale)}",'
        f'"quoteVolume":"{units(int(board.quote24[slot]), QUOTE_SCALE)}",'
        f'"openTime":{board.ms - 86_400_000},"closeTime":{board.ms},"count":null}}'
    )


def kline_text(token: Token, row: list[int]) -> str:
    """One candle as JSON text."""
    ms, opened, high, low, close, volume, quote, end = row
    scale = token.price_scale
    return (
        f'[{ms},"{units(opened, scale)}","{units(high, scale)}","{units(low, scale)}","{units(close, scale)}",'
        f'"{units(volume, token.base_scale)}",{end},"{units(quote, QUOTE_SCALE)}"]'
    )


def placed(order: Order) -> dict[str, Any]:
    """Answer to a new order: it says nothing of fills."""
    shown = order.shown_price if order.shown_price is not None else Decimal(0)
    if order.steps is not None:
        qty = order.amount(order.steps)
    else:  # what the money would buy at the price sent, or at the first fill's: no word on what it did buy
        assert order.quote_limit is not None
        qty = round(order.quote_limit / (shown or order.filled_quote / order.amount(order.filled)), order.base_scale)
    return {
        "symbol": order.symbol, "orderId": order.id, "orderListId": -1, "price": plain(shown),
        "origQty": plain(qty), "type": str(order.type), "side": order.side, "transactTime": order.created_ms,
    }


def order_row(order: Order) -> dict[str, Any]:
    """An order as the query endpoints show it."""
    if order.price is not None:
        price = order.at(order.price)
    else:
        price = order.filled_quote / order.amount(order.filled) if order.filled else Decimal(0)
        price = round(price, order.price_scale)
    qty = order.amount(order.steps) if order.steps is not None else order.amount(order.filled)
    asked = order.quote_limit if order.quote_limit is not None else price * qty
    return {
        "symbol": order.symbol, "orderId": order.id, "orderListId": -1, "clientOrderId": order.client_id,
        "price": plain(price), "origQty": plain(qty), "executedQty": plain(order.amount(order.filled)),
        "cummulativeQuoteQty": plain(order.filled_quote), "status": str(order.status), "timeInForce": None,
        "type": str(order.type), "side": order.side, "stopPrice": None, "icebergQty": None,
        "time": order.created_ms, "updateTime": order.updated_ms, "isWorking": True,
        "origQuoteOrderQty": plain(asked),
    }


def canceled_row(order: Order) -> dict[str, Any]:
    """Answer to a cancellation."""
    row = order_row(order)
    return {
        "symbol": order.symbol, "origClientOrderId": order.client_id, "orderId": order.id,
        "clientOrderId": order.client_id, "price": row["price"], "origQty": row["origQty"],
        "executedQty": row["executedQty"], "cummulativeQuoteQty": row["cummulativeQuoteQty"],
        "status": row["status"], "timeInForce": None if order.type is OrderType.MARKET else "GTC",
        "type": row["type"], "side": order.side,
    }


def fill_row(fill: Fill) -> dict[str, Any]:
    """A row of myTrades."""
    return {
        "symbol": fill.symbol, "id": fill.id, "orderId": fill.order, "orderListId": -1, "price": plain(fill.price),
        "qty": plain(fill.qty), "quoteQty": plain(fill.quote), "commission": plain(fill.fee),
        "commissionAsset": fill.fee_asset, "time": fill.ms, "isBuyer": fill.side == "BUY", "isMaker": fill.maker,
        "isBestMatch": True, "isSelfTrade": fill.self_trade, "clientOrderId": fill.client_id,
    }


def account_row(account: Account) -> dict[str, Any]:
    """The account endpoint."""
    return {
        "canTrade": True, "canWithdraw": account.can_withdraw, "canDeposit": True, "updateTime": None,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": plain(balance.free), "locked": plain(balance.locked)}
            for asset, balance in sorted(account.balances.items()) if balance.free or balance.locked
        ],
        "permissions": ["SPOT"],
    }


def coin_row(base: str) -> dict[str, Any]:
    """A row of capital/config/getall."""
    return {
        "coin": base, "name": base.title(),
        "networkList": [{
            "coin": base, "depositDesc": None, "depositEnable": True, "minConfirm": 0, "name": base.title(),
            "network": "ERC20", "withdrawEnable": True, "withdrawFee": "1", "withdrawIntegerMultiple": None,
            "withdrawMax": "1000000", "withdrawMin": "10", "sameAddress": False, "contract": "",
            "withdrawTips": None, "depositTips": None, "netWork": "ERC20",
        }],
    }
