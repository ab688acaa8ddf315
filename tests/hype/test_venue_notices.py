"""A failing exchange is an alert, its recovery is not."""

from pathlib import Path

from modules.exchange.breaker import Circuit, Episode
from modules.strategies.hype.venue_notices import listener
from modules.supervision.service import ServiceRun
from utils.paths import Paths


def test_an_episode_is_told_with_its_cause_and_mend(tmp_path: Path) -> None:
    run = ServiceRun("tracker", Paths(tmp_path).prepare(), 1.0)
    tell = listener(run, "mexc")
    circuit = next(iter(Circuit))
    tell(Episode(circuit, False, "The exchange fails", "8 failures in a row", "Exits go on."))
    tell(Episode(circuit, True, "The exchange is well again", "", ""))
    begun, over = [notice for _, notice in run.outbox.pending("console")]
    assert (begun.level, begun.why, begun.todo) == ("alert", "8 failures in a row", "Exits go on.")
    assert (begun.mode, begun.what) == ("TEST", "Spot, mexc: The exchange fails")
    assert over.level == "info"
