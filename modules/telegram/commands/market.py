"""/chart SYMBOL: candles with the position's lines and our fills."""

import difflib
from typing import Any

from modules.exchange.types import Mode
from modules.strategies.hype.records import Position, Trade
from modules.telegram.command import Answer, Arg, Button, Command, Group, Request, Role
from modules.telegram.commands.positions import held_in
from modules.telegram.context import Context
from modules.telegram.markup import b, code, esc, lines
from utils.figures import pct, price

INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
_RECENT = 2000
_FILLS = 40


async def chart(context: Context, request: Request) -> Answer:
    symbol, interval = request.text("symbol"), request.text("interval", "5m")
    modes = dict.fromkeys((context.mode(), *Mode))  # the present one first
    positions = [p for mode in modes for p in await held_in(context, mode) if p.symbol == symbol]
    mode = Mode(positions[0].mode) if positions else context.mode()
    trades = await context.read(lambda: context.files(mode).trades.newest(_RECENT))
    spec: dict[str, Any] = {"symbol": symbol, "interval": interval, "zone": context.zone,
                            "position": _lines(positions[0]) if positions else None,
                            "fills": _fills([trade for trade in trades if trade.symbol == symbol])}
    told = await context.worker("chart", spec)
    if told.get("unknown"):
        return _unknown(symbol, told["symbols"])
    held = None if positions else f"[{mode}] Not held."
    rows = tuple(Button(name, f"run:/chart {symbol} {name}") for name in ("5m", "15m", "1h", "1d") if name != interval)
    move = f"{price(told['last'])} ({pct(told['change_pct'])} in the picture)"
    return Answer(lines(b(f"{symbol} {interval}") + f": {move}",
                        *(_stand(position) for position in positions[:2]), held),
                  picture=context.paths.data / told["picture"], buttons=(rows,))


def _unknown(symbol: str, symbols: list[str]) -> Answer:
    near = difflib.get_close_matches(symbol, symbols, n=4, cutoff=0.5)
    names = ", ".join(near) if near else ", ".join(symbols[:4]) + " …"
    return Answer(lines(f"{b(symbol)} is not traded here.", f"{'Near' if near else 'For example'}: {esc(names)}",
                        f"→ {code(f'/chart {near[0] if near else symbols[0]}')}" if symbols else None))


def _stand(position: Position) -> str:
    return (f"[{position.mode}] in {price(position.entry_price)}, stop {price(position.sl_price)}, "
            f"{position.tp_hit} of {len(position.tp_prices)} targets reached")


def _lines(position: Position) -> dict[str, Any]:
    """What the picture draws of a position."""
    return {"mode": position.mode, "strategy": str(position.strategy), "confidence": position.confidence,
            "entry": float(position.entry_price), "sl": float(position.sl_price), "tp_hit": position.tp_hit,
            "tp": [float(value) for value in position.tp_prices], "peak": float(position.dynamic_peak)}


def _fills(trades: list[Trade]) -> list[dict[str, Any]]:
    return [{"at": trade.market_ms, "side": trade.side, "price": float(trade.price)} for trade in trades[-_FILLS:]]


COMMANDS = (
    Command("chart", "Candles with entry, stop, targets and fills", Group.REPORTS, chart, Role.VIEWER,
            args=(Arg("symbol", "symbol", "e.g. PEPE", required=True),
                  Arg("interval", "choice", "default 5m", choices=INTERVALS))),
)
