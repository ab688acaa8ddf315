"""What a session asks of an account, and the paper account behind the same words."""

from collections.abc import Sequence
from typing import Protocol

from modules.exchange.bitget_account import BitgetAccount
from modules.exchange.bitget_codes import KEY_GONE
from modules.exchange.bitget_parse import Standing
from modules.exchange.bitget_wire import BitgetKey
from modules.exchange.futures_paper import FuturesPaper
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.futures_types import Income, MarginMode, Position, TriggerLookup, TriggerRequest, TriggerState
from modules.exchange.lanes import Lane
from modules.exchange.types import Denied, Fill, Lookup, Mode, OrderRequest, OrderState, Outcome
from modules.exchange.venue_bitget import BitgetMarket
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import PAPER, Credentials
from utils.paths import Paths
from utils.redact import register_secrets

FUNDING_KINDS = frozenset({"contract_settle_fee", "FUNDING_FEE"})


class GridAccount(Protocol):
    """One user's account. Queries raise Unavailable, Denied for a key that is refused."""

    mode: Mode

    @property
    def failing(self) -> bool:
        """Whether this user's breaker is open."""

    async def standing(self, symbol: str, lane: Lane = Lane.EXIT) -> Standing:
        """Money, modes and leverage."""

    async def positions(self, lane: Lane = Lane.EXIT) -> Sequence[Position]:
        """Every leg that holds something."""

    async def place(self, request: OrderRequest) -> Outcome:
        """Send an order, once."""

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        """Cancel an order."""

    async def order(self, symbol: str, client_id: str) -> Lookup:
        """What became of an order."""

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        """Orders that rest."""

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        """Trades since a moment, oldest first."""

    async def fills_of(self, symbol: str, order_id: str) -> Sequence[Fill]:
        """Trades of one order, oldest first."""

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        """Send a conditional order, once."""

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        """Cancel a conditional order."""

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        """What became of a conditional order."""

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        """Conditional orders that wait."""

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        """Changes of the wallet, oldest first."""

    async def set_hedge(self, on: bool) -> Outcome:
        """Switch the position mode."""

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        """Set the leverage."""

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        """Set the margin mode."""

    async def close(self) -> None:
        """Release what is the account's own."""


class PaperGrid:
    """A paper account in the words of `GridAccount`; it is one file a user."""

    mode = Mode.TEST
    failing = False

    def __init__(self, paper: FuturesPaper) -> None:
        self.paper = paper
        for name in ("place", "cancel", "order", "open_orders", "fills", "place_trigger", "cancel_trigger", "trigger",
                     "open_triggers", "incomes", "set_hedge", "set_leverage", "set_margin", "close"):
            setattr(self, name, getattr(paper, name))

    async def standing(self, symbol: str, lane: Lane = Lane.EXIT) -> Standing:
        """Money, modes and leverage."""
        leverage, margin = self.paper.ledger.setup(symbol)
        return Standing(await self.paper.wallet(), await self.paper.hedge(), margin, leverage)

    async def positions(self, lane: Lane = Lane.EXIT) -> Sequence[Position]:
        """Every leg that holds something."""
        return await self.paper.positions()

    async def fills_of(self, symbol: str, order_id: str) -> Sequence[Fill]:
        """Trades of one order, oldest first."""
        kept = await self.paper.fills(symbol, self.paper.ledger.dropped_ms + 1)
        return [fill for fill in kept if fill.order_id == order_id]


async def open_account(market: BitgetMarket, given: Credentials, user_id: str, settings: GridSettings,
                       margin: MarginMode, paths: Paths) -> GridAccount:
    """The account of a user's key: paper, demo or the venue's own. Raises StateError, OSError for a paper account."""
    if given.api_key.startswith(PAPER):
        terms = FuturesSettings(hedge=True, margin=margin.value, leverage=min(settings.leverage, 125),
                                paper_usdt=settings.paper_usdt)
        found: GridAccount = PaperGrid(  # type: ignore[assignment]
            await FuturesPaper.open(market, terms, paths, f"test_grid_{user_id}.json"))
        return found
    register_secrets([one for one in (given.api_key, given.api_secret, given.passphrase) if len(one) >= 6])
    key = BitgetKey(given.api_key, given.api_secret, given.passphrase, given.demo)
    return BitgetAccount(market, key, settings.trading_symbol, margin)


def key_gone(problem: Exception) -> bool:
    """Whether a refused question says that this key can do nothing any more."""
    return isinstance(problem, Denied) and problem.code in KEY_GONE
