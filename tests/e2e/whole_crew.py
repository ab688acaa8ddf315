"""Every system at once on the simulated exchanges, TEST, so eager that each has something to show: for pictures, for
the tour of the dashboard and for its benchmark. Not for judging any system.
"""

import re
from pathlib import Path

from tests.backtest.candles import table, write_csv
from tests.e2e.harness import Program

SYMBOLS = '["BTCUSDT","ETHUSDT","SOLUSDT","BNBUSDT"]'
EAGER: dict[str, str] = {
    "SIMULATOR_SPEED": "6", "SIMULATOR_SEED": "7", "SIMULATOR_TOKENS": "25", "SIMULATOR_FUTURES": "5",
    "SIMULATOR_START": "2026-03-03T12:00:00Z",  # the same market in every run
    # A buys on any rise
    "HYPE_GROWTH_5M_PCT": "0.2", "HYPE_GROWTH_1H_PCT": "0.4", "HYPE_GROWTH_24H_PCT": "1", "HYPE_VOLUME_SURGE": "1",
    "HYPE_MIN_QUOTE_VOLUME": "10000", "HYPE_VETO_STRATEGIES": "", "HYPE_MAX_OPEN_TRADES": "8",
    "DASHBOARD_PORT": "0", "SENTIMENT_FEEDS": "", "FEED_LATE_AFTER_S": "30", "FEED_STALE_AFTER_S": "20",
    # C decides every market minute, its exits are far off
    "SHOWDOWN_SYMBOLS": SYMBOLS, "SHOWDOWN_DECIDE_S": "60", "SHOWDOWN_HISTORY_BARS": "200", "SHOWDOWN_SWING_BARS": "1",
    "SHOWDOWN_MIN_MOMENTUM": "0", "SHOWDOWN_MIN_CONFIDENCE": "0", "SHOWDOWN_MAX_RISK_SCORE": "1",
    "SHOWDOWN_MAX_FUNDING_PCT": "2", "SHOWDOWN_MAX_OI_FALL_PCT": "50", "SHOWDOWN_MAX_POSITION_USDT": "1000",
    "SHOWDOWN_SL_ATR": "4", "SHOWDOWN_TP1_ATR": "5", "SHOWDOWN_TP2_ATR": "9",
    # B trades on any flow
    "SCALPER_SYMBOLS": "ETHUSDT,SOLUSDT", "SCALPER_FLOW_S": "2", "SCALPER_FAST_S": "1", "SCALPER_BUY_SCORE": "0.05",
    "SCALPER_MIN_SPEED": "0", "SCALPER_MIN_TRADES": "0", "SCALPER_MAX_SPREAD_BPS": "100", "SCALPER_COST_FACTOR": "0",
    "SCALPER_MAX_VOLATILITY_BPS": "5000", "SCALPER_MAX_CHASE_BPS": "50", "SCALPER_MAX_BOOK_AGE_S": "10",
    "RISK_LOSING_STREAK": "1000", "SCALPER_HOLD_S": "600", "SCALPER_COOLDOWN_S": "60", "SCALPER_COMPILED": "false",
}
SERVICES = ("tracker", "scanner", "feed", "signals", "scalper", "showdown", "sentiment", "grid")


PASSWORD, LOOKING = "correct horse battery", "only looking at it"


def prepared(home: Path) -> Program:
    """The program, with some weeks of made-up candles for a backtest, and the dashboard's password."""
    program = Program(home)
    program.environment |= {**EAGER, "DASHBOARD_PASSWORD": PASSWORD, "DASHBOARD_VIEWER_PASSWORD": LOOKING}
    folder = home / "data" / "market_data"
    folder.mkdir(parents=True, exist_ok=True)
    for seed, symbol in enumerate(("ALPHAUSDT", "BETAUSDT", "GAMMAUSDT")):
        write_csv(folder / f"{symbol}.csv", table(seed, 20 * 288))
    return program


def start_all(program: Program, patience_s: float = 240.0) -> None:
    """Start every system by its command; ends when each service is ready."""
    program.ask("/startbot", r"Running: simulated exchange", patience_s)
    for line, answer in (("/startsignals", r"Signal bot|running"), ("/startscalper", r"Scalper is running"),
                         ("/startbtc", r"System C is running"), ("/sentimentfeed", r"entiment"),
                         ("/service sentiment start", r"entiment")):
        program.ask(line, answer, patience_s)
    grid(program, patience_s)
    for name in SERVICES:
        program.wait_ready(name, patience_s=patience_s)


def grid(program: Program, patience_s: float) -> None:
    """A small grid on paper, with all that may be asked answered by yes."""
    asked = program.ask("/startgrid BTCUSDT 0.001 5", r"Within the limits|It breaks limits|It cannot start|refuses|"
                        r"cannot be reckoned", patience_s)
    if re.search("limits", asked.group(0)):
        program.ask("yes", r"The grid is on|It cannot start", patience_s)
    else:
        program.ask("/service grid start", r"[Gg]rid", patience_s)
