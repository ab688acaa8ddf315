"""Test and live: /testmode_on /testmode_off /teststatus. It concerns new entries; what is held stays guarded."""

from modules.exchange.types import Mode, Unavailable
from modules.strategies.grid.store.records import Wanted
from modules.strategies.hype.files import TestMode, mode_file
from modules.telegram.command import Answer, Command, Group, Preview, Request, Role
from modules.telegram.commands.crew import exposure_lines, futures_stake, open_positions, stake, venue
from modules.telegram.commands.grid import stake as grid_stake
from modules.telegram.context import SCALPER, SCANNER, SHOWDOWN, TRACKER, Context
from modules.telegram.markup import b, code, esc, lines
from utils.figures import money, plural


def has_keys(context: Context) -> bool:
    """Whether live trading is possible at all: on the simulated exchange it always is."""
    exchange = context.settings.exchange
    return exchange.name == "simulated" or bool(
        exchange.api_key.get_secret_value() and exchange.api_secret.get_secret_value())


async def testmode_on(context: Context, request: Request) -> Answer:
    before = context.mode()
    await context.read(lambda: mode_file(context.paths).save(TestMode(test_mode=True)))
    held = await context.read(lambda: open_positions(context))
    live, grid = held[Mode.LIVE], await _grid_stays(context, Mode.TEST)
    if before is Mode.TEST:
        return Answer(lines(b("[TEST] Test mode was on already."), "Entries use paper money.", grid))
    return Answer(lines(b("[TEST] Test mode is on."), "New entries use paper money.",
                        *(exposure_lines({Mode.LIVE: live})),
                        "Live positions stay guarded to their exits." if live else None,
                        "→ /sellall live sells them." if live else None, grid))


async def testmode_off_preview(context: Context, request: Request) -> Preview | Answer:
    if context.mode() is Mode.LIVE:
        return Answer(lines(b(f"[LIVE] Live mode is on already: {stake(context, Mode.LIVE)}."),
                            "→ /testmode_on ends it."))
    if not has_keys(context):
        name = context.settings.exchange.name
        return Answer(lines(b("[TEST] Live needs keys; nothing was changed."),
                            f"No key for {esc(name.upper())} is set.",
                            f"→ Put {code('EXCHANGE_API_KEY')} and {code('EXCHANGE_API_SECRET')} into .env (a key that "
                            "may trade and may not withdraw), then /restartloop. Check with: python bot.py doctor"))
    told = await context.worker("key_report", {})
    if told["refused"]:
        return Answer(lines(b("[TEST] The key does not suit; nothing was changed."), esc(told["refused"])))
    hype = context.settings.hype
    size = (f"{hype.trade_share_pct:g}% of equity" if hype.trade_share_pct else f"{money(hype.trade_usdt)} USDT")
    held = await context.read(lambda: open_positions(context))
    tracker = context.service(TRACKER)
    stopped = tracker.info.get(f"stopped_{Mode.LIVE.lower()}") if tracker is not None else None
    running = "The scanner is not running; /startbot starts buying." if not context.running(SCANNER) else \
        f"Nothing is bought at first: {stopped}. See /risk." if stopped else "The scanner is running: it buys at once."
    text = lines(b("🔴 LIVE 🔴 Switch from test to LIVE?"), b(f"{venue(context)}: {stake(context, Mode.LIVE)}"),
                 f"Account: {money(float(told['usdt']))} USDT free",
                 f"A trade: {size}", f"At once: {plural(hype.max_open_trades, 'trade')}, "
                 f"together at most {money(hype.max_exposure_usdt)} USDT",
                 f"A day: at most {plural(hype.max_trades_per_day, 'entry', 'entries')}", esc(running),
                 _system_c(context), _system_b(context), await _grid_next(context),
                 await _grid_stays(context, Mode.LIVE), *exposure_lines(held),
                 "Test positions stay guarded on paper." if held[Mode.TEST] else None)
    mark = (f"{size} {hype.max_open_trades} {hype.max_exposure_usdt} {context.running(SCANNER)} {stopped} "
            f"{context.running(SHOWDOWN)} {context.running(SCALPER)}")
    return Preview(text, mark, "Yes, trade LIVE")


def _missing_keys(context: Context) -> str | None:
    """Which keys the futures account lacks for LIVE; None where none."""
    futures = context.settings.futures
    bybit = futures.speaks == "bybit"
    own = (futures.bybit_api_key, futures.bybit_api_secret) if bybit else (futures.api_key, futures.api_secret)
    if futures.name == "simulated" or all(one.get_secret_value() for one in own):
        return None
    name = "BYBIT" if bybit else "BINANCE"
    return f"{name}_API_KEY and {name}_API_SECRET are not set"


def _on_futures(context: Context, who: str, service: str, symbols: tuple[str, ...], limits: str) -> str:
    """What the switch means for a system of the futures account."""
    missing = _missing_keys(context)
    if missing:
        return f"{who} opens nothing LIVE: {missing}."
    when = "at once" if context.running(service) else "once it is started"
    return (f"{who} trades {esc(', '.join(symbols))} on the futures account {when} "
            f"({futures_stake(context, Mode.LIVE)}): {limits}.")


def _system_c(context: Context) -> str | None:
    """System C; None where it does not trade."""
    own = context.settings.showdown
    if not own.trade:
        return None
    return _on_futures(context, "System C", SHOWDOWN, tuple(own.symbols),
                       f"{own.risk_pct:g}% risk a trade, at most {money(own.max_position_usdt)} USDT a position")


def _system_b(context: Context) -> str:
    """The scalper."""
    own = context.settings.scalper
    return _on_futures(context, "The scalper", SCALPER, tuple(own.symbols),
                       f"{own.risk_pct:g}% risk a trade, at most {money(own.max_position_usdt)} USDT a position, "
                       f"{own.most_open} at once")


async def _grid_next(context: Context) -> str:
    """What the next /startgrid trades with."""
    from modules.strategies.grid.live import standalone  # with what it loads: only when it is needed
    try:
        standalone.credentials(context.settings.bitget, Mode.LIVE)
    except Unavailable:
        return "The grid cannot trade LIVE: BITGET_API_KEY, BITGET_SECRET_KEY and BITGET_PASSPHRASE are not all set."
    return f"The next /startgrid trades LIVE ({grid_stake(context, Mode.LIVE)}) and shows first what it can lose."


async def _grid_stays(context: Context, mode: Mode) -> str | None:
    """A grid keeps the account that it began with: it is named where that is not the mode's."""
    found, _ = await context.read(context.grids.seen)
    own = next((one for one in found if one.user_id == context.settings.gridlive.user), None)
    if own is None or own.seen is None or own.seen.word in ("", mode.value):
        return None
    if own.wanted is Wanted.STOPPED:
        return f"The stopped grid on {esc(own.symbol)} still holds its {own.seen.word} positions. → /grid"
    loud = "🔴 " if own.seen.word == Mode.LIVE else ""
    does = (f"goes on {own.seen.word}, new levels too" if own.wanted is Wanted.RUNNING else
            f"is {own.wanted.lower()} in {own.seen.word}")
    return f"{loud}The grid on {esc(own.symbol)} {does}. → /stopgrid close ends it; /startgrid then begins in {mode}"


async def testmode_off(context: Context, request: Request) -> Answer:
    await context.read(lambda: mode_file(context.paths).save(TestMode(test_mode=False)))
    return Answer(lines(b("🔴 [LIVE] Live mode is on."), f"New entries trade on the {esc(venue(context))}.",
                        "→ /testmode_on goes back, /sellall live sells, /pause stops buying."))


async def teststatus(context: Context, request: Request) -> Answer:
    mode = context.mode()
    held = await context.read(lambda: open_positions(context))
    meaning = f"New entries trade with {stake(context, mode)}."
    keys = "Keys for live are set." if has_keys(context) else "No keys for live are set."
    return Answer(lines(b(f"[{mode}] Test mode is {'on' if mode is Mode.TEST else 'off'}."), meaning, keys,
                        *exposure_lines(held), await _grid_stays(context, mode),
                        "→ /testmode_off for live" if mode is Mode.TEST else "→ /testmode_on for test"))


COMMANDS = (
    Command("testmode_on", "Trade with paper money", Group.MODE, testmode_on),
    Command("testmode_off", "Trade LIVE with real money", Group.MODE, testmode_off, preview=testmode_off_preview,
            money=True),
    Command("teststatus", "Whether test mode is on", Group.MODE, teststatus, Role.VIEWER),
)
