"""One contract's candles made ready for the grid's backtest: ticks, lots, signals; and what a run comes to in USDT.

Nothing here compiles or imports the kernels before `run_past` is called: the rules must be compiled first.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from modules.strategies.grid.settings import INTERVAL_MS

if TYPE_CHECKING:
    from modules.strategies.grid.settings import GridSettings
    from modules.strategies.grid.units import Contract, Scale

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MOST_DEALS = 200_000
LOTS = ("base_lot", "min_lot", "max_lot", "space_lots", "space1_lots", "space2_lots", "space3_lots")


class Untestable(Exception):
    """These candles and settings make no run; the text says why and what to change."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs, in percent; `balance` in USDT; `lot_usdt` above 0 scales all lots to a first one of that."""

    balance: float
    fee_pct: float = 0.06
    slippage_pct: float = 0.01
    funding_pct: float = 0.01
    maintenance_pct: float = 0.5
    lot_usdt: float = 0.0


@dataclass(frozen=True, slots=True)
class Past:
    """Candles of one contract: open times in ms, prices; `longer` the same for the closed candles of the signals."""

    symbol: str
    time: Ints
    prices: Floats
    longer_time: Ints
    longer_high: Floats
    longer_low: Floats
    longer_close: Floats


@dataclass(frozen=True, slots=True)
class Result:
    """A run in USDT. `counts` deals by code; `identity`: start + Σ = end to the last unit."""

    symbol: str
    start: float
    end: float
    equity: float
    realised: float
    fees: float
    funding: float
    lost: float
    lowest: float
    drawdown: float
    counts: dict[str, int]
    refused: dict[str, int]
    day_stops: int
    liquidated: bool
    worst: float
    candles: int
    first: float
    last: float
    deals: Ints
    curve: Floats
    closes: Floats
    scale: Any
    identity: bool


def tick_of(prices: Floats) -> Decimal:
    """The coarsest power of ten that all prices are multiples of, down to 1e-8."""
    some = prices.ravel()[:: max(prices.size // 4000, 1)]
    for digits in range(9):
        grown = some * 10.0 ** digits
        if np.allclose(grown, np.rint(grown), rtol=0, atol=min(1e-4, float(grown.min()) / 100)):
            return Decimal(1).scaleb(-digits)
    return Decimal(1).scaleb(-8)


def fitted(settings: "GridSettings", costs: Costs, past: Past) -> "tuple[GridSettings, Contract]":
    """Settings and a made-up contract for these candles; lots scaled where `lot_usdt` asks for it.

    Raises Untestable where the first order would be below 5 USDT.
    """
    from modules.strategies.grid.units import Bracket, Contract, exact
    price = float(past.prices[0, 0])
    factor = costs.lot_usdt / price / settings.base_lot if costs.lot_usdt else 1.0
    base = settings.base_lot * factor
    if base * price < 5:
        raise Untestable(f"{past.symbol}: a first lot of {base:g} is worth {base * price:.2f} USDT, less than the 5 "
                         f"that venues take. Give --lot-usdt, e.g. 50, or set base_lot and min_lot for this contract.")
    step = Decimal(10) ** (math.floor(math.log10(base)) - 2) if costs.lot_usdt else exact(settings.min_lot)
    changes = {name: float(round(getattr(settings, name) * factor / float(step)) * step)
               for name in LOTS}
    chosen = settings.model_copy(update={**(changes if costs.lot_usdt else {}), "trading_symbol": past.symbol})
    rate = exact(costs.maintenance_pct) / 100
    return chosen, Contract(past.symbol, tick_of(past.prices), step, step, taker=exact(costs.fee_pct) / 100,
                            brackets=(Bracket(Decimal(10**12), 125, rate),))


def run_past(settings: "GridSettings", costs: Costs, past: Past) -> Result:
    """One contract through the live rules. Raises Untestable."""
    from modules.strategies.grid import backtest as b
    from modules.strategies.grid.units import exact, ppm, rules_of, scale_of
    from modules.strategies.grid.worst_case import worst_case
    chosen, contract = fitted(settings, costs, past)
    scale = scale_of(contract, 1)
    rules = rules_of(chosen, contract, scale)
    rules = rules._replace(lots=np.array(rules.lots), distances=np.array(rules.distances))  # type: ignore[arg-type]
    ticks = np.rint(past.prices / float(contract.tick)).astype(np.int64)
    signals, fresh = _signals(chosen, past, b)
    terms = b.Terms(scale.to_money(exact(costs.balance)), ppm(costs.slippage_pct), ppm(costs.maintenance_pct),
                    ppm(costs.funding_pct))
    deals, curve = np.zeros((MOST_DEALS, 8), np.int64), np.zeros(len(ticks), np.int64)
    walked = b.run(rules, terms, past.time, ticks, signals, fresh, deals, curve)
    worst = worst_case(chosen, contract, exact(float(past.prices[0, 0])), exact(costs.balance))
    return _result(past, terms.start, walked, deals, curve, scale, float(worst.loss), b)


def _signals(settings: "GridSettings", past: Past, b: Any) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """At each candle's open: the signal of the newest closed longer candle, and whether it is the first since."""
    interval = INTERVAL_MS[settings.timeframe]
    found = b.signals_over(past.longer_time, past.longer_high, past.longer_low, past.longer_close, interval,
                           settings.sma_period, (settings.sar_af, settings.sar_max), settings.reverse_order,
                           settings.use_sma_sar, (settings.cci_period, settings.cci_min, settings.cci_max))
    place = np.searchsorted(past.longer_time + interval, past.time, side="right") - 1
    signals = np.where(place >= 0, found[np.maximum(place, 0)], 0).astype(np.int64)
    fresh = np.append(True, np.diff(place) != 0) & (place >= 0)
    age = past.time - past.longer_time[np.maximum(place, 0)] - interval
    return signals, fresh & (age <= interval // 10)


def _result(past: Past, start: int, walked: Any, deals: Ints, curve: Ints, scale: "Scale", worst: float,
            b: Any) -> Result:
    names = {1: "single", 2: "pair", 3: "day_target", 4: "day_loss", 5: "first", 6: "add",
             b.LIQUIDATED: "liquidated", b.STOP: "stop"}
    made = deals[:min(walked.deals, len(deals))]
    counts = {name: int((made[:, 1] == code).sum()) for code, name in names.items()}
    account = walked.account

    def usdt(units: int) -> float:
        return float(scale.usdt(int(units)))

    identity = (account.wallet == start + account.realised - account.fees + account.funding - account.lost
                and (walked.deals > len(deals) or account.fees == int(made[:, 6].sum())
                     and account.realised == int(made[made[:, 1] != b.LIQUIDATED, 5].sum())))
    return Result(past.symbol, usdt(start), usdt(account.wallet), usdt(curve[-1]), usdt(account.realised),
                  usdt(account.fees), usdt(account.funding), usdt(account.lost), usdt(walked.lowest),
                  usdt(walked.drawdown), counts,
                  {"lot_below_minimum": int(walked.below_minimum), "no_margin": int(walked.no_margin)},
                  int(walked.stops), counts["liquidated"] > 0, worst, int(walked.candles), float(past.prices[0, 0]),
                  float(past.prices[-1, 3]), made, np.asarray(curve * float(scale.money), np.float64),
                  past.prices[:, 3], scale, bool(identity))
