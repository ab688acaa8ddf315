"""Bitget's numbers and words for refusals (its published list of error codes), and which stands for which of ours."""

from __future__ import annotations

from modules.simulator.dialects.declined import Declined
from modules.simulator.perp.api import Refused, Why

#: code → words; {} is filled with a detail. The list's HTTP status is 400 for all but a few.
WORDS: dict[str, str] = {
    "22002": "No position to close",
    "40001": "ACCESS_KEY cannot be empty",
    "40003": "Signature cannot be empty",
    "40005": "Invalid ACCESS_TIMESTAMP",
    "40008": "Request timestamp expired",
    "40009": "sign signature error",
    "40011": "ACCESS_PASSPHRASE cannot be empty",
    "40012": "apikey/password is incorrect",
    "40015": "System is abnormal, please try again later",
    "40019": "Parameter {} cannot be empty",
    "40020": "Parameter {} error",
    "40034": "Parameter {} does not exist",
    "40037": "Apikey does not exist",
    "40099": "exchange environment is incorrect",
    "400172": "Parameter verification failed {}",
    "40109": "The data of the order cannot be found, please confirm the order number",
    "40305": "clientOid or clientOrderId length cannot greater than 64, and cannot be Martian characters",
    "40306": "Batch processing orders can only process up to {}",
    "40309": "The contract has been removed",
    "40404": "Request URL NOT FOUND",
    "40705": "The start and end time cannot exceed 90 days",
    "40707": "Start time is greater than end time",
    "40754": "balance not enough",
    "40755": "Not enough open positions are available.",
    "40762": "The order amount exceeds the balance",
    "40768": "Order does not exist",
    "40774": "The order type for unilateral position must also be the unilateral position type.",
    "40778": "Coin pair {} does not support {} currency as margin",
    "40786": "Duplicate clientOid",
    "40797": "Exceeded the maximum settable leverage",
    "40802": "Position is zero and direct margin call is not allowed",
    "40805": "Unsupported operation: {}",
    "40808": "Parameter verification exception {}",
    "40815": "The order price is higher than the highest bid price",
    "40816": "The order price is lower than the lowest selling price",
    "40825": "Contract opponent depth does not exist",
    "40830": "The take profit price of the long position should be greater than the current price",
    "40832": "The take profit price of short positions should be less than the current price",
    "40834": "The stop loss price of the long position should be less than the current price",
    "40836": "The stop loss price of the short position should be greater than the current price",
    "40875": "Whole position mode does not support margin adjustment",
    "40889": "The plan order of this contract has reached the upper limit",
    "40891": "Insufficient position, can not set take profit or stop loss",
    "40893": "Unable to update the leverage factor of this position, there is not enough margin!",
    "40920": "Position or order exists, the position mode cannot be switched",
    "40921": "The order size cannot exceed the maximum size of the positionLevel",
    "40923": "Order size and price have not changed",
    "40924": "orderId and clientOid must have one",
    "40925": "price or size must be passed in together",
    "41114": "The current trading pair is under maintenance, please refer to the official announcement for the "
             "opening time",
    "43005": "Exceed the maximum number of orders",
    "43011": "The parameter does not meet the specification {}",
    "43020": "Stop profit and stop loss order does not exist",
    "43025": "Plan order does not exist",
    "43030": "Take profit order already existed",
    "43031": "Stop loss order already existed",
    "43034": "The trigger price should be ≤ the current market price",
    "43035": "The trigger price should be ≥ the current market price",
    "45009": "The account is at risk and cannot perform trades temporarily",
    "45110": "less than the minimum amount {} USDT",
    "45111": "less than the minimum order quantity",
    "45112": "more than the maximum order quantity",
    "45115": "The price you enter should be a multiple of {}",
    "45117": "Currently holding positions or orders, the margin mode cannot be adjusted",
    "429": "Too Many Requests",
}

CODES: dict[Why, str] = {
    Why.UNKNOWN_SYMBOL: "40034",
    Why.SYMBOL_CLOSED: "41114",
    Why.BAD_PRECISION: "40808",
    Why.PRICE_OFF_TICK: "45115",
    Why.QTY_OFF_STEP: "40808",
    Why.PRICE_TOO_LOW: "40816",
    Why.PRICE_TOO_HIGH: "40815",
    Why.QTY_TOO_SMALL: "45111",
    Why.QTY_TOO_LARGE: "45112",
    Why.MIN_NOTIONAL: "45110",
    Why.PRICE_ABOVE_BAND: "40815",
    Why.PRICE_BELOW_BAND: "40816",
    Why.NO_COUNTERPARTY: "40825",
    Why.INSUFFICIENT_MARGIN: "40762",
    Why.REDUCE_ONLY: "22002",
    Why.POST_ONLY: "40808",
    Why.FOK: "40808",
    Why.WOULD_TRIGGER: "43011",
    Why.ALGO_PATH: "400172",
    Why.DUPLICATE_CLIENT_ID: "40786",
    Why.ORDER_NOT_FOUND: "40768",
    Why.CANCEL_REJECTED: "40768",
    Why.NO_CHANGE_NEEDED: "40923",
    Why.MAX_ORDERS: "43005",
    Why.MAX_ALGO_ORDERS: "40889",
    Why.LEG_MISMATCH: "40774",
    Why.SAME_MODE: "40920",
    Why.MODE_OPEN_ORDERS: "40920",
    Why.MODE_OPEN_POSITIONS: "40920",
    Why.SAME_MARGIN_TYPE: "45117",
    Why.MARGIN_TYPE_OPEN_ORDERS: "45117",
    Why.MARGIN_TYPE_OPEN_POSITION: "45117",
    Why.BAD_LEVERAGE: "40797",
    Why.LEVERAGE_CAP: "40921",
    Why.LEVERAGE_TOO_SMALL: "40893",
    Why.LEVERAGE_REDUCTION: "40893",
    Why.NOT_ISOLATED: "40875",
    Why.NO_POSITION: "40802",
    Why.MARGIN_NOT_THERE: "40754",
    Why.BAD_AMOUNT: "43011",
    Why.CLOSE_POSITION_EXISTS: "40889",
    Why.BAD_CALLBACK: "43011",
    Why.ACTIVATION_PRICE: "43011",
    Why.BAD_COMBINATION: "400172",
    Why.ACCOUNT_CLOSED: "45009",
}


def declined(code: str, *details: object, status: int = 400) -> Declined:
    """A refusal by its code; `details` fill the words' gaps."""
    words = WORDS[code]
    for detail in details:
        words = words.replace("{}", str(detail), 1)
    return Declined(code, words.replace("{}", "").strip(), status)


def as_declined(refused: Refused) -> Declined:
    """A refusal of the venue in Bitget's words."""
    detail = refused.detail
    if refused.why in (Why.MIN_NOTIONAL, Why.PRICE_OFF_TICK):  # "4.2 < 5", "… is no multiple of 0.1"
        detail = detail.split(" ")[-1]
    return declined(CODES[refused.why], detail)
