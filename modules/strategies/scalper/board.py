"""What other processes show of the scalper: ``data/scalper_view.json``, replaced every second, and its facts."""

import logging
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

import msgspec

from modules.exchange.types import Unavailable
from modules.strategies.scalper.account import Running
from modules.strategies.scalper.eye import Eye, Signal
from modules.strategies.scalper.reasons import WORDS, Code
from modules.strategies.scalper.records import VIEW, Trade
from utils.files import write_atomic

if TYPE_CHECKING:
    from modules.strategies.scalper.live import Scalper

log = logging.getLogger(__name__)
SIGNALS = 20
SAME_MS = 10_000  # signals of one contract and side within this are one


class Board:
    """Writes it."""

    def __init__(self, scalper: "Scalper") -> None:
        self._scalper = scalper
        self._signals: deque[dict[str, Any]] = deque(maxlen=SIGNALS)
        self._problem = ""

    def signal(self, signal: Signal, code: Code) -> None:
        """A signal and what became of it. One that goes on and on is one row."""
        row = {"symbol": signal.symbol, "side": signal.side, "score": signal.score, "parts": signal.parts,
               "bid": signal.bid, "ask": signal.ask, "ms": signal.ms, "code": code.name, "why": WORDS[code], "times": 1}
        for old in self._signals:
            if (old["symbol"], old["side"]) == (signal.symbol, signal.side) and signal.ms - old["last_ms"] <= SAME_MS:
                row["times"] = old["times"] + 1
                if old["code"] == "OK":  # what it began is worth more than why the next look began nothing
                    row["code"], row["why"] = old["code"], old["why"]
                row["first_ms"] = old["first_ms"]
                self._signals.remove(old)
                break
        self._signals.append({"first_ms": signal.ms, **row, "last_ms": signal.ms})

    def refused(self, signal: Signal, code: Code) -> None:
        """A signal whose entry had begun and came to nothing."""
        for row in self._signals:
            if (row["symbol"], row["side"]) == (signal.symbol, signal.side) and row["code"] == "OK" \
                    and row["first_ms"] <= signal.ms <= row["last_ms"]:
                row["code"], row["why"] = code.name, WORDS[code]

    def write(self) -> None:
        """The file and the facts; a full disk is told in the log once."""
        scalper = self._scalper
        running = scalper.modes.get(scalper.mode)
        scalper.run.tell(mode=str(scalper.mode), waiting=scalper.waiting, settings_version=scalper.version,
                         contracts=len(scalper.eyes),
                         looks=sum(eye.looks for eye in scalper.eyes.values()),
                         open=sum(len(one.trader.state.open) for one in scalper.modes.values()),
                         today=running.trader.state.today if running else 0,
                         problem=running.problem() if running else self._opening())
        for one in scalper.modes.values():
            scalper.run.tell(**one.facts())
        try:
            write_atomic(scalper.run.paths.data / VIEW, msgspec.json.encode(self.view()), durable=False)
            self._problem = ""
        except OSError as problem:
            if str(problem) != self._problem:
                log.error("%s cannot be written: %s", VIEW, problem)
            self._problem = str(problem)

    def _opening(self) -> str:
        """Why the account in use is not open."""
        return self._scalper.problems.get(self._scalper.mode, "") or "the account is being opened"

    def view(self) -> dict[str, Any]:
        """Everything that commands and the dashboard show; plain values."""
        scalper = self._scalper
        try:
            now_ms = scalper.market.clock.now_ms()
        except Unavailable:
            now_ms = 0
        return {"ms": now_ms, "mode": str(scalper.mode), "waiting": scalper.waiting, "version": scalper.version,
                "opening": self._opening() if scalper.mode not in scalper.modes else "",
                "contracts": [self._contract(eye) for eye in scalper.eyes.values()],
                "signals": list(self._signals),
                "modes": {str(mode): self._mode(running) for mode, running in scalper.modes.items()}}

    def _contract(self, eye: Eye) -> dict[str, Any]:
        known = eye.looks > 0 and eye.code is not Code.NO_FEED
        return {"symbol": eye.symbol, "code": eye.code.name, "why": WORDS[eye.code], "looks": eye.looks,
                "bid": eye.bid if known else None, "ask": eye.ask if known else None,
                "score": round(float(eye.desk.parts[-1]), 4) if known else None, "parts": eye.parts() if known else {},
                "flow": eye.figures() if known else {}, "atr_bps": round(float(eye.desk.context[3]), 2),
                "mood": msgspec.to_builtins(eye.mood) if eye.mood is not None else None}

    def _mode(self, running: Running) -> dict[str, Any]:
        trader, state = running.trader, running.trader.state
        refusal = trader.newest_refusal
        return {"problem": running.problem(), "equity": float(trader.equity),
                "open": [self._trade(one) for one in state.open.values()],
                "last": [self._trade(one) for one in state.last[-10:]], "today": state.today,
                "day_pnl": float(state.day_pnl), "trades": state.trades, "wins": state.wins, "pnl": float(state.pnl),
                "fees": float(state.fees), "free_ms": state.free_ms,
                "refused": {code.name: count for code, count in Counter(trader.refused).most_common()},
                "refusal": {"symbol": refusal.symbol, "code": refusal.code.name, "ms": refusal.ms,
                            "text": refusal.text or WORDS[refusal.code]} if refusal is not None else None}

    def _trade(self, trade: Trade) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.to_builtins(trade, builtin_types=(), str_keys=True)
        return {**found, "pnl_pct": trade.pnl_pct, "word": trade.word}
