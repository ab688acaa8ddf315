"""The futures world with system C's execution in it: decisions are made by hand, the venue is driven through them."""

from __future__ import annotations

import hashlib
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.futures_world import World
from modules.exchange.types import Mode
from modules.storage.history import History
from modules.strategies.showdown.execution import SYSTEM
from modules.strategies.showdown.trade_book import Ended, TradeBook

TICKS = {"ETHUSDT": Decimal("0.1"), "SOLUSDT": Decimal("0.1"), "BTCUSDT": Decimal(1)}


class ShowdownWorld(World):
    """A world in which `benchmarks.showdown_trader` trades."""

    system, module = SYSTEM, "benchmarks.showdown_trader"

    def decide(self, symbol: str, long: bool = True, notional: int = 700, stop_pct: str = "4", off_pct: str = "0",
               **changes: Any) -> str:
        """A decision at the mark price (plus `off_pct` in the trade's favour): stop, targets 3 % and 5 % away."""
        mark, tick, sign = self.mark(symbol), TICKS[symbol], 1 if long else -1
        now = int(self.ask("/fapi/v1/time")["serverTime"])

        def at(pct: str) -> str:
            return str((mark * (1 + sign * Decimal(pct) / 100) / tick).to_integral_value() * tick)
        quantity = (Decimal(notional) / mark).quantize(Decimal(1) if symbol == "SOLUSDT" else Decimal("0.01"))
        zone = sorted((at(str(Decimal(off_pct) - Decimal("0.4"))), at(off_pct)), key=Decimal)
        risk = Decimal(notional) * (Decimal(stop_pct) + Decimal(off_pct) + 1) / 100
        body = {"symbol": symbol, "ms": now, "mode": str(Mode.LIVE), "action": "long" if long else "short",
                "entry_zone": zone, "sl": at("-" + stop_pct), "tp1": at("3"), "tp2": at("5"), "risk_level": 1,
                "position_size_usdt": str(notional), "quantity": str(quantity), "risk_usdt": f"{risk:.4f}",
                "capped_by": "", "confidence": 0.9, "reason": "forced", "reasons": [], "gates": [], "long": [],
                "short": [], "absent": [],
                "hash": hashlib.sha256(f"{symbol}{now}{long}".encode()).hexdigest(), **changes}
        self.inbox.post("decision", body, "world")
        return str(body["hash"])[:20]

    def aimed(self) -> bool:
        """Whether each position's first target waits on the venue: a take profit of a fixed quantity."""
        account = self.truth()
        aims = {row["symbol"] for row in account["algos"] if row["status"] == "NEW" and not row["close_position"]
                and row["kind"].startswith("TAKE_PROFIT")}
        return {row["symbol"] for row in account["positions"]} <= aims

    def settle_funding(self, rate: str = "0.002") -> None:
        """End the running funding interval now, at a rate that is felt."""
        for symbol in self.symbols:
            self.act(action="funding_rate", symbol=symbol, rate=rate)
        self.act(action="settle_funding")

    def trades(self) -> dict[str, str]:
        """What the trader follows, by its status."""
        found: dict[str, str] = self.status().get("trades", {})
        return found

    def ended(self) -> list[Ended]:
        """Every trade that ended."""
        return list(History(self.paths.data / "showdown_history.json", Ended).records())

    def verdict(self) -> list[str]:
        """As of every futures system; and what system C says of its trades against the venue's fills."""
        problems = [text for text in super().verdict() if not (text.startswith("the wish") and " orders" in text)]
        account = self.truth()
        fills = {str(row["trade_id"]): row for row in account["fills"]}
        book = TradeBook(self.paths.data, Mode.LIVE)
        book.load()
        held = {row["symbol"] for row in account["positions"]}
        problems += [f"{symbol} is followed and not held" for symbol, one in book.trades.open.items()
                     if symbol not in held and not one.entering]
        if Decimal(account["identity"]):
            problems.append(f"the venue's own identity is off by {account['identity']}")
        ids = [one.id for one in self.ended()]
        problems += [f"the trade {one} ended twice" for one in set(ids) if ids.count(one) > 1]
        for one in self.ended():
            lost = [fill for fill in one.fills if fill not in fills]
            problems += [f"the trade {one.id} names fills that the venue does not know: {lost}"] if lost else []
            if one.net != one.realised - one.fees + one.funding and abs(
                    one.net - one.realised + one.fees - one.funding) > Decimal("1e-6"):
                problems.append(f"the trade {one.id} does not add up")
        return problems
