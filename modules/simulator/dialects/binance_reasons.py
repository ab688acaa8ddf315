"""Which of Binance USD-M's codes stands for which refusal of the venue."""

from __future__ import annotations

from modules.simulator.dialects.binance_errors import WORDS, Declined
from modules.simulator.perp.api import Refused, Why

CODES: dict[Why, int] = {
    Why.UNKNOWN_SYMBOL: -1121,
    Why.SYMBOL_CLOSED: -4140,
    Why.BAD_PRECISION: -1111,
    Why.PRICE_OFF_TICK: -4014,
    Why.QTY_OFF_STEP: -4023,
    Why.PRICE_TOO_LOW: -4013,
    Why.PRICE_TOO_HIGH: -4002,
    Why.QTY_TOO_SMALL: -4003,
    Why.QTY_TOO_LARGE: -4005,
    Why.MIN_NOTIONAL: -4164,
    Why.PRICE_ABOVE_BAND: -4016,
    Why.PRICE_BELOW_BAND: -4024,
    Why.NO_COUNTERPARTY: -4131,
    Why.INSUFFICIENT_MARGIN: -2019,
    Why.REDUCE_ONLY: -2022,
    Why.POST_ONLY: -5022,
    Why.FOK: -5021,
    Why.WOULD_TRIGGER: -2021,
    Why.ALGO_PATH: -4120,
    Why.DUPLICATE_CLIENT_ID: -4116,
    Why.ORDER_NOT_FOUND: -2013,
    Why.CANCEL_REJECTED: -2011,
    Why.NO_CHANGE_NEEDED: -5027,
    Why.MAX_ORDERS: -2025,
    Why.MAX_ALGO_ORDERS: -4045,
    Why.LEG_MISMATCH: -4061,
    Why.SAME_MODE: -4059,
    Why.MODE_OPEN_ORDERS: -4067,
    Why.MODE_OPEN_POSITIONS: -4068,
    Why.SAME_MARGIN_TYPE: -4046,
    Why.MARGIN_TYPE_OPEN_ORDERS: -4047,
    Why.MARGIN_TYPE_OPEN_POSITION: -4048,
    Why.BAD_LEVERAGE: -4028,
    Why.LEVERAGE_CAP: -2027,
    Why.LEVERAGE_TOO_SMALL: -2028,
    Why.LEVERAGE_REDUCTION: -4161,
    Why.NOT_ISOLATED: -4049,
    Why.NO_POSITION: -4054,
    Why.MARGIN_NOT_THERE: -4051,
    Why.BAD_AMOUNT: -4055,
    Why.CLOSE_POSITION_EXISTS: -4130,
    Why.BAD_CALLBACK: -2007,
    Why.ACTIVATION_PRICE: -4135,
    Why.BAD_COMBINATION: -1128,
    Why.ACCOUNT_CLOSED: -2023,
}


def as_declined(refused: Refused) -> Declined:
    """A refusal of the venue in Binance's words."""
    code = CODES[refused.why]
    detail = refused.detail.rpartition("< ")[2]  # "4.2 < 5": the minimum
    return Declined(code, WORDS[code].replace("{}", detail))
