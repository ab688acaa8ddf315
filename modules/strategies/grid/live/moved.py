"""The same grid on another account (paper, demo, LIVE): figures begin anew there, order ids never come twice (X2)."""

import logging
from typing import TYPE_CHECKING

from modules.exchange.types import Mode
from modules.strategies.grid.live.accounts import GridAccount, PaperGrid
from modules.strategies.grid.live.memory import Memory
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
    """Before a host starts: what it remembers of another kind of account is none of this one's.

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
