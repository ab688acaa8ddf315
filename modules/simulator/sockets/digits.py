"""Whole ticks and steps as the venue writes them: fixed decimals, no exponent."""

from __future__ import annotations

from decimal import Decimal

_KEPT = 20_000  # texts kept for a symbol; the market moves within a few thousand ticks


class Digits:
    """Writes multiples of a unit (a tick, a step) as text, and reads them."""

    def __init__(self, unit: Decimal) -> None:
        exponent = int(unit.normalize().as_tuple().exponent)
        self.decimals = max(0, -exponent)
        self._times = int(unit.scaleb(self.decimals))
        self._kept: dict[int, str] = {}
        self._known: dict[str, int] = {}  # numbers of a recording come again and again

    def text(self, units: int) -> str:
        """`units` of the unit as a decimal number."""
        found = self._kept.get(units)
        if found is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            found = self._kept[units] = self._text(units)
        return found

    def _text(self, units: int) -> str:
        number = abs(units) * self._times
        sign = "-" if units < 0 else ""
        if not self.decimals:
            return f"{sign}{number}"
        digits = str(number).rjust(self.decimals + 1, "0")
        return f"{sign}{digits[:-self.decimals]}.{digits[-self.decimals:]}"

    def units(self, text: str) -> int:
        """A decimal number in text as units. Raises ValueError where it is finer than the unit."""
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[text] = self._units(text)
        return known

    def _units(self, text: str) -> int:
        whole, _, part = text.partition(".")
        if not whole.isdigit():
            raise ValueError(f"'{text}' is not a plain number")
        if len(part) > self.decimals and part[self.decimals:].strip("0"):
            raise ValueError(f"{text} has more than {self.decimals} decimals")
        units, rest = divmod(int(whole + part[:self.decimals].ljust(self.decimals, "0")), self._times)
        if rest:
            raise ValueError(f"{text} is not a multiple of the unit")
        return units
