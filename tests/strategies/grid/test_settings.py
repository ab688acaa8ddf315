"""Settings of the grid and a user's customSettings: every error listed (E6)."""

import pytest
from pydantic import ValidationError

from config.settings import Settings
from config.sources import names
from modules.strategies.grid.custom import NAMES, WrongSettings, customised
from modules.strategies.grid.settings import GridSettings

NAMED = """TRADING_SYMBOL LEVERAGE TICK_INTERVAL TIMEFRAME OPEN_ON_NEW_CANDLE SPACE_PERCENT SPACE_ORDERS SPACE_LOTS
SPACE1_PERCENT SPACE1_ORDERS SPACE1_LOTS SPACE2_PERCENT SPACE2_ORDERS SPACE2_LOTS SPACE3_PERCENT SPACE3_ORDERS
SPACE3_LOTS MULTIPLIER BASE_LOT MIN_LOT MAX_LOT USE_SMA_SAR SMA_PERIOD SAR_AF SAR_MAX REVERSE_ORDER CCI_PERIOD CCI_MAX
CCI_MIN SINGLE_ORDER_PROFIT PAIR_GLOBAL_PROFIT GLOBAL_PROFIT MAX_LOSS START_HOUR START_MINUTE FINISH_HOUR
FINISH_MINUTE"""


def test_every_name_of_the_seed_is_a_setting_and_a_custom_one() -> None:
    known = names(Settings)
    for name in NAMED.split():
        assert known[name] == ("grid", name.lower())
        assert name.lower() in NAMES.values()


@pytest.mark.parametrize(("changes", "said"), [
    ({"space1_percent": 0.3}, "space1_percent 0.3 must be greater than space_percent 0.5"),
    ({"space3_percent": 2.0}, "space3_percent 2 must be greater than space2_percent 2"),
    ({"min_lot": 60.0}, "min_lot 60 is above max_lot 50"),
    ({"multiplier": 0.5}, "would make lots shrink"),
    ({"base_lot": 0.0005}, "base_lot 0.0005 is not between"),
    ({"multiplier": 0, "space2_lots": 0.0001}, "space2_lots 0.0001 is not between"),
    ({"use_sma_sar": False}, "nothing could ever open an order"),
    ({"sar_max": 0.05}, "sar_max 0.05 is below sar_af 0.1"),
    ({"cci_min": 100.0}, "cci_min 100 must be below"),
    ({"space_orders": 150, "space1_orders": 100}, "are too many"),
    ({"single_order_profit": 0, "pair_global_profit": 0}, "ever take a profit"),
    ({"cci_period": 1}, "has no deviation"),
])
def test_contradictions_are_told(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("(", r"\(")):
        GridSettings(**changes)


@pytest.mark.parametrize("changes", [
    {"space_percent": 0}, {"space_orders": 0}, {"space1_orders": -1}, {"base_lot": 0}, {"space_lots": -1},
    {"leverage": 0}, {"leverage": 1000}, {"base_lot": float("nan")}, {"max_loss": float("inf")}, {"max_loss": -1},
    {"timeframe": "7m"}, {"trading_symbol": "../x"}, {"start_hour": 24}, {"finish_minute": 60}, {"nothing": 1},
])
def test_values_that_cannot_be_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GridSettings(**changes)


def test_custom_settings_change_what_they_name() -> None:
    found = customised(GridSettings(), {"multiplier": 2, "spacePercent": 0.4, "useSmaEntry": False, "cciPeriod": 20,
                                        "globalProfit": "100", "tradingPair": "ETHUSDT", "space3Lots": 0.01})
    assert (found.multiplier, found.space_percent, found.use_sma_sar, found.cci_period, found.global_profit,
            found.trading_symbol, found.space3_lots) == (2, 0.4, False, 20, 100, "ETHUSDT", 0.01)


def test_every_error_of_custom_settings_is_listed() -> None:
    with pytest.raises(WrongSettings) as caught:
        customised(GridSettings(), {
            "spacePercent": 3, "multiplier": 0.5, "foo": 1, "leverage": 999, "maxLoss": float("nan"), "useSmaSar": "x",
            "cciPeriod": True, "space1Percent": "a", "useSmaEntry": True, "paperUsdt": 5})
    said = "\n".join(caught.value.problems)
    for name in ("foo", "leverage", "maxLoss", "useSmaSar", "cciPeriod", "space1Percent", "multiplier", "paperUsdt",
                 "space1_percent 1 must be greater than space_percent 3"):
        assert name in said
    assert len(caught.value.problems) == 9


def test_names_of_any_length_are_cut() -> None:
    with pytest.raises(WrongSettings) as caught:
        customised(GridSettings(), {"x" * 10_000: 1})
    assert len(caught.value.problems[0]) < 200
