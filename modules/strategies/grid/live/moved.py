"""The same grid on another account (paper, demo, LIVE), contract or series of candles: what is kept of it, and what
begins anew. Order ids never come twice (X2)."""

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from modules.exchange.types import Mode
from modules.storage.damage import StateError
from modules.strategies.grid.ledger import ZERO, LegLedger
from modules.strategies.grid.live.accounts import GridAccount, PaperGrid
from modules.strategies.grid.live.memory import Memory
from modules.strategies.grid.reconcile import LegCheck
from modules.strategies.grid.signals import Signals
from modules.strategies.grid.state import SessionState

if TYPE_CHECKING:
    from modules.strategies.grid.live.host import Host

log = logging.getLogger(__name__)


def kind_of(account: GridAccount) -> str:
    """paper, demo or live."""
    if isinstance(account, PaperGrid):
        return "paper"
    return "live" if account.mode is Mode.LIVE else "demo"


def settle_in(host: "Host") -> None:
    """Before a host starts, and with other settings: what it remembers of others is none of these.

    Raises StateError for positions of another contract: read at this one's prices they would look like a fortune.
    """
    _account(host)
    _contract(host)


def _contract(host: "Host") -> None:
    """Leverage and modes are set for each contract; a SAR goes on with the candles it began with, or it begins anew."""
    chosen, memory, state = host.book.settings, host.memory, host.state
    terms = f"{host.symbol} {chosen.leverage}"
    series = " ".join(str(one) for one in (host.symbol, chosen.timeframe, chosen.sma_period, chosen.sar_af,
                                           chosen.sar_max, chosen.cci_period))
    before = memory.terms.partition(" ")[0]
    if before not in ("", host.symbol):
        if not host.flat:
            raise StateError(f"The grid holds positions of {before}, its settings are for {host.symbol}. Set {before} "
                             f"again, close everything, then change the contract.")
        log.warning("%s: the grid goes from %s to %s", host.lease.user_id, before, host.symbol)
        host.state = replace(state, buy=_emptied(state.buy), sell=_emptied(state.sell), buy_check=LegCheck(),
                             sell_check=LegCheck(), started=False, quote=None, balance_tick=-1)
    if memory.series not in ("", series):
        host.state = replace(host.state, signals=Signals(), fresh=False)
    memory.arranged = memory.arranged and memory.terms in ("", terms)
    host.changed = host.changed or (memory.terms, memory.series) != (terms, series)
    memory.terms, memory.series = terms, series


def _emptied(ledger: LegLedger) -> LegLedger:
    """A flat leg on another contract: its results stay, what was left outside does not come along."""
    return replace(ledger, fold_quantity=ZERO, fold_cost=ZERO, external=ZERO, external_known=ZERO)


def _account(host: "Host") -> None:
    """What was done on another kind of account is none of this one's.

    Results and fees of paper money count towards no limit of real money, its stops and trades are not looked for on
    the exchange, and modes and leverage are set there as before any first order. Another key of the same kind changes
    nothing: a key can be replaced without losing the grid.
    """
    kind, before, state = kind_of(host.account), host.memory.account, host.state
    host.memory.account = kind
    if before in ("", kind) or not host.flat:
        return
    log.warning("%s: the grid goes from %s to %s; its figures begin anew", host.lease.user_id, before, kind)
    host.state = SessionState(wish=state.wish, serial=state.serial, generations=state.generations,
                              signals=state.signals)
    host.memory = Memory(generation=host.memory.generation, account=kind)
    host.changed = True
