"""Fills for the tests of the ledger: made by hand, or by hypothesis."""

from decimal import Decimal

from hypothesis import strategies as st

from modules.exchange.types import Fill, Market, Side

D = Decimal
PEPE = Market(symbol="PEPEUSDT", base="PEPE", quote="USDT", tick=D("0.0001"), step=D("0.1"), min_notional=D(5),
              taker_fee=D("0.001"), maker_fee=D(0))


def fill(number: int, side: str, quantity: str | Decimal, price: str | Decimal, *, fee: str | Decimal = "0",
         fee_asset: str = "USDT", at: int | None = None, symbol: str = "PEPEUSDT", client_id: str = "") -> Fill:
    return Fill(id=str(number), symbol=symbol, order_id=f"o{number}", client_id=client_id or f"cx{number}",
                side=Side(side), price=D(price), quantity=D(quantity), fee=D(fee), fee_asset=fee_asset,
                market_ms=number * 10 if at is None else at)


amounts = st.decimals(min_value=D("0.1"), max_value=D(1_000_000), places=1)
prices = st.decimals(min_value=D("0.0001"), max_value=D(50_000), places=4)


@st.composite
def fill_lists(draw: st.DrawFn, most: int = 12, fees: tuple[str, ...] = ("USDT", "PEPE", "MX")) -> list[Fill]:
    """Fills in any sequence of sides; times repeat, so that several fall within one millisecond."""
    out = []
    for number in range(1, draw(st.integers(1, most)) + 1):
        quantity, price = draw(amounts), draw(prices)
        asset = draw(st.sampled_from(fees))
        rate = draw(st.sampled_from([D(0), D("0.0005"), D("0.001")]))
        fee = rate * quantity * (D(1) if asset == "PEPE" else price)
        out.append(fill(number, draw(st.sampled_from(["BUY", "SELL"])), quantity, price, fee=fee, fee_asset=asset,
                        at=draw(st.integers(0, 5))))
    return out
