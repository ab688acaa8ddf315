"""Records of the perpetual-futures venue: contracts, orders, fills, positions, accounts, income.

Prices are whole ticks and quantities whole steps of their symbol (`Spec`), money is Decimal in the quote coin,
times are market ms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from modules.simulator.perp.words import AlgoStatus, IncomeKind, Kind, Leg, Side, Status, Tif, Working

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage bracket: notional in (floor, cap], maintenance = notional × rate − cum."""

    number: int
    floor: int
    cap: int
    leverage: int
    rate: Decimal
    cum: Decimal


@dataclass(frozen=True, slots=True)
class Spec:
    """One contract. `tick` and `step` are what a whole price and quantity unit is worth."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_qty: int  # steps
    max_qty: int  # steps, limit orders
    max_market_qty: int  # steps
    min_notional: Decimal
    min_price: int  # ticks
    max_price: int  # ticks
    band: Decimal  # limit prices within mark × (1 ± band)
    market_band: Decimal  # market orders take within mark × (1 ± this)
    brackets: tuple[Bracket, ...]
    liquidation_fee: Decimal
    onboard_ms: int
    maker_fee: Decimal = Decimal("0.0002")
    taker_fee: Decimal = Decimal("0.0005")
    max_orders: int = 200
    max_algo_orders: int = 100
    funding_hours: int = 8
    funding_cap: Decimal = Decimal("0.02")
    delist_ms: int | None = None

    @property
    def price_precision(self) -> int:
        """Decimals of a price."""
        return max(0, -int(self.tick.normalize().as_tuple().exponent))

    @property
    def qty_precision(self) -> int:
        """Decimals of a quantity."""
        return max(0, -int(self.step.normalize().as_tuple().exponent))

    def price(self, ticks: int) -> Decimal:
        """Ticks as a price."""
        return ticks * self.tick

    def qty(self, steps: int) -> Decimal:
        """Steps as a quantity of the base coin."""
        return steps * self.step


@dataclass(slots=True)
class NewOrder:
    """What a client asks for. `price` and `qty` as the client sent them."""

    symbol: str
    side: Side
    kind: Kind
    qty: Decimal | None
    price: Decimal | None = None
    tif: Tif = Tif.GTC
    leg: Leg | None = None  # None: BOTH in one-way mode, refused in hedge mode
    reduce_only: bool = False
    client_id: str | None = None
    good_till_ms: int | None = None
    close_position: bool = False  # of a triggered algo order
    tag: str = ""  # a dialect's own words about it, kept with the order


@dataclass(slots=True)
class Order:
    """One order. `price` 0 for market orders."""

    id: int
    client_id: str
    account: str
    symbol: str
    index: int
    side: Side
    leg: Leg
    kind: Kind
    tif: Tif
    price: int
    qty: int
    tick: Decimal
    step: Decimal
    created_ms: int
    updated_ms: int
    reduce_only: bool = False
    close_position: bool = False
    good_till_ms: int = 0
    status: Status = Status.NEW
    filled: int = 0
    filled_quote: Decimal = ZERO
    ahead: int = 0  # model quantity that stands before it at its price
    orig_kind: Kind | None = None  # of the algo order it came from
    algo_id: int = 0
    liquidation: bool = False
    expiry: str = ""  # why it expired
    tag: str = ""

    @property
    def remaining(self) -> int:
        """Steps not filled yet."""
        return self.qty - self.filled

    @property
    def average(self) -> Decimal:
        """Average fill price, 0 without a fill."""
        return self.filled_quote / (self.filled * self.step) if self.filled else ZERO


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of one order. `trade_id` is unique for each symbol."""

    trade_id: int
    order_id: int
    client_id: str
    account: str
    symbol: str
    side: Side
    leg: Leg
    price: Decimal
    qty: Decimal
    quote: Decimal
    fee: Decimal
    realized: Decimal
    maker: bool
    ms: int


@dataclass(slots=True)
class NewAlgo:
    """A conditional order as asked for. Trailing: `callback` in percent (0.1 … 10), `activation` optional."""

    symbol: str
    side: Side
    kind: Kind
    qty: Decimal | None
    trigger: Decimal | None
    price: Decimal | None = None
    tif: Tif = Tif.GTC
    leg: Leg | None = None
    reduce_only: bool = False
    close_position: bool = False
    working: Working = Working.CONTRACT_PRICE
    client_id: str | None = None
    callback: Decimal | None = None
    activation: Decimal | None = None
    price_protect: bool = False
    good_till_ms: int | None = None
    tag: str = ""  # a dialect's own words about it, kept with it and with the order it becomes
    several: bool = False  # beside others that close the whole position in the same direction


@dataclass(slots=True)
class Algo:
    """A conditional order. `trigger` in ticks (moves for trailing ones), `order_id` once triggered."""

    id: int
    client_id: str
    account: str
    symbol: str
    index: int
    side: Side
    leg: Leg
    kind: Kind
    tif: Tif
    trigger: int
    price: int
    qty: int
    tick: Decimal
    step: Decimal
    working: Working
    created_ms: int
    updated_ms: int
    above: bool  # triggers when the price is at or above the trigger
    reduce_only: bool = False
    close_position: bool = False
    price_protect: bool = False
    callback: Decimal = ZERO
    activation: int = 0
    active: bool = True  # trailing: activation price reached
    peak: int = 0  # trailing: best price since then
    good_till_ms: int = 0
    status: AlgoStatus = AlgoStatus.NEW
    order_id: int = 0
    triggered_ms: int = 0
    reason: str = ""
    tag: str = ""


@dataclass(slots=True)
class Position:
    """One leg of one symbol. `steps` signed (short below 0); `cost` = Σ price × quantity, signed like it."""

    symbol: str
    leg: Leg
    steps: int = 0
    cost: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    realized: Decimal = ZERO  # since it was opened
    updated_ms: int = 0


@dataclass(slots=True)
class SymbolSetup:
    """An account's settings for a symbol."""

    leverage: int = 20
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Income:
    """One change of a wallet."""

    id: int
    account: str
    kind: IncomeKind
    amount: Decimal
    asset: str
    symbol: str
    ms: int
    trade_id: int = 0
    info: str = ""


@dataclass(slots=True)
class Account:
    """One customer with its key. Single-asset mode: the quote coin alone is margin."""

    name: str
    api_key: str
    secret: str = field(repr=False)
    wallet: Decimal = ZERO
    hedge: bool = False
    can_trade: bool = True
    setups: dict[str, SymbolSetup] = field(default_factory=dict)
    positions: dict[tuple[str, Leg], Position] = field(default_factory=dict)
    least_notional: Decimal | None = None  # of an opening order, where the wire has one for all contracts

    def setup(self, symbol: str) -> SymbolSetup:
        """Leverage and margin type of a symbol, made on first use."""
        return self.setups.setdefault(symbol, SymbolSetup())

    def position(self, symbol: str, leg: Leg) -> Position:
        """A leg, made on first use."""
        key = (symbol, leg)
        found = self.positions.get(key)
        if found is None:
            found = self.positions[key] = Position(symbol, leg)
        return found

    def legs(self, symbol: str | None = None) -> list[Position]:
        """Open positions."""
        return [p for p in self.positions.values() if p.steps and symbol in (None, p.symbol)]


@dataclass(frozen=True, slots=True)
class AccountView:
    """Money of an account at the present mark prices."""

    wallet: Decimal
    unrealized: Decimal
    cross_wallet: Decimal
    cross_unrealized: Decimal
    initial_margin: Decimal
    position_margin: Decimal
    order_margin: Decimal
    maintenance: Decimal
    margin_balance: Decimal
    available: Decimal
    max_withdraw: Decimal


@dataclass(frozen=True, slots=True)
class PositionView:
    """A leg at the present mark price. `liquidation` 0 where no price liquidates."""

    symbol: str
    leg: Leg
    steps: int
    qty: Decimal
    entry: Decimal
    break_even: Decimal
    mark: Decimal
    notional: Decimal
    unrealized: Decimal
    liquidation: Decimal
    leverage: int
    isolated: bool
    isolated_margin: Decimal
    isolated_wallet: Decimal
    initial_margin: Decimal
    maintenance: Decimal
    bid_notional: Decimal
    ask_notional: Decimal
    adl: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Print:
    """One aggregate trade: one taker, one price. Trade ids first … last."""

    id: int
    first: int
    last: int
    tick: int
    steps: int
    buyer_is_maker: bool
    ms: int


@dataclass(frozen=True, slots=True)
class ForceOrder:
    """A liquidation as everybody sees it."""

    symbol: str
    index: int
    side: Side
    tick: int  # order price (bankruptcy)
    average: int
    steps: int
    ms: int
