"""The proof of a standalone start: on what the account is worth, not on what it once had."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.settings import load_settings
from modules.exchange.bitget_parse import Standing
from modules.exchange.futures_types import MarginMode, Wallet
from modules.exchange.types import Mode
from modules.strategies.grid.live import standalone
from tests.strategies.grid.live.world import Account, Market
from utils.paths import Paths

D = Decimal


@pytest.mark.parametrize(("balance", "equity", "counts"), [(20_000, 900, 900), (900, 20_000, 900)])
async def test_open_losses_count_and_open_gains_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, balance: int,
                                                       equity: int, counts: int) -> None:
    market: Any = Market()
    account = Account(market)

    async def standing(*_: Any) -> Standing:
        return Standing(Wallet(D(balance), D(equity), D(equity), D(0)), True, MarginMode.CROSSED, 10)

    async def opened(*_: Any, **__: Any) -> Any:
        return account

    async def open_market(*_: Any, **__: Any) -> Any:
        return market

    async def close() -> None:
        return None

    market.close = close
    monkeypatch.setattr(account, "standing", standing)
    monkeypatch.setattr(standalone, "open_bitget", open_market)
    monkeypatch.setattr(standalone, "open_account", opened)
    settings: Any = load_settings(Paths(tmp_path))
    found = await standalone.propose(settings, Paths(tmp_path), Mode.TEST, settings.grid)
    assert found.balance == counts and not found.start.allowed
