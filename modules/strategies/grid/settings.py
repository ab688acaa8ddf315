"""Settings of system E, the hedging grid (E1–E4, E6, E9): names and defaults of the seed's section 2.1."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Timeframe = Literal["1m", "5m", "15m", "30m", "1H", "4H", "1D"]
INTERVAL_MS: dict[str, int] = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1H": 3_600_000,
                               "4H": 14_400_000, "1D": 86_400_000}
# More orders on one side than anybody can want; a body asking for thousands is a mistake (or an attack).
MOST_ORDERS = 200


class Level(NamedTuple):
    """One of the four widths: distance in percent, orders in it, lot where lots are fixed."""

    percent: float
    orders: int
    lots: float


def _field(default: Any, env: str, text: str, **limits: Any) -> Any:
    """A setting under its name of the seed in the environment. Every float has to be a number."""
    search = limits.pop("search", None)
    extra = {"env": env, **({"search": search} if search else {})}
    if isinstance(default, float):
        limits["allow_inf_nan"] = False
    return Field(default, json_schema_extra=extra, description=text, **limits)


class GridSettings(BaseModel):
    """One grid: levels, lots, entry signals, profit targets, hours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trading_symbol: str = _field("BTCUSDT", "TRADING_SYMBOL", "Contract traded", pattern=r"^[A-Z0-9]{2,30}$")
    leverage: int = _field(10, "LEVERAGE", "Leverage of both sides", ge=1, le=150)
    tick_interval: float = _field(1.0, "TICK_INTERVAL", "Seconds between looks", ge=0.1, le=60)
    timeframe: Timeframe = _field("1H", "TIMEFRAME", "Candles of the entry signals")
    open_on_new_candle: bool = _field(True, "OPEN_ON_NEW_CANDLE", "First order of a side only as a candle begins")
    space_percent: float = _field(0.5, "SPACE_PERCENT", "Level 1: distance of orders, %", gt=0, lt=50,
                                  search=[0.2, 0.95, "log"])
    space_orders: int = _field(5, "SPACE_ORDERS", "Level 1: orders a side", ge=1, le=MOST_ORDERS)
    space_lots: float = _field(0.001, "SPACE_LOTS", "Level 1: lot where the multiplier is 0", gt=0)
    space1_percent: float = _field(1.0, "SPACE1_PERCENT", "Level 2: distance of orders, %", gt=0, lt=50)
    space1_orders: int = _field(5, "SPACE1_ORDERS", "Level 2: orders a side", ge=1, le=MOST_ORDERS)
    space1_lots: float = _field(0.002, "SPACE1_LOTS", "Level 2: lot where the multiplier is 0", gt=0)
    space2_percent: float = _field(2.0, "SPACE2_PERCENT", "Level 3: distance of orders, %", gt=0, lt=50)
    space2_orders: int = _field(5, "SPACE2_ORDERS", "Level 3: orders a side", ge=1, le=MOST_ORDERS)
    space2_lots: float = _field(0.003, "SPACE2_LOTS", "Level 3: lot where the multiplier is 0", gt=0)
    space3_percent: float = _field(3.0, "SPACE3_PERCENT", "Level 4: distance of orders, %", gt=0, lt=50)
    space3_orders: int = _field(5, "SPACE3_ORDERS", "Level 4: orders a side", ge=1, le=MOST_ORDERS)
    space3_lots: float = _field(0.004, "SPACE3_LOTS", "Level 4: lot where the multiplier is 0", gt=0)
    multiplier: float = _field(1.5, "MULTIPLIER", "Martingale: lot = base × this ^ count; 0 = fixed lots", ge=0, le=10,
                               search=[1.0, 2.0])
    base_lot: float = _field(0.001, "BASE_LOT", "First lot of the martingale; a lot is at most 10 times this", gt=0)
    min_lot: float = _field(0.001, "MIN_LOT", "Smallest lot", gt=0)
    max_lot: float = _field(50.0, "MAX_LOT", "Largest lot", gt=0)
    use_sma_sar: bool = _field(True, "USE_SMA_SAR", "Entries by LWMA and Parabolic SAR")
    sma_period: int = _field(7, "SMA_PERIOD", "Candles of the LWMA", ge=2, le=200)
    sar_af: float = _field(0.1, "SAR_AF", "Acceleration of the SAR", gt=0, le=1)
    sar_max: float = _field(0.8, "SAR_MAX", "Highest acceleration of the SAR", gt=0, le=1)
    reverse_order: bool = _field(False, "REVERSE_ORDER", "Turn the SMA/SAR signal round")
    cci_period: int = _field(0, "CCI_PERIOD", "Candles of the CCI; 0 = no CCI", ge=0, le=200)
    cci_max: float = _field(100.0, "CCI_MAX", "SELL when the CCI rises through this", ge=-1000, le=1000)
    cci_min: float = _field(-100.0, "CCI_MIN", "BUY when the CCI falls through this", ge=-1000, le=1000)
    single_order_profit: float = _field(3.0, "SINGLE_ORDER_PROFIT", "Close one position at this profit, %; 0 = never",
                                        ge=0, le=1000, search=[0.5, 10, "log"])
    pair_global_profit: float = _field(1.0, "PAIR_GLOBAL_PROFIT", "Close all at this combined profit, %; 0 = never",
                                       ge=0, le=1000, search=[0.2, 5, "log"])
    global_profit: float = _field(0.0, "GLOBAL_PROFIT", "Daily profit that closes all and stops, USDT; 0 = none", ge=0)
    max_loss: float = _field(0.0, "MAX_LOSS", "Daily loss that closes all and stops, USDT; 0 = none", ge=0)
    start_hour: int = _field(0, "START_HOUR", "Entries from this hour on (UTC)", ge=0, le=23)
    start_minute: int = _field(0, "START_MINUTE", "… and minute", ge=0, le=59)
    finish_hour: int = _field(23, "FINISH_HOUR", "Entries until this hour (UTC)", ge=0, le=23)
    finish_minute: int = _field(59, "FINISH_MINUTE", "… and the end of this minute", ge=0, le=59)
    # Beyond the seed
    paper_usdt: float = _field(20_000.0, "GRID_PAPER_USDT", "Balance of a paper account, USDT", gt=0)
    risk_limit_pct: float = _field(50.0, "GRID_RISK_LIMIT_PCT", "Worst loss that starts without acceptRisk, % of "
                                   "balance", gt=0, le=100)
    funding_days: float = _field(7.0, "GRID_FUNDING_DAYS", "Days of funding in the worst case", ge=0, le=365)
    funding_pct: float = _field(0.01, "GRID_FUNDING_PCT", "Funding of 8 hours assumed in the worst case, %", ge=0, le=3)
    stale_after_s: float = _field(5.0, "GRID_STALE_AFTER_S", "Oldest price that still opens an order, market s", gt=0)
    protect_pct: float = _field(3.0, "GRID_PROTECT_PCT", "Stop on the exchange this far beyond a side's last level, %; "
                                "0 = none", ge=0, lt=50)

    def levels(self) -> tuple[Level, Level, Level, Level]:
        """The four levels, nearest first."""
        return (Level(self.space_percent, self.space_orders, self.space_lots),
                Level(self.space1_percent, self.space1_orders, self.space1_lots),
                Level(self.space2_percent, self.space2_orders, self.space2_lots),
                Level(self.space3_percent, self.space3_orders, self.space3_lots))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """E6: every contradiction at once."""
        wrong = list(contradictions(self))
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


def contradictions(chosen: GridSettings) -> Iterator[str]:
    """What no single setting can tell, one sentence each with its mend."""
    levels = chosen.levels()
    for number, (nearer, wider) in enumerate(zip(levels, levels[1:], strict=False), start=1):
        if wider.percent <= nearer.percent:
            yield (f"space{number}_percent {wider.percent:g} must be greater than "
                   f"space{number - 1 or ''}_percent {nearer.percent:g}: each level is wider than the one before")
    total = sum(level.orders for level in levels)
    if total > MOST_ORDERS:
        yield f"{total} orders a side are too many: at most {MOST_ORDERS} in all four levels"
    if chosen.min_lot > chosen.max_lot:
        yield f"min_lot {chosen.min_lot:g} is above max_lot {chosen.max_lot:g}"
    if 0 < chosen.multiplier < 1:
        yield f"multiplier {chosen.multiplier:g} would make lots shrink: give 1 or more, or 0 for fixed lots"
    for name, lots in (("base_lot", chosen.base_lot),) if chosen.multiplier else (
            (f"space{number or ''}_lots", level.lots) for number, level in enumerate(levels)):
        if not chosen.min_lot <= lots <= chosen.max_lot:
            yield f"{name} {lots:g} is not between min_lot {chosen.min_lot:g} and max_lot {chosen.max_lot:g}"
    if not chosen.use_sma_sar and not chosen.cci_period:
        yield "use_sma_sar is off and cci_period is 0: nothing could ever open an order; switch one of them on"
    if chosen.cci_period == 1:
        yield "cci_period 1 has no deviation: give 2 or more, or 0 for no CCI"
    if chosen.sar_max < chosen.sar_af:
        yield f"sar_max {chosen.sar_max:g} is below sar_af {chosen.sar_af:g}"
    if chosen.cci_min >= chosen.cci_max:
        yield f"cci_min {chosen.cci_min:g} must be below cci_max {chosen.cci_max:g}"
    if not (chosen.single_order_profit or chosen.pair_global_profit or chosen.global_profit):
        yield "single_order_profit, pair_global_profit and global_profit are all 0: nothing could ever take a profit"
