"""What the account must be set to before anything is opened (X22): read, compared, and never switched silently."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from modules.exchange.futures_api import FuturesAccount
from modules.exchange.futures_types import MarginMode, Setup
from modules.exchange.types import Accepted
from modules.execution.executor import Patience
from modules.execution.futures.plan import Word

log = logging.getLogger(__name__)

PATIENCE = Patience(fills_s=1.0, fills_wait_s=0.0)  # fills are read again by every pass: none is lost by not waiting


@dataclass(frozen=True, slots=True)
class DeskTerms:
    """What the desk holds its account to; see ``FuturesSettings``."""

    hedge: bool
    margin: MarginMode
    leverage: int
    arrange: bool = False
    margin_share: Decimal = Decimal("0.9")
    warn_pct: Decimal = Decimal(15)
    act_pct: Decimal = Decimal(5)
    exit_pct: Decimal = Decimal("0.3")
    unprotected_s: float = 15.0
    patience: Patience = PATIENCE


@dataclass(frozen=True, slots=True)
class Found:
    """How the account is set, what a person should hear of it, and, short, what keeps entries out."""

    hedge_ok: bool
    setups: Mapping[str, Setup]
    words: tuple[Word, ...]
    wrong: str = ""


async def verify(account: FuturesAccount, terms: DeskTerms, symbols: Sequence[str]) -> Found:
    """Read it; with `arrange` set it where nothing stands in the way. Raises Unavailable."""
    hedge_ok, setups, wrong = await _read(account, terms, symbols)
    if terms.arrange and (wrong or not hedge_ok):
        await _arrange(account, terms, wrong, hedge_ok)
        hedge_ok, setups, wrong = await _read(account, terms, symbols)
    words, mode = [], "hedge" if terms.hedge else "one-way"
    if not hedge_ok:
        words.append(Word("mode", f"The account is not in {mode} mode; nothing is opened",
                          "FUTURES_HEDGE asks for it and it is never switched by itself",
                          "Close positions and orders, then switch it on the exchange or set FUTURES_ARRANGE"))
    words += [Word(f"setup {symbol}", f"{symbol}: leverage or margin mode is not as set; it is not traded",
                   f"The exchange has {_told(setups.get(symbol))}",
                   f"Set {terms.leverage}x {terms.margin} there, or set FUTURES_ARRANGE") for symbol in wrong]
    short = ([] if hedge_ok else [f"the account is not in {mode} mode"]) + [
        f"{symbol} has {_told(setups.get(symbol))}, not {terms.leverage}x {terms.margin}" for symbol in wrong]
    return Found(hedge_ok, setups, tuple(words), "; ".join(short))


def _told(setup: Setup | None) -> str:
    return f"{setup.leverage}x {setup.margin}" if setup is not None else "a setting that cannot be read"


async def _read(account: FuturesAccount, terms: DeskTerms,
                symbols: Sequence[str]) -> tuple[bool, Mapping[str, Setup], list[str]]:
    hedge_ok = await account.hedge() is terms.hedge
    setups = await account.setups()
    wanted = (terms.leverage, terms.margin)
    wrong = [symbol for symbol in symbols
             if (found := setups.get(symbol)) is None or (found.leverage, found.margin) != wanted]
    return hedge_ok, setups, wrong


async def _arrange(account: FuturesAccount, terms: DeskTerms, symbols: Sequence[str], hedge_ok: bool) -> None:
    """The whole account must be flat and without orders of either family for its mode to be switched."""
    positions = await account.positions()
    orders, triggers = await asyncio.gather(account.open_orders(), account.open_triggers())
    if not positions and not orders and not triggers and not hedge_ok:
        log.warning("the position mode is set to hedge=%s: %s", terms.hedge, await account.set_hedge(terms.hedge))
    taken = {one.symbol for one in positions} | {one.symbol for one in orders} | {one.symbol for one in triggers}
    for symbol in symbols:
        if symbol in taken:
            continue
        for outcome in (await account.set_margin(symbol, terms.margin),
                        await account.set_leverage(symbol, terms.leverage)):
            if not isinstance(outcome, Accepted):
                log.warning("%s: leverage or margin mode could not be set: %s", symbol, outcome)
