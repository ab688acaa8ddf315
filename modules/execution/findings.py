"""What reconciliation may find, as types with reason codes; the sentences for people are made here and nowhere else."""

from decimal import Decimal
from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Why ledger and venue disagree, or why nobody can tell."""

    OWN_FILL_MISSING = "own_fill_missing"
    FILL_CONFLICT = "fill_conflict"
    MANUAL_BUY = "manual_buy"
    MANUAL_SALE = "manual_sale"
    TRANSFER_IN = "transfer_in"
    TRANSFER_OUT = "transfer_out"
    CASH_BY_HAND = "cash_by_hand"
    UNKNOWN_ORDER = "unknown_order"
    SECOND_WRITER = "second_writer"
    ORDER_MISSING = "order_missing"
    ORDER_STILL_OPEN = "order_still_open"
    ANSWER_MISSING = "answer_missing"
    ANSWER_EMPTY = "answer_empty"
    ANSWER_INVALID = "answer_invalid"


class ChangeKind(StrEnum):
    """What would be changed in our files; at the venue nothing is ever changed by reconciliation."""

    COUNT_FILLS = "count_fills"
    LOOK_UP_ORDER = "look_up_order"
    NOTE_EXTERNAL = "note_external"
    REDUCE_POSITION = "reduce_position"
    NONE = "none"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed change. `automatic` only where our own intents and fills prove it; the rest a person confirms.

    `quantity` is the coins that would be noted as not ours (NOTE_EXTERNAL: the new total) or be taken off the positions
    (REDUCE_POSITION). `ids` names the fills to count, or the order to look up.
    """

    kind: ChangeKind
    asset: str = ""
    symbol: str = ""
    quantity: Decimal = Decimal(0)
    ids: tuple[str, ...] = ()
    automatic: bool = False


NOTHING = Change(kind=ChangeKind.NONE)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One disagreement. `key` is stable over passes; `confirmed` after two sightings (X13).

    `ours` and `venue` are quantities where it is about quantities. `stops_entries`: X14, or what we hold is uncertain.
    """

    code: Code
    key: str
    subject: str
    confirmed: bool
    stops_entries: bool = False
    ours: Decimal | None = None
    venue: Decimal | None = None
    detail: str = ""
    change: Change = NOTHING

    @property
    def difference(self) -> Decimal | None:
        """How much more the venue has; None where it is not about quantities."""
        return None if self.ours is None or self.venue is None else self.venue - self.ours

    def sentence(self) -> str:
        """What happened, for a person."""
        gap = self.difference
        return _WHAT[self.code].format(subject=self.subject, detail=self.detail,
                                       amount=plain(abs(gap)) if gap is not None else "")

    def todo(self) -> str:
        """What that person can do."""
        return _TODO[self.code].format(subject=self.subject)


def plain(value: Decimal) -> str:
    """A quantity as people write it: no exponent, no trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


_WHAT: dict[Code, str] = {
    Code.OWN_FILL_MISSING: "{subject}: the exchange executed our order and our books did not have it yet ({detail})",
    Code.FILL_CONFLICT: "{subject}: the exchange tells a trade differently than before ({detail})",
    Code.MANUAL_BUY: "{subject}: {amount} more on the exchange; somebody bought by hand or with another program",
    Code.MANUAL_SALE: "{subject}: {amount} less on the exchange; somebody sold by hand or with another program",
    Code.TRANSFER_IN: "{subject}: {amount} more on the exchange without a trade; probably a deposit",
    Code.TRANSFER_OUT: "{subject}: {amount} less on the exchange without a trade; probably a withdrawal",
    Code.CASH_BY_HAND: "{subject}: {amount} of cash moved by trades made by hand or with another program",
    Code.UNKNOWN_ORDER: "{subject}: an order that is not ours is open on the exchange ({detail})",
    Code.SECOND_WRITER: "{subject}: an order with our mark that we did not send ({detail}); "
                        "a second copy of this program uses the same account",
    Code.ORDER_MISSING: "{subject}: our order is not among the open ones; it is asked for by its id ({detail})",
    Code.ORDER_STILL_OPEN: "{subject}: an order that we believed finished is open on the exchange ({detail})",
    Code.ANSWER_MISSING: "{subject}: the exchange did not answer ({detail}); nothing is concluded from that",
    Code.ANSWER_EMPTY: "{subject}: the exchange's answer is empty although we hold coins; it is not believed",
    Code.ANSWER_INVALID: "{subject}: the exchange's answer cannot be right ({detail}); it is not used",
}

_TODO: dict[Code, str] = {
    Code.OWN_FILL_MISSING: "Nothing: it is being booked",
    Code.FILL_CONFLICT: "Compare the trade on the exchange's page; our first record stands",
    Code.MANUAL_BUY: "If you did this, nothing: these coins stay yours and are not touched. See /reconcile",
    Code.MANUAL_SALE: "/resync shows what would change in our books, then does it",
    Code.TRANSFER_IN: "If you did this, nothing: these coins stay yours and are not touched. See /reconcile",
    Code.TRANSFER_OUT: "/resync shows what would change in our books, then does it",
    Code.CASH_BY_HAND: "If you did this, nothing. See /reconcile",
    Code.UNKNOWN_ORDER: "If it is yours, nothing: it is never touched",
    Code.SECOND_WRITER: "Stop the other copy. New entries are stopped until then; positions are guarded",
    Code.ORDER_MISSING: "Nothing: the result is asked for",
    Code.ORDER_STILL_OPEN: "Nothing: its state is read again",
    Code.ANSWER_MISSING: "Nothing, if it passes; otherwise see /status",
    Code.ANSWER_EMPTY: "Nothing, if it passes; otherwise look at the account on the exchange",
    Code.ANSWER_INVALID: "Nothing, if it passes; otherwise report it with the log",
}
