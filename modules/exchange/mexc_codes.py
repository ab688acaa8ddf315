"""What each of MEXC's codes means for an order, by MEXC's own code (WIRE trap 5; never by ccxt's exception class).

1. REFUSED: the venue said no, nothing happened.
2. ABSENT: the venue says that it has no such order; for an order that is sent, or cancelled, that is a refusal.
3. CLOCK: refused for its time stamp; the clock must be set anew before anything else is signed (X32).
4. LIMITED: refused for too many requests; nothing happened.
5. UNKNOWN: the venue itself failed; nobody knows whether the order stands (X4).

A code that is not in this table is UNKNOWN too (X3): asking once more is cheap, ordering twice is not.
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a code says of the request that it answers."""

    REFUSED = "refused"
    ABSENT = "absent"
    CLOCK = "clock"
    LIMITED = "limited"
    UNKNOWN = "unknown"


REFUSED: dict[str, str] = {
    "-1121": "the exchange does not know this symbol",
    "-1128": "the order's parameters do not fit together",
    "-2010": "the order was rejected",
    "26": "the operation is not allowed",
    "400": "the request is incomplete or the key is missing",
    "401": "the key has no authority",
    "402": "the key has expired",
    "403": "access denied",
    "404": "the exchange has no such endpoint",
    "406": "this machine's address is not on the key's list",
    "511": "the key may not use this endpoint",
    "513": "the request is invalid",
    "600": "a parameter is wrong",
    "601": "a parameter cannot be read",
    "602": "the signature is wrong",
    "604": "the feature is closed for maintenance",
    "701": "the key may not read the account",
    "702": "the key may not write to the account",
    "703": "the key may not read trades",
    "704": "the key may not trade",
    "801": "the exchange is closed for maintenance",
    "1000": "the account does not exist",
    "10001": "the account does not exist",
    "10007": "the symbol is unknown or closed to API orders",
    "10015": "the account's id is missing",
    "10072": "the key is unknown: check EXCHANGE_API_KEY",
    "10073": "the request's time is invalid",
    "10095": "the quantity is missing",
    "10096": "the quantity has too many decimals",
    "10097": "the quantity is wrong",
    "10098": "the exchange's risk control stopped the order",
    "10101": "not enough funds",
    "10102": "the quantity must be above zero",
    "20001": "the exchange does not support this",
    "30000": "trading of this pair is suspended",
    "30001": "this side is not allowed on this pair now",
    "30002": "the order is under the pair's minimum",
    "30003": "the order is over the pair's maximum",
    "30004": "not enough funds to buy",
    "30005": "not enough of the coin to sell",
    "30010": "the price is not valid",
    "30014": "the symbol is not valid",
    "30016": "trading of this pair is halted",
    "30018": "the account may not place orders now",
    "30019": "the order's parameters are wrong",
    "30020": "the account has no permission for this pair",
    "30021": "the symbol is not valid",
    "30025": "nobody stands on the other side of the book",
    "30026": "the order id is not valid or in use",
    "30027": "the coin's position limit is reached, buying is suspended",
    "30028": "risk control suspended selling of this coin",
    "30029": "too many open orders",
    "30032": "the position would be too large",
    "30041": "this type of order is not possible on this pair",
    "30051": "market orders are not possible on this pair",
    "30087": "the price is outside the allowed range",
    "33333": "a parameter is wrong",
    "44444": "a parameter is wrong",
    "60005": "the account is abnormal",
    "70011": "the account may not trade this pair through the API",
    "700001": "the key's format is wrong or it has expired",
    "700002": "the signature is wrong: check EXCHANGE_API_SECRET",
    "700004": "a required parameter is missing",
    "700006": "this machine's address is not on the key's list",
    "700007": "the key has no permission for this",
    "700008": "a parameter has illegal characters",
    "700013": "the content type is wrong",
    "730001": "the pair does not exist",
    "730002": "a parameter is wrong",
    "730100": "the account's state is unusual",
    "730706": "the key does not exist",
    "140001": "the sub-account does not exist",
    "140002": "the sub-account is closed",
}
ABSENT: dict[str, str] = {
    "-2011": "the exchange does not know such an order, or it has ended",
    "-2013": "the exchange does not know such an order",
    "22222": "the exchange has no such record",
}
CLOCK: dict[str, str] = {
    "-1021": "the request's time is outside of the window",
    "700003": "the request's time is outside of the window",
    "700005": "the request's window is too long",
}
LIMITED: dict[str, str] = {
    "429": "too many requests",
    "418": "too many requests; this address is blocked for a while",
    "-1003": "too many requests",
    "510": "too many requests",
}
UNKNOWN: dict[str, str] = {
    "-1": "the exchange failed inside",
    "500": "the exchange failed inside",
    "501": "the exchange is busy",
    "503": "the exchange is not available",
    "504": "the exchange did not answer in time",
    "603": "the request was repeated",
    "20002": "the exchange failed inside",
    "10219": "the exchange failed inside",
    "730000": "the exchange failed inside",
}

_ALL: dict[str, tuple[Kind, str]] = {
    code: (kind, text)
    for kind, table in (
        (Kind.REFUSED, REFUSED),
        (Kind.ABSENT, ABSENT),
        (Kind.CLOCK, CLOCK),
        (Kind.LIMITED, LIMITED),
        (Kind.UNKNOWN, UNKNOWN),
    )
    for code, text in table.items()
}


def kind_of(code: str) -> Kind:
    """What `code` means; UNKNOWN for a code that nobody listed (X3)."""
    return _ALL[code][0] if code in _ALL else Kind.UNKNOWN


def meaning(code: str) -> str:
    """The code in plain words; empty for a code that nobody listed."""
    return _ALL[code][1] if code in _ALL else ""
