"""What system C's loop tells people carries the mode, as everything that speaks of money does (P6)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.execution.mode import TestMode, mode_file
from modules.strategies.showdown.loop import ShowdownLoop
from modules.strategies.showdown.settings import ShowdownSettings
from modules.supervision.service import ServiceRun
from utils.paths import Paths


@pytest.mark.parametrize("test_mode", [True, False])
def test_files_put_by_hand_are_told_with_the_mode(tmp_path: Path, test_mode: bool) -> None:
    paths = Paths(tmp_path).prepare()
    mode_file(paths).save(TestMode(test_mode=test_mode))
    run = ServiceRun("showdown", paths, 1.0)
    nobody: Any = SimpleNamespace(database=None)
    loop = ShowdownLoop(run, ShowdownSettings(), nobody, 1.0, nobody, None, None)
    found = [("etf", SimpleNamespace(version=3))], [("liqmap", ["zones.0: wrong side"])]
    desk: Any = SimpleNamespace(symbol="BTCUSDT", files=loop.desks[0].files, put_manual=lambda: None,
                                by_hand=lambda now: found)
    loop._manual(desk, 0)
    told = [(notice.mode, notice.what) for _, notice in run.outbox.pending("owner")]
    assert len(told) == 2 and {mode for mode, _ in told} == {"TEST" if test_mode else "LIVE"}
    loop._manual(desk, 0)
    assert len(run.outbox.pending("owner")) == 3, "a refused file is told once"
