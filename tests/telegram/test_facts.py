"""What /status says of each service: words and units, not the names of a heartbeat's fields."""

import pytest

from config.crew import CREW
from modules.telegram.facts import _KNOWN, told


def test_a_contract_stands_before_its_words_and_clocks_are_left_out() -> None:
    info = {"mode": "TEST", "market_ms": 1_795_278_601_451, "BTCUSDT_candles": 2, "BTCUSDT_gaps": 0,
            "BTCUSDT_action": "flat", "BTCUSDT_why": "flat_data_fresh", "ETHUSDT_gaps": 3, "trades": 1,
            "entries_stopped": "TEST: the books do not agree", "accounts": {"TEST": {}}}
    quiet, troubles = told("showdown", info)
    assert quiet == "trades TEST · BTCUSDT flat · 1 open · ETHUSDT 3 gaps in the candles"
    assert troubles == ["entries stopped: TEST: the books do not agree"]


def test_figures_have_their_unit_and_troubles_a_line() -> None:
    quiet, troubles = told("feed", {"symbols": 11, "late_ms": 2906, "frames": 2_673_776, "sockets": 2, "recorded": 9,
                                    "recorded_mb": 164.5, "not_recorded": 4, "waiting": ""})
    assert quiet == "11 futures · 2,906 ms behind · 2 sockets · 164.5 MB recorded"
    assert troubles == ["4 messages not recorded"]


@pytest.mark.parametrize("service", [one.name for one in CREW])
def test_every_service_of_the_crew_has_words_of_its_own(service: str) -> None:
    assert service in _KNOWN


def test_a_service_of_a_later_day_is_shown_by_its_own_names() -> None:
    assert told("later", {"some_thing": 3, "nothing": 0}) == ("some thing 3", [])
