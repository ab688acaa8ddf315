"""Does acts to a venue: trades of the account's owner, transfers, states of pairs, keys, the told clock."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from modules.simulator.accounts import Account, OrderType
from modules.simulator.acts import HELD, ORDERED, Act, ActError, NotYet
from modules.simulator.book import BUY, SELL
from modules.simulator.errors import Reason, Refused
from modules.simulator.pairs import Override, PairState
from modules.simulator.rules import NewOrder
from modules.simulator.universe import QUOTE, Token
from modules.simulator.venue import Venue
from utils.files import write_atomic

log = logging.getLogger(__name__)

_STATES = {"halt": PairState.HALTED, "sell_only": PairState.SELL_ONLY, "delist": PairState.OFFLINE}
_KEY_REASONS = {
    "unknown": Reason.BAD_KEY, "address": Reason.BAD_ADDRESS, "expired": Reason.EXPIRED_KEY,
    "permission": Reason.NO_PERMISSION}
#: what lasts, and so outlives a restart of the venue
_LASTING = frozenset({
    "halt", "resume", "sell_only", "delist", "close_api", "refuse_market_orders", "tick_size", "revoke_key",
    "restore_key"})


class Deeds:
    """Acts on one venue. `elapsed` gives wall seconds; `file` keeps what lasts."""

    def __init__(self, venue: Venue, revoked: dict[str, Reason], elapsed: Callable[[], float], speed: float,
                 file: Path | None) -> None:
        self._venue, self._revoked, self._elapsed = venue, revoked, elapsed
        self._pace = max(1.0, speed)
        self._file = file
        self._lasting: list[Act] = []
        self._outage_until = 0.0
        self._shift: tuple[float, float | None] = (0.0, None)  # ms of market time, until when

    def restore(self) -> None:
        """Do again what lasted before a restart. Raises ActError where the file cannot be used."""
        if self._file is None or not self._file.exists():
            return
        try:
            acts = [Act.parse(row) for row in json.loads(self._file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError, ActError) as problem:
            raise ActError(f"{self._file}: cannot be used ({problem}). Remove it to begin without.") from problem
        file, self._file = self._file, None  # written again only by the next act
        for act in acts:
            try:
                self.do(act)
            except ActError as problem:  # the pair may have gone meanwhile
                log.warning("%s: '%s' is not done again: %s", file, act.action, problem)
        self._file = file

    def shift_ms(self) -> int:
        """How far the told clock is from the venue's own, market ms."""
        shift, until = self._shift
        if until is not None and self._elapsed() >= until:
            self._shift = (0.0, None)
            return 0
        return round(shift)

    def outage(self) -> bool:
        """Whether the venue is away."""
        return self._elapsed() < self._outage_until

    def do(self, act: Act) -> None:
        """Do it. Raises ActError where it cannot be done; then nothing was changed."""
        self._venue.advance(self._venue.now())
        account = self._account(act.account)
        try:
            act = self._named(act, account)
            if act.action.startswith(("manual_", "transfer_")):
                self._owner(act, account)
            elif act.action in ("revoke_key", "restore_key"):
                self._key(act, account)
            elif act.action in ("clock_jump", "outage"):
                self._passing(act)
            else:
                self._pair(act, self._token(act))
        except Refused as refused:
            raise ActError(f"{act.action}: the venue refuses: {refused}") from refused
        if act.action in _LASTING:
            self._keep(act)

    # -- who and what --------------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        account = self._venue.accounts.get(name)
        if account is None:
            raise ActError(f"no account '{name}'; there are {', '.join(self._venue.accounts)}")
        return account

    def _named(self, act: Act, account: Account) -> Act:
        """The act with a symbol in place of @held or @ordered. Raises NotYet."""
        symbol = act.symbol
        if symbol == HELD:
            symbol = self._held(account, self._venue.now())
        elif symbol == ORDERED:
            mine = [order for order in self._venue.orders.values() if order.account == account.name]
            if not mine:
                raise NotYet("nothing ordered yet")
            symbol = mine[-1].symbol
        return act if symbol == act.symbol else act.model_copy(update={"symbol": symbol})

    def _token(self, act: Act) -> Token:
        """The token that an act is about, delisted by an act or not. Raises Refused(BAD_SYMBOL)."""
        token = self._venue.pairs.known(act.symbol or "", self._venue.now())
        if token is None:
            raise Refused(Reason.BAD_SYMBOL, act.symbol or "")
        return token

    def _held(self, account: Account, ms: int) -> str:
        """The pair of the coin that most of the account's money is in."""
        best, worth = "", Decimal(0)
        for asset, balance in account.balances.items():
            token = self._venue.pairs.find(asset + QUOTE, ms)
            if token is None:
                continue
            price = Decimal(self._venue.market.price(token.slot, ms)).scaleb(-token.price_scale)
            value = (balance.free + balance.locked) * price
            if value > max(worth, Decimal(1)):
                best, worth = token.symbol, value
        if not best:
            raise NotYet("nothing held yet")
        return best

    # -- the owner of the account --------------------------------------------------------------------------

    def _owner(self, act: Act, account: Account) -> None:
        if act.action == "manual_cancel":
            self._cancel(act, account)
        elif act.action.startswith("transfer_"):
            self._transfer(act, account)
        else:
            self._trade(act, account)

    def _trade(self, act: Act, account: Account) -> None:
        token = self._token(act)
        side = BUY if act.action == "manual_buy" else SELL
        qty = act.qty
        if side == SELL and not isinstance(qty, Decimal):
            unit = Decimal(1).scaleb(-token.base_scale)
            qty = _free(account, token.base) // unit * unit
            if not qty:
                raise ActError(f"manual_sell: no {token.base} is free")
        assert not isinstance(qty, str)
        kind = OrderType.MARKET if act.price is None else OrderType.LIMIT
        self._venue.place(account, NewOrder(token.symbol, side, kind, qty, act.usdt, act.price, None))

    def _cancel(self, act: Act, account: Account) -> None:
        symbol = self._token(act).symbol if act.symbol is not None else None
        wanted = [
            order for order in self._venue.open_orders(account, symbol)
            if act.order_id in (None, order.id) and act.client_id in (None, order.client_id)
        ]
        if not wanted:
            raise ActError("manual_cancel: no such open order")
        for order in wanted:
            if not order.status.final:
                self._venue.cancel(order)

    def _transfer(self, act: Act, account: Account) -> None:
        asset = act.asset or ""
        if asset != QUOTE and self._venue.pairs.find(asset + QUOTE, self._venue.now()) is None:
            raise ActError(f"{act.action}: no coin '{asset}' here")
        free = _free(account, asset)
        amount = act.amount
        if not isinstance(amount, Decimal):
            if act.action == "transfer_in":
                raise ActError("transfer_in: give the amount in numbers")
            amount = free
        if act.action == "transfer_out":
            if amount > free or not amount:
                raise ActError(f"transfer_out: {free.normalize():f} {asset} free")
            amount = -amount
        self._venue.transfer(account, asset, amount)

    # -- keys, time, the machine ---------------------------------------------------------------------------

    def _key(self, act: Act, account: Account) -> None:
        if act.action == "revoke_key":
            self._revoked[account.api_key] = _KEY_REASONS[act.how]
        else:
            self._revoked.pop(account.api_key, None)

    def _passing(self, act: Act) -> None:
        until = self._elapsed() + act.for_ms / 1000.0 if act.for_ms is not None else None
        if act.action == "outage":
            assert until is not None
            self._outage_until = until
        else:
            assert act.ms is not None
            self._shift = (act.ms * self._pace, until)

    # -- pairs ---------------------------------------------------------------------------------------------

    def _pair(self, act: Act, token: Token) -> None:
        pairs = self._venue.pairs
        if act.action == "resume":
            kept = pairs.overrides.pop(token.symbol, Override())
            pairs.overrides[token.symbol] = Override(tick_scale=kept.tick_scale, step_scale=kept.step_scale)
            return
        override = pairs.overrides.setdefault(token.symbol, Override())
        if act.action in _STATES:
            gone = act.action == "delist" and not act.shown
            override.state = PairState.ABSENT if gone else _STATES[act.action]
        elif act.action == "close_api":
            override.api_closed, override.api_told = True, act.told is not False
        elif act.action == "refuse_market_orders":
            override.market_refused, override.market_told = True, act.told is True
        else:
            self._sizes(act, token, override)
        self._venue.advance(self._venue.now())

    def _sizes(self, act: Act, token: Token, override: Override) -> None:
        for name, value, finest in (("tick", act.tick, token.price_scale), ("step", act.step, token.base_scale)):
            if value is not None and -value.adjusted() > finest:
                raise ActError(f"tick_size: {token.symbol}'s {name} cannot be finer than 1e-{finest}")
        if act.step is not None:
            override.step_scale = -act.step.adjusted()
        if act.tick is not None:
            override.tick_scale = -act.tick.adjusted()
            self._venue.model_book.grids[token.symbol] = int(10 ** (token.price_scale - override.tick_scale))

    # -- what lasts ----------------------------------------------------------------------------------------

    def _keep(self, act: Act) -> None:
        """Remember what has to be done again after a restart."""
        undone = {"resume": _LASTING - {"tick_size"}, "restore_key": {"revoke_key"}, "tick_size": set()}
        same = undone.get(act.action, {act.action})
        self._lasting = [
            kept for kept in self._lasting
            if kept.action not in same or kept.symbol != act.symbol
            or (act.symbol is None and kept.account != act.account)]
        if act.action not in ("resume", "restore_key"):
            self._lasting.append(act)
        if self._file is not None:
            rows: list[dict[str, Any]] = [
                kept.model_dump(mode="json", exclude_unset=True) for kept in self._lasting]
            write_atomic(self._file, json.dumps(rows).encode("utf-8"))


def _free(account: Account, asset: str) -> Decimal:
    """What is free of a coin, without making a balance of it."""
    balance = account.balances.get(asset)
    return balance.free if balance is not None else Decimal(0)
