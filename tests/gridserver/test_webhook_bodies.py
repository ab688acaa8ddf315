"""The webhooks' form is the seed's, section 6: keys in their order, nesting, types; values by E4."""

from decimal import Decimal

import msgspec

from modules.strategies.grid.events import LimitHit, Quote
from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.signals import Signals
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.webhooks import (
    Runtime,
    global_limit_hit,
    limit_uid,
    status_update,
)

D = Decimal
# 2024-01-15T10:30:00.000Z and the moments before it that the seed's example names.
NOW = 1_705_314_600_000
STARTED, BOUGHT, AGAIN, SOLD = NOW - 3_600_000, NOW - 1_800_000, NOW - 1_500_000, NOW - 1_680_000
RUN = Runtime("user123", "bot456", STARTED, NOW, AGAIN, {"B1": "123456", "B2": "123457", "S1": "123458"})
SETTINGS = GridSettings(global_profit=100, max_loss=50, cci_period=20)
STATE = SessionState(
    buy=LegLedger(1, (Entry("B1", 1, D("0.001"), D("41.5"), BOUGHT), Entry("B2", 2, D("0.0015"), D("61.5"), AGAIN)),
                  realised=D("160"), fees=D("3")),
    sell=LegLedger(-1, (Entry("S1", 1, D("0.001"), D("42.5"), SOLD),), realised=D("-5"), fees=D("1.25")),
    quote=Quote(NOW, NOW, D("42000"), D("42001")), balance=D("1000"), tick=1234, trades=50, wins=35,
    signals=Signals(trend=-1, sar=(42100.0, 0, 0, 0, 0, 0, 0), average=41950.25, cci=75.5, signal=1))

STATUS = {
    "event": "status_update",
    "timestamp": "2024-01-15T10:30:00.000Z",
    "data": {
        "userId": "user123",
        "userBotId": "bot456",
        "symbol": "BTCUSDT",
        "currentPrice": 42000.5,
        "indicators": {"sma": 41950.25, "sar": 42100.0, "cci": 75.5, "signal": "BUY"},
        "balance": 1000.0,
        "positions": {
            "buy": [
                {"price": 41500.0, "lot": 0.001, "orderId": "123456", "gridLevel": 1, "pnl": 0.5,
                 "pnlPercent": 1.2048, "openedAt": "2024-01-15T10:00:00.000Z"},
                {"price": 41000.0, "lot": 0.0015, "orderId": "123457", "gridLevel": 2, "pnl": 1.5,
                 "pnlPercent": 2.439, "openedAt": "2024-01-15T10:05:00.000Z"},
            ],
            "sell": [
                {"price": 42500.0, "lot": 0.001, "orderId": "123458", "gridLevel": 1, "pnl": 0.499,
                 "pnlPercent": 1.1741, "openedAt": "2024-01-15T10:02:00.000Z"},
            ],
            "buyCount": 2,
            "sellCount": 1,
            "buyPnl": 2.0,
            "sellPnl": 0.499,
            "totalPnl": 2.499,
        },
        "grid": {"multiplier": 1.5, "spacePercent": 0.5, "maxBuyOrders": 20, "maxSellOrders": 20},
        "profit": {"singleOrderProfit": 3.0, "pairGlobalProfit": 1.0, "globalProfit": 100.0, "maxLoss": 50.0},
        "performance": {"totalTrades": 50, "winningTrades": 35, "losingTrades": 15, "winRate": 70.0,
                        "totalPnL": 153.249, "unrealizedPnL": 2.499},
        "settings": {"leverage": 10, "timeframe": "1H", "baseLot": 0.001, "useSmaEntry": True, "cciPeriod": 20},
        "runtime": {"tick": 1234, "uptime": 3600, "startedAt": "2024-01-15T09:30:00.000Z",
                    "lastTradeAt": "2024-01-15T10:05:00.000Z"},
        "tick": 1234,
    },
}
LIMIT = {
    "event": "global_limit_hit",
    "timestamp": "2024-01-15T10:30:00.000Z",
    "data": {
        "userId": "user123",
        "userBotId": "bot456",
        "symbol": "BTCUSDT",
        "totalPnl": 100.5,
        "limitType": "PROFIT",
        "limitValue": 100.0,
        "positionsClosed": 5,
        "message": "Daily profit target reached: $100.50",
    },
}


def test_status_update_byte_for_byte() -> None:
    assert msgspec.json.encode(status_update(STATE, SETTINGS, RUN)) == msgspec.json.encode(STATUS)


def test_global_limit_hit_byte_for_byte() -> None:
    hit = LimitHit("PROFIT", D("100"), D("100.5"), 5, 19_737)
    assert msgspec.json.encode(global_limit_hit(hit, "BTCUSDT", RUN)) == msgspec.json.encode(LIMIT)
    loss = global_limit_hit(LimitHit("LOSS", D("50"), D("-50.126"), 2, 19_737), "BTCUSDT", RUN)
    assert loss["data"]["message"] == "Daily loss limit reached: -$50.13"


def test_what_is_not_known_yet_keeps_its_type() -> None:
    data = status_update(SessionState(), SETTINGS, Runtime("u", "b", NOW, NOW))["data"]
    assert data["indicators"] == {"sma": 0.0, "sar": 0.0, "cci": 0.0, "signal": "NONE"}
    assert data["currentPrice"] == 0.0 and data["balance"] == 0.0 and data["runtime"]["lastTradeAt"] is None
    assert data["performance"]["winRate"] == 0.0 and data["positions"]["buy"] == []


def test_a_limit_told_twice_has_one_id() -> None:
    hit = LimitHit("LOSS", D("50"), D("-51"), 5, 19_737)
    other = LimitHit("LOSS", D("50"), D("-51"), 5, 19_738)
    assert limit_uid("u", hit, 1) == limit_uid("u", hit, 1) != limit_uid("u", other, 1)
    assert limit_uid("v", hit, 1) != limit_uid("u", hit, 1)
