"""Accounts of system C's execution: the keys that they are opened with."""

from pathlib import Path
from typing import Any

from config.settings import load_settings
from modules.exchange.types import Mode, Unavailable
from modules.execution.mode import TestMode, mode_file
from modules.strategies.showdown import execution
from modules.strategies.showdown.shelf import Shelf
from modules.strategies.showdown.trade_words import Voice
from modules.supervision.outbox import Outbox
from utils.paths import Paths


async def opened(tmp_path: Path, monkeypatch: Any, test_mode: bool) -> list[tuple[Any, ...]]:
    """What `open_futures_account` was asked for."""
    paths = Paths(tmp_path).prepare()
    mode_file(paths).save(TestMode(test_mode=test_mode))
    asked: list[tuple[Any, ...]] = []

    async def open_account(*given: Any) -> Any:
        asked.append(given)
        raise Unavailable("nobody is there")
    monkeypatch.setattr(execution, "open_futures_account", open_account)
    settings = load_settings(paths, {"APIKEYS_BINANCE": "account=second-key-22:second-secret"})
    shelf = Shelf()
    voice = Voice(Outbox(paths.outbox, "showdown"), shelf.put_quietly, lambda: 0)
    made = execution.Execution(paths, settings, object(), voice, shelf.put)  # type: ignore[arg-type]
    await made.open()
    await made.close()
    return asked


async def test_live_takes_the_further_keys_of_the_account(tmp_path, monkeypatch):
    (asked,) = await opened(tmp_path, monkeypatch, test_mode=False)
    assert asked[0] is Mode.LIVE
    assert [(key.owner, key.parts) for key in asked[5].keys("binance")] == [("account", ("second-key-22",
                                                                                          "second-secret"))]


async def test_the_paper_account_has_none(tmp_path, monkeypatch):
    (asked,) = await opened(tmp_path, monkeypatch, test_mode=True)
    assert asked[0] is Mode.TEST and asked[5] is None
