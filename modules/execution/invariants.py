"""What must hold on every pass (X20), with figures and the moment it last held; the content of /reconcile.

1. ``quantity``: ours and the venue's differ by less than one step.
2. ``average``: our average-cost fold and the venue's average differ by at most 0.01 % (where a venue tells one).
3. ``equity``: realised + unrealised − fees + funding equals the change of equity, within a tolerance.
4. ``remainder``: no order that ended as filled has a remainder of one step or more.
5. ``protected``: every position was looked at by its guard within the time allowed, or is explicitly exempt.
A check whose answer is absent is ``ok=None``: neither kept nor broken (X15).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from modules.exchange.types import OrderState, OrderStatus
from modules.execution.findings import Finding, plain

AVERAGE_TOLERANCE_PCT = Decimal("0.01")


class Rule(StrEnum):
    QUANTITY = "quantity"
    AVERAGE = "average"
    EQUITY = "equity"
    REMAINDER = "remainder"
    PROTECTED = "protected"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant for one subject. `value` is the deviation in its own unit (see the rules), `held_ms` when it last
    held by market time; 0 if it never did.
    """

    rule: Rule
    subject: str
    value: Decimal | None
    tolerance: Decimal
    ok: bool | None
    held_ms: int = 0
    note: str = ""


class Guarded(msgspec.Struct, frozen=True, kw_only=True):
    """One position: when its guard last looked at it with a fresh price; `exempt` says why it needs none."""

    symbol: str
    looked_ms: int
    exempt: str = ""


def quantity(asset: str, ours: Decimal, venue: Decimal | None, step: Decimal) -> Check:
    """Rule 1; in base."""
    gap = None if venue is None else abs(ours - venue)
    return Check(rule=Rule.QUANTITY, subject=asset, value=gap, tolerance=step, ok=None if gap is None else gap < step)


def average(symbol: str, ours: Decimal | None, venue: Decimal | None) -> Check:
    """Rule 2; in percent of the venue's average. Nothing held on both sides is agreement."""
    if ours is None and venue is None:
        gap: Decimal | None = Decimal(0)
    elif ours is None or not venue:
        gap = None
    else:
        gap = abs(ours - venue) / abs(venue) * 100
    return Check(rule=Rule.AVERAGE, subject=symbol, value=gap, tolerance=AVERAGE_TOLERANCE_PCT,
                 ok=None if gap is None else gap <= AVERAGE_TOLERANCE_PCT)


def equity(account: str, result: Decimal | None, change: Decimal | None, tolerance: Decimal) -> Check:
    """Rule 3; in quote. `result` is realised + unrealised − fees + funding; `change` that of equity, transfers out."""
    gap = None if result is None or change is None else abs(result - change)
    return Check(rule=Rule.EQUITY, subject=account, value=gap, tolerance=tolerance,
                 ok=None if gap is None else gap <= tolerance)


def remainders(orders: Iterable[OrderState], steps: Mapping[str, Decimal]) -> list[Check]:
    """Rule 4; in base. One check for each order that broke it, or one for all."""
    broken = []
    for order in orders:
        left = order.quantity - order.filled
        step = steps.get(order.symbol)
        if order.status is OrderStatus.FILLED and order.quantity > 0 and (left >= step if step else left > 0):
            broken.append(Check(rule=Rule.REMAINDER, subject=order.symbol, value=left, tolerance=step or Decimal(0),
                                ok=False, note=order.client_id))
    return broken or [Check(rule=Rule.REMAINDER, subject="orders", value=Decimal(0), tolerance=Decimal(0), ok=True)]


def protected(positions: Iterable[Guarded], now_ms: int, allowed_ms: int) -> list[Check]:
    """Rule 5; in milliseconds of market time since the last look."""
    return [Check(rule=Rule.PROTECTED, subject=position.symbol, value=Decimal(max(0, now_ms - position.looked_ms)),
                  tolerance=Decimal(allowed_ms), ok=bool(position.exempt) or now_ms - position.looked_ms <= allowed_ms,
                  note=position.exempt)
            for position in positions]


def last_held(checks: Iterable[Check], held: Mapping[str, int], now_ms: int) -> tuple[list[Check], dict[str, int]]:
    """The checks with the moment each last held, and those moments for the next pass."""
    out: list[Check] = []
    moments: dict[str, int] = {}
    for check in checks:
        key = f"{check.rule}:{check.subject}"
        moment = now_ms if check.ok else held.get(key, 0)
        moments[key] = min(moments.get(key, moment), moment)
        out.append(msgspec.structs.replace(check, held_ms=moment))
    return out, moments


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One asset in /reconcile: `venue` is None where the venue did not say."""

    asset: str
    ours: Decimal
    external: Decimal
    venue: Decimal | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Venue against ledger at one moment, as the tracker leaves it for /reconcile."""

    mode: str
    market_ms: int
    rows: tuple[Row, ...] = ()
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()
    unresolved: int = 0

    @property
    def clean(self) -> bool:
        """Whether everything could be checked and agrees."""
        return not self.findings and not self.unresolved and all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """For a phone: the verdict, what disagrees, what could not be checked, then the quantities."""
        broken = [check for check in self.checks if check.ok is False]
        unknown = [check for check in self.checks if check.ok is None]
        out = ["Books and exchange agree" if self.clean else "Books and exchange do not agree in everything"
               if broken or self.findings else "Not everything could be checked"]
        if self.unresolved:
            out.append(f"{self.unresolved} order(s) whose end is not known yet")
        for finding in self.findings:
            out += [("• " if finding.confirmed else "• (being checked) ") + finding.sentence(), f"  → {finding.todo()}"]
        out += [f"✗ {_said(check)}; {self._since(check)}" for check in broken]
        out += [f"? {check.rule} of {check.subject}: no answer; {self._since(check)}" for check in unknown]
        for row in self.rows:
            venue = "?" if row.venue is None else plain(row.venue)
            yours = f" + {plain(row.external)} yours" if row.external else ""
            out.append(f"{row.asset}: books {plain(row.ours)}{yours}, exchange {venue}")
        return out

    def _since(self, check: Check) -> str:
        if not check.held_ms:
            return "never held yet"
        seconds = max(0, self.market_ms - check.held_ms) // 1000
        return f"last held {seconds // 60} min {seconds % 60} s ago"


_UNITS = {Rule.QUANTITY: "", Rule.AVERAGE: " %", Rule.EQUITY: " USDT", Rule.REMAINDER: "", Rule.PROTECTED: " ms"}


def _said(check: Check) -> str:
    unit = _UNITS[check.rule]
    off = plain(check.value.quantize(Decimal("1e-8")).normalize()) if check.value is not None else "?"
    return f"{check.rule} of {check.subject}: off by {off}{unit}, allowed {plain(check.tolerance)}{unit}"
