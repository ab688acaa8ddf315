"""Figures as people read them."""

from decimal import Decimal

import pytest

from utils import figures


@pytest.mark.parametrize(("value", "shown"), [
    (Decimal("64210.5"), "64,210.5"), (Decimal("0.00001234"), "0.00001234"), (0.000000012345678, "0.0000000123457"),
    (1, "1"), (Decimal("100"), "100"), (Decimal("1E-8"), "0.00000001"), (0, "0")])
def test_price(value: Decimal | float, shown: str) -> None:
    assert figures.price(value) == shown


@pytest.mark.parametrize(("seconds", "shown"), [
    (0, "0s"), (45, "45s"), (200, "3m 20s"), (3600, "1h"), (7500, "2h 5m"), (3605, "1h"), (270_000, "3d 3h")])
def test_duration(seconds: float, shown: str) -> None:
    assert figures.duration(seconds) == shown


def test_money_and_percent() -> None:
    assert figures.money(Decimal("1234.5")) == "1,234.50" and figures.money(-3.2, signed=True) == "−3.20"
    assert figures.money(Decimal("0.0012")) == "0.0012" and figures.pct(-0.5) == "−0.50%"


def test_days_follow_the_report_zone() -> None:
    late = 1_743_546_600_000  # 2025-04-01 22:30 UTC
    assert figures.day_of(late, "UTC") == "2025-04-01" and figures.day_of(late, "Europe/Riga") == "2025-04-02"
    assert figures.when(late, "Europe/Riga") == "04-02 01:30"


def test_quantity_and_plural() -> None:
    assert figures.quantity(Decimal("1250.50000")) == "1,250.5" and figures.quantity(Decimal(100)) == "100"
    assert figures.plural(1, "entry", "entries") == "1 entry" and figures.plural(0, "trade") == "0 trades"


@pytest.mark.parametrize(("value", "shown"), [
    (1234.4, "1,234 MB"), (112.3, "112 MB"), (4.21, "4.2 MB"), (0.0871, "87 kB"), (0, "0 kB")])
def test_megabytes_of_little_are_not_nothing(value: float, shown: str) -> None:
    assert figures.megabytes(value) == shown
