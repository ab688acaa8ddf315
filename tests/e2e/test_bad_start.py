"""Bad input at the start: each a clear message and a defined exit, nothing left hanging."""

import socket

import pytest

from tests.e2e.conftest import StartProgram


@pytest.mark.parametrize(
    ("settings", "named", "mend"),
    [
        ({"HYPE_TRADE_USDT": "-5", "HYPE_MAX_OPEN_TRADES": "many"}, r"trade_usdt.*-5", r"max_open_trades.*many"),
        ({"HYPE_TRAD_USDT": "5"}, r"HYPE_TRAD_USDT is not a setting", r"Did you mean HYPE_TRADE_USDT"),
        ({"EXCHANGE": "mexcc"}, r"mexcc", r"simulated.*mexc"),
        ({"TELEGRAM_TOKEN": "123456:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, r"owners", r"TELEGRAM_OWNERS|user id"),
        ({"REPORT_TIMEZONE": "Mars/Olympus"}, r"Mars/Olympus", r"Europe/Riga|time zone"),
    ],
)
def test_settings_errors_end_with_2(program: StartProgram, settings: dict[str, str], named: str, mend: str) -> None:
    coxswain = program(**settings)
    coxswain.expect(named, 30)
    coxswain.expect(mend, 30)
    assert coxswain.end_of_input() == 2
    assert coxswain.left_over() == []


def test_unknown_commands_and_symbols_are_answered(program: StartProgram) -> None:
    coxswain = program()
    coxswain.ask("/sumary", r"/summary", 30)
    coxswain.ask("/chart", r"/chart SYMBOL|Usage|symbol", 30)
    coxswain.ask("/startbot", r"Running: simulated exchange")
    coxswain.ask("/chart NOSUCHTOKEN", r"NOSUCHTOKEN", 30)
    coxswain.ask("/sell NOSUCHTOKEN", r"NOSUCHTOKEN", 30)
    coxswain.ask("/why NOSUCHTOKEN", r"NOSUCHTOKEN", 30)
    assert coxswain.end_of_input() == 0


def test_an_unreachable_exchange_is_told_and_does_not_hang(program: StartProgram) -> None:
    with socket.socket() as taken:  # a port where nobody answers
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        coxswain = program(EXCHANGE="mexc", EXCHANGE_BASE_URL=address)
        coxswain.send("/startbot")
        coxswain.ask("/why", r"Not trading because", 60)
        coxswain.ask("/ping", r"pong", 10)
        assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
