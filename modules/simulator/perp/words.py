"""The words of the perpetual-futures venue: sides, kinds, states, and every reason to refuse."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    """Of an order or a taker."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 buys, −1 sells."""
        return 1 if self is Side.BUY else -1


class Leg(StrEnum):
    """Which position an order belongs to: BOTH in one-way mode, LONG or SHORT in hedge mode."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class Kind(StrEnum):
    """Order types; the last five only as algo (conditional) orders."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class Tif(StrEnum):
    """Time in force; GTX is post-only."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"


class Status(StrEnum):
    """Life of an order."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"  # IOC, FOK remainders, GTX and reduce-only that could not stand, GTD
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"  # self-trade prevention

    @property
    def final(self) -> bool:
        """No change follows."""
        return self not in (Status.NEW, Status.PARTIALLY_FILLED)


class AlgoStatus(StrEnum):
    """Life of a conditional order."""

    NEW = "NEW"
    CANCELED = "CANCELED"
    TRIGGERED = "TRIGGERED"  # its order was placed
    FINISHED = "FINISHED"  # its order is final
    REJECTED = "REJECTED"  # triggered, and the order was refused
    EXPIRED = "EXPIRED"


class Execution(StrEnum):
    """Why an order update was told."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    AMENDMENT = "AMENDMENT"
    CALCULATED = "CALCULATED"  # liquidation


class Working(StrEnum):
    """Price that triggers a conditional order."""

    CONTRACT_PRICE = "CONTRACT_PRICE"  # last trade
    MARK_PRICE = "MARK_PRICE"


class IncomeKind(StrEnum):
    """Why the wallet changed. wallet = Σ of an account's income, exactly."""

    TRANSFER = "TRANSFER"
    REALIZED_PNL = "REALIZED_PNL"
    FUNDING_FEE = "FUNDING_FEE"
    COMMISSION = "COMMISSION"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"  # liquidation fee (−) or the fund's cover of a bankruptcy (+)


class Cause(StrEnum):
    """Why an account update was told."""

    ORDER = "ORDER"
    FUNDING_FEE = "FUNDING_FEE"
    DEPOSIT = "DEPOSIT"
    WITHDRAW = "WITHDRAW"
    MARGIN_TRANSFER = "MARGIN_TRANSFER"
    MARGIN_TYPE_CHANGE = "MARGIN_TYPE_CHANGE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"


class Why(StrEnum):
    """Why the venue refuses. Beside each: the code that Binance USD-M answers with."""

    UNKNOWN_SYMBOL = "unknown symbol"  # -1121
    SYMBOL_CLOSED = "symbol is not open for trading"  # -4108 / -4140
    BAD_PRECISION = "precision is over the maximum"  # -1111
    PRICE_OFF_TICK = "price is not a multiple of the tick"  # -4014
    QTY_OFF_STEP = "quantity is not a multiple of the step"  # -4023
    PRICE_TOO_LOW = "price below the minimum"  # -4013
    PRICE_TOO_HIGH = "price above the maximum"  # -4002
    QTY_TOO_SMALL = "quantity below the minimum"  # -4003
    QTY_TOO_LARGE = "quantity above the maximum"  # -4005
    MIN_NOTIONAL = "notional below the minimum"  # -4164
    PRICE_ABOVE_BAND = "limit price above the allowed band"  # -4016
    PRICE_BELOW_BAND = "limit price below the allowed band"  # -4024
    NO_COUNTERPARTY = "market order finds no price within the band"  # -4131
    INSUFFICIENT_MARGIN = "margin is insufficient"  # -2019
    REDUCE_ONLY = "reduce-only order would not reduce"  # -2022
    POST_ONLY = "post-only order would take"  # -5022
    FOK = "fill-or-kill order cannot be filled"  # -5021
    WOULD_TRIGGER = "order would immediately trigger"  # -2021
    ALGO_PATH = "conditional orders go to the algo endpoint"  # -4120
    DUPLICATE_CLIENT_ID = "client id is duplicated among open orders"  # -4116 (orders), -4111 (algo)
    ORDER_NOT_FOUND = "order does not exist"  # -2013
    CANCEL_REJECTED = "unknown order sent"  # -2011
    NO_CHANGE_NEEDED = "no need to modify the order"  # -5027
    MAX_ORDERS = "too many open orders"  # -2025
    MAX_ALGO_ORDERS = "too many open conditional orders"  # -4045
    LEG_MISMATCH = "position side does not match the account's setting"  # -4061
    SAME_MODE = "no need to change position side"  # -4059
    MODE_OPEN_ORDERS = "position side cannot be changed with open orders"  # -4067
    MODE_OPEN_POSITIONS = "position side cannot be changed with open positions"  # -4068
    SAME_MARGIN_TYPE = "no need to change margin type"  # -4046
    MARGIN_TYPE_OPEN_ORDERS = "margin type cannot be changed with open orders"  # -4047
    MARGIN_TYPE_OPEN_POSITION = "margin type cannot be changed with an open position"  # -4048
    BAD_LEVERAGE = "leverage is not valid"  # -4028
    LEVERAGE_CAP = "position would exceed the maximum at this leverage"  # -2027
    LEVERAGE_TOO_SMALL = "leverage is smaller than the position permits"  # -2028
    LEVERAGE_REDUCTION = "leverage cannot be reduced in isolated margin with a position"  # -4161
    NOT_ISOLATED = "margin can be moved for isolated positions only"  # -4046-like: -4054
    NO_POSITION = "no such position"  # -4055-like: -4054
    MARGIN_NOT_THERE = "isolated balance insufficient"  # -4051
    BAD_AMOUNT = "amount must be positive"  # -4055
    CLOSE_POSITION_EXISTS = "an open stop or take profit with close position exists in this direction"  # -4130
    BAD_CALLBACK = "callback rate out of range"  # -2007
    ACTIVATION_PRICE = "activation price not allowed"  # -4135
    BAD_COMBINATION = "parameters do not go together"  # -1106
    ACCOUNT_CLOSED = "account in liquidation"  # -2023


class Refused(Exception):
    """The venue refuses; nothing was changed."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why.value}: {detail}" if detail else why.value)
        self.why = why
        self.detail = detail
