"""Does acts to the perpetual venue, and remembers the lasting ones (contracts, keys) across restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from modules.simulator.acts import ActError
from modules.simulator.perp.acts import PerpAct
from modules.simulator.perp.marks import HOUR_MS
from modules.simulator.perp.records import ZERO, Account, NewOrder, Order, Position, Spec
from modules.simulator.perp.words import Execution, Kind, Leg, Refused, Side, Status, Tif
from utils.files import write_atomic

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_LASTING = frozenset({"halt", "resume", "delist", "rename", "tick_size", "revoke_key", "restore_key"})


def kept_acts(file: Path | None) -> list[PerpAct]:
    """Lasting acts of earlier runs, in their order. Raises ActError."""
    if file is None or not file.exists():
        return []
    try:
        return [PerpAct.parse(row) for row in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, ActError) as problem:
        raise ActError(f"{file}: cannot be used ({problem}). Remove it to begin without.") from problem


def reshape(specs: list[Spec], acts: list[PerpAct]) -> None:
    """Put names, ticks and steps of earlier acts into fresh contracts."""
    for act in acts:
        for index, spec in enumerate(specs):
            if spec.symbol != act.symbol:
                continue
            if act.action == "rename" and act.to is not None:
                specs[index] = _renamed(spec, act.to)
            elif act.action == "tick_size":
                specs[index] = _resized(spec, act.tick, act.step)


def _renamed(spec: Spec, to: str) -> Spec:
    return replace(spec, symbol=to, base=to.removesuffix(spec.quote))


def _resized(spec: Spec, tick: Decimal | None, step: Decimal | None) -> Spec:
    """Price limits keep their worth; quantities at least one new step."""
    tick, step = tick or spec.tick, step or spec.step

    def steps(old: int) -> int:
        return max(1, int(old * spec.step / step))

    return replace(
        spec, tick=tick, step=step, min_price=max(1, int(spec.min_price * spec.tick / tick)),
        max_price=int(spec.max_price * spec.tick / tick), min_qty=steps(spec.min_qty), max_qty=steps(spec.max_qty),
        max_market_qty=steps(spec.max_market_qty))


class PerpDeeds:
    """Acts on one venue. `file` keeps what lasts."""

    def __init__(self, venue: PerpVenue, file: Path | None) -> None:
        self._venue, self._file = venue, file
        self._lasting: list[PerpAct] = []

    def again(self, acts: list[PerpAct]) -> None:
        """What earlier acts left: closed and hidden contracts, revoked keys (specs are reshaped already)."""
        venue = self._venue
        self._lasting = list(acts)
        for act in acts:
            if act.action in ("halt", "delist") and act.symbol in venue.by_symbol:
                self._close(act.symbol, hide=act.action == "delist" and not act.shown)
            elif act.action == "resume" and act.symbol in venue.by_symbol:
                self._open(act.symbol)
            elif act.action in ("revoke_key", "restore_key"):
                self._key(act)

    def do(self, act: PerpAct) -> None:
        """Do it. Raises ActError where it cannot be done; then nothing was changed."""
        venue = self._venue
        account = venue.accounts.get(act.account)
        if account is None:
            raise ActError(f"no account '{act.account}'; there are {', '.join(venue.accounts)}")
        if act.symbol is not None and act.symbol not in venue.by_symbol:
            raise ActError(f"no contract '{act.symbol}'; e.g. {', '.join(list(venue.by_symbol)[:5])}")
        doing: dict[str, Callable[[Account, PerpAct], None]] = {
            "buy": self._trade, "sell": self._trade, "close": self._close_leg, "cancel": self._cancel,
            "cancel_algo": self._cancel_algo, "liquidate": self._liquidate}
        try:
            if act.action in doing:
                doing[act.action](account, act)
            elif act.action in ("hedge", "leverage", "isolated", "transfer"):
                self._setting(account, act)
            elif act.action in ("revoke_key", "restore_key"):
                self._key(act)
            elif act.action == "settle_funding":  # the running interval ends now, for every contract
                with venue.doing():
                    venue.market.marks.begun = venue.market.ms - 8 * HOUR_MS
                    venue.guard.funding()
            else:
                with venue.doing():
                    self._contract(act)
        except Refused as refused:
            raise ActError(f"{act.action}: the venue refuses: {refused}") from refused
        if act.action in _LASTING:
            self._lasting.append(act)
            if self._file is not None:
                rows = [one.model_dump(mode="json", exclude_unset=True) for one in self._lasting]
                write_atomic(self._file, json.dumps(rows).encode("utf-8"))

    # -- the owner of the account --------------------------------------------------------------------------

    def _trade(self, account: Account, act: PerpAct) -> None:
        assert act.symbol is not None
        kind = Kind.MARKET if act.price is None else Kind.LIMIT
        side = Side.BUY if act.action == "buy" else Side.SELL
        self._venue.place(account, NewOrder(act.symbol, side, kind, act.qty, act.price, leg=act.leg))

    def _close_leg(self, account: Account, act: PerpAct) -> None:
        legs = [leg for leg in account.legs(act.symbol) if act.leg in (None, leg.leg)]
        if not legs:
            raise ActError(f"close: no position in {act.symbol}")
        for leg in legs:
            spec = self._venue.specs[self._venue.by_symbol[leg.symbol]]
            side = Side.SELL if leg.steps > 0 else Side.BUY
            self._venue.place(account, NewOrder(
                leg.symbol, side, Kind.MARKET, abs(leg.steps) * spec.step, leg=leg.leg,
                reduce_only=leg.leg is Leg.BOTH))

    def _cancel(self, account: Account, act: PerpAct) -> None:
        wanted = [
            order for order in self._venue.open_orders(account, act.symbol)
            if act.order_id in (None, order.id) and act.client_id in (None, order.client_id)]
        if not wanted:
            raise ActError("cancel: no such open order")
        for order in wanted:
            self._venue.cancel(account, order)

    def _cancel_algo(self, account: Account, act: PerpAct) -> None:
        wanted = [
            algo for algo in self._venue.open_algos(account, act.symbol)
            if act.order_id in (None, algo.id) and act.client_id in (None, algo.client_id)]
        if not wanted:
            raise ActError("cancel_algo: no such open conditional order")
        for algo in wanted:
            self._venue.cancel_algo(account, algo)

    def _setting(self, account: Account, act: PerpAct) -> None:
        venue, symbol = self._venue, act.symbol or ""
        if act.action == "hedge":
            venue.set_hedge(account, bool(act.on))
        elif act.action == "leverage":
            venue.set_leverage(account, symbol, act.leverage or 1)
        elif act.action == "isolated":
            venue.set_isolated(account, symbol, bool(act.on))
        else:
            venue.transfer(account, act.amount or ZERO)

    def _key(self, act: PerpAct) -> None:
        key = self._venue.accounts[act.account].api_key
        if act.action == "revoke_key":
            self._venue.revoked.add(key)
        else:
            self._venue.revoked.discard(key)

    def _liquidate(self, account: Account, act: PerpAct) -> None:
        legs = [leg for leg in account.legs(act.symbol) if act.leg in (None, leg.leg)]
        if not legs:
            raise ActError("liquidate: no position")
        venue = self._venue
        with venue.doing():
            for leg in legs:
                if account.setup(leg.symbol).isolated:
                    venue.guard.liquidate_leg(account, leg, leg.isolated_wallet)
                elif leg.steps:
                    venue.guard.liquidate_cross(account)

    # -- contracts -----------------------------------------------------------------------------------------

    def _contract(self, act: PerpAct) -> None:
        venue, symbol = self._venue, act.symbol or ""
        index = venue.by_symbol[symbol]
        if act.action == "jump":
            venue.market.jump(index, float(1 + (act.pct or ZERO) / 100))
        elif act.action == "funding_rate":
            venue.market.marks.override[index] = act.rate or ZERO
            venue.market.marks.refresh(0.0)
        elif act.action == "resume":
            self._open(symbol)
        elif act.action == "halt":
            self._close(symbol, hide=False)
        elif act.action == "delist":
            self._withdraw(symbol)
            self._settle(symbol)
            self._close(symbol, hide=not act.shown)
        elif act.action == "rename":
            self._rename(symbol, index, act.to or "")
        else:
            self._resize(symbol, index, act)

    def _close(self, symbol: str, *, hide: bool) -> None:
        venue = self._venue
        venue.desk.closed.add(symbol)
        venue.market.asleep.add(venue.by_symbol[symbol])
        if hide:
            del venue.by_symbol[symbol]
            venue.desk.respec()

    def _open(self, symbol: str) -> None:
        self._venue.desk.closed.discard(symbol)
        self._venue.market.asleep.discard(self._venue.by_symbol[symbol])

    def _withdraw(self, symbol: str) -> None:
        """The venue cancels every order of a contract."""
        for account in self._venue.accounts.values():
            self._venue.desk.cancel_all(account, symbol)
            self._venue.algos.cancel_all(account, symbol)

    def _settle(self, symbol: str) -> None:
        """A delisted contract's positions are closed at the mark price."""
        for account in self._venue.accounts.values():
            for leg in account.legs(symbol):
                self._settle_leg(account, leg)

    def _settle_leg(self, account: Account, leg: Position) -> None:
        venue = self._venue
        index = venue.by_symbol[leg.symbol]
        spec, market = venue.specs[index], venue.market
        ticks = int(market.mark_ticks(index).to_integral_value())
        number = venue.ledger.take_id()
        side = Side.SELL if leg.steps > 0 else Side.BUY
        order = Order(
            number, f"settlement_autoclose-{number}", account.name, leg.symbol, index, side, leg.leg, Kind.MARKET,
            Tif.GTC, 0, abs(leg.steps), spec.tick, spec.step, market.stamp, market.stamp, reduce_only=True)
        trade = market.tape.next_trade[index]
        market.tape.next_trade[index] += 1
        fill = venue.ledger.settle(
            account, spec, order, ticks, order.qty, trade, maker=False, ms=market.stamp)
        order.status = Status.FILLED
        venue.desk.tell(order, Execution.TRADE, fill)

    def _rename(self, symbol: str, index: int, to: str) -> None:
        """The same market under another name: orders are cancelled, positions and settings stay."""
        venue = self._venue
        if to in venue.by_symbol:
            raise ActError(f"rename: '{to}' is there already")
        self._withdraw(symbol)
        venue.market.specs[index] = _renamed(venue.market.specs[index], to)
        venue.by_symbol[to] = venue.by_symbol.pop(symbol)
        venue.desk.respec()
        for account in venue.accounts.values():
            if symbol in account.setups:
                account.setups[to] = account.setups.pop(symbol)
            for leg in Leg:
                held = account.positions.pop((symbol, leg), None)
                if held is not None:
                    held.symbol = to
                    account.positions[to, leg] = held
            venue.ledger.dirty.accounts.add(account.name)

    def _resize(self, symbol: str, index: int, act: PerpAct) -> None:
        """Another tick or step: open orders are cancelled, positions are counted in the new steps."""
        venue = self._venue
        old = venue.specs[index]
        new = _resized(old, act.tick, act.step)
        held = [leg for account in venue.accounts.values() for leg in account.legs(symbol)]
        if any((leg.steps * old.step) % new.step for leg in held):
            raise ActError(f"tick_size: a position in {symbol} is no multiple of {new.step}")
        self._withdraw(symbol)
        for leg in held:
            leg.steps = int(leg.steps * old.step / new.step)
        for account in venue.accounts.values():
            venue.ledger.dirty.accounts.add(account.name)
        venue.market.replace(index, new)
        venue.days.forget(index)
        venue.desk.respec()
