"""What to do about a refusal, by the venue's own code (MEXC spot; the paper account answers with the same codes)."""

from enum import StrEnum

from modules.exchange import bybit_codes


class Cure(StrEnum):
    """What a refused exit needs next."""

    LIMIT_ORDER = "limit order"
    CHECK_BALANCE = "check balance"
    TOO_SMALL = "too small"
    CHECK_MARKET = "check market"
    RETRY = "retry"


_CURES: dict[str, Cure] = {
    "30051": Cure.LIMIT_ORDER,  # market orders are not possible on this pair (X27)
    "30041": Cure.LIMIT_ORDER,
    "30004": Cure.CHECK_BALANCE,
    "30005": Cure.CHECK_BALANCE,
    "10101": Cure.CHECK_BALANCE,
    "30002": Cure.TOO_SMALL,
    "10102": Cure.TOO_SMALL,
    "-1121": Cure.CHECK_MARKET,
    "10007": Cure.CHECK_MARKET,
    "30000": Cure.CHECK_MARKET,
    "30001": Cure.CHECK_MARKET,
    "30014": Cure.CHECK_MARKET,
    "30016": Cure.CHECK_MARKET,
    "30020": Cure.CHECK_MARKET,
    "30021": Cure.CHECK_MARKET,
    "30028": Cure.CHECK_MARKET,
    "70011": Cure.CHECK_MARKET,
    "730001": Cure.CHECK_MARKET,
}
# The id is in use: an order of ours stands there although we believe that none was sent. Asked, never sent again.
ID_IN_USE = frozenset({"30026"}) | bybit_codes.ID_IN_USE


def cure(code: str) -> Cure:
    """What a refused exit needs; anything unlisted is tried again."""
    return _CURES.get(code, Cure.RETRY)
