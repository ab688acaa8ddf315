"""System C: /startbtc /stopbtc /btc, and the manual sources /etf /liqmap /sentiment."""

from typing import Any

import msgspec

from modules.exchange.types import Mode, Unavailable
from modules.storage.damage import StateError
from modules.strategies.showdown import review, words
from modules.strategies.showdown.files import ShowdownFiles, last
from modules.strategies.showdown.manual import BIGGEST_TEXT, EXAMPLES, TITLES, Invalid, Kind
from modules.strategies.showdown.manual_store import ManualStore, Version
from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.records import Decision, Flow, Snapshot
from modules.strategies.showdown.trade_book import open_trades
from modules.strategies.showdown.us_days import lives_until_ms, newest_flows
from modules.supervision.messages import Inbox
from modules.telegram.command import Answer, Arg, Button, Command, Group, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import troubles
from modules.telegram.context import SENDER, SHOWDOWN, Context
from modules.telegram.market_now import market_now
from modules.telegram.markup import b, code, esc, lines
from utils.figures import duration, price, when
from utils.wall import now_ms

SERVICE = SHOWDOWN
INTERVALS = ("5m", "15m", "1h")
PRICE_LIVES_MS = 900_000
PROBLEMS = 5  # of what somebody entered, told at once


def files_of(context: Context, symbol: str = "") -> ShowdownFiles:
    """The files of a contract, of the first one where none is named. Raises Refusal for one that is not decided on."""
    symbols = context.settings.showdown.symbols
    chosen = symbol or symbols[0]
    if chosen not in symbols:
        raise Refusal(f"{esc(chosen)} is not decided on: {esc(', '.join(symbols))} (setting showdown.symbols).")
    return ShowdownFiles(context.paths, chosen, chosen == symbols[0])


async def startbtc(context: Context, request: Request) -> Answer:
    trouble = troubles(await context.crew.start(SERVICE))
    if trouble:
        raise Refusal(trouble)
    own, mode = context.settings.showdown, context.mode()
    account = "paper money" if mode is Mode.TEST else "🔴 the futures account at the exchange"
    trades = f"It trades with {account}, {own.risk_pct:g} % risk a trade." if own.trade else words.SIGNALS_ONLY
    return Answer(lines(b(f"[{mode}] System C is running on {', '.join(own.symbols)}."),
                        f"It collects every {duration(own.collect_s)} and decides every {duration(own.decide_s)} "
                        f"(market time). {trades}",
                        "→ /btc shows the decision, why, and what is held; /etf /liqmap /sentiment tell it what you "
                        "know; /closebtc closes a position, /stopbtc stops it."))


async def stopbtc(context: Context, request: Request) -> Answer:
    held = await context.read(lambda: _open_trades(context))
    kept = await context.crew.stop(SERVICE)
    told = [f"[{mode}] {words.trade_line(trade)}" for mode, trade in held]
    if SERVICE in kept:
        raise Refusal(lines(b(f"[{context.mode()}] System C keeps running: it holds a position."), *map(esc, told),
                            "→ /closebtc closes it at the market; then /stopbtc."))
    return Answer(lines(b(f"[{context.mode()}] System C stopped."), "It holds no position. What it collected stays; "
                        "gaps are filled at the next start.", "→ /startbtc starts it again."))


def _open_trades(context: Context) -> list[tuple[Mode, Trade]]:
    """What is followed, by mode. Raises StateError."""
    return [(mode, trade) for mode in Mode for trade in open_trades(context.paths.data, mode).values()]


async def closebtc_preview(context: Context, request: Request) -> Preview | Answer:
    held = await context.read(lambda: _open_trades(context))
    symbol = request.text("symbol")
    mine = [(mode, trade) for mode, trade in held if not symbol or trade.symbol == symbol]
    if not mine:
        return Answer(lines(b(f"[{context.mode()}] System C holds nothing{f' in {esc(symbol)}' if symbol else ''}."),
                            "→ /btc shows the decision."))
    if not context.running(SERVICE):
        return Answer(lines(b(f"[{context.mode()}] System C is not running; nothing was done."),
                            "→ /startbtc starts it, then /closebtc."))
    now = _held_now(context)
    told = [f"{b(f'[{mode}]')} {esc(now.get((str(mode), trade.symbol)) or words.trade_line(trade))}"
            for mode, trade in mine]
    return Preview(lines(b("Close at the market?"), *told, "Orders that still open it are cancelled first."),
                   " ".join(f"{mode}{trade.id}" for mode, trade in mine), "Yes, close")


async def closebtc(context: Context, request: Request) -> Answer:
    symbol = request.text("symbol")
    held = await context.read(lambda: _open_trades(context))
    names = sorted({trade.symbol for _, trade in held if not symbol or trade.symbol == symbol})
    inbox, by = Inbox(context.paths.inbox, SERVICE), request.sender.name
    await context.read(lambda: [inbox.post("close", {"symbol": name, "by": by}, SENDER) for name in names])
    return Answer(lines(b(f"[{context.mode()}] Closing {esc(', '.join(names)) or 'nothing'}."),
                        "The result follows as a message.", "→ /btc shows what is held."))


def _held_now(context: Context) -> dict[tuple[str, str], str]:
    """What the running service says of its positions, by mode and contract."""
    service = context.service(SERVICE)
    info = service.info if service is not None else {}
    return {(mode, row["symbol"]): words.held_line(row)
            for mode, account in info.get("accounts", {}).items() for row in account["held"]}


async def btc(context: Context, request: Request) -> Answer:
    files = files_of(context, request.text("symbol"))
    snap, flow, decision = await context.read(lambda: last(files))
    if snap is None or flow is None or decision is None:
        todo = ("→ /logs showdown tells what it does." if context.running(SERVICE)
                else "→ /startbtc; the first decision comes within a minute.")
        raise Refusal(lines(f"Nothing is decided on {esc(files.symbol)} yet.", todo))
    interval = request.text("interval", "15m")
    now = await market_time(context)
    text = lines(*await context.read(lambda: _told(context, snap, flow, decision, now)))
    buttons = tuple(Button(name, f"run:/btc {files.symbol} {name}") for name in INTERVALS if name != interval)
    try:
        told = await context.worker("showdown", _spec(context, snap, flow, decision, interval))
    except Unavailable as problem:
        return Answer(lines(text, f"No picture: {esc(problem)}"), buttons=(buttons,))
    return Answer(text, picture=context.paths.data / told["picture"], buttons=(buttons,))


def _told(context: Context, snap: Snapshot, flow: Flow, decision: Decision, now: int) -> list[str | None]:
    own, service = context.settings.showdown, context.service(SERVICE)
    age_s = max(0.0, (now - decision.ms) / 1000)
    old = age_s > 2 * own.decide_s
    trends = ", ".join(f"{name} {one.trend}{' (fading)' if one.fading else ''}"
                       for name, one in snap.timeframes.items())
    error = service.info.get("error") if service is not None else ""
    optional = [name for name, one in flow.inputs.items() if name in decision.absent and not one.required]
    at = f"at {price(snap.price)}, " if snap.price else ""
    return [
        b(f"[{decision.mode}] {words.headline(decision)}"),
        f"{at}{duration(age_s)} ago · {snap.session} session"
        + (f" · ⚠️ too old to act on{'' if context.running(SERVICE) else ': system C is not running'}" if old else ""),
        f"⚠️ {esc(error)}" if error else None,
        esc(words.size_line(decision)) or None,
        b("Why: ") + esc("; ".join(words.chain(decision)[:4]).replace(":; ", ": ")),
        *(esc(line) for line in review.said(decision)),
        b("Structure: ") + esc(trends or "not known"),
        *(esc(line) for line in words.flow_lines(flow)),
        esc(f"Absent, counts as neutral: {', '.join(optional)}") if optional else None,
        *_position(context, decision.symbol),
    ]


def _position(context: Context, symbol: str) -> list[str]:
    """What is held, by the running service, else by its file."""
    if not context.settings.showdown.trade:
        return [esc(words.SIGNALS_ONLY)]
    now = _held_now(context)
    lines_ = []
    for mode, trade in _open_trades(context):
        if trade.symbol == symbol:
            told = now.get((str(mode), symbol)) or f"{words.trade_line(trade)} (as last written)"
            lines_.append(b(f"[{mode}] ") + esc(told))
    return lines_ or [f"[{context.mode()}] No position."]


def _spec(context: Context, snap: Snapshot, flow: Flow, decision: Decision, interval: str) -> dict[str, Any]:
    """What the worker draws."""
    frame = snap.timeframes.get(interval)
    return {"symbol": snap.symbol, "interval": interval, "zone": context.zone,
            "candles": snap.candles.get(interval, ()),
            "swings": msgspec.to_builtins(frame.swings) if frame is not None else [],
            "trend": ("broken" if frame.broken else frame.trend) if frame is not None else "unknown",
            "pools": list(flow.zones), "decision": msgspec.to_builtins(decision)}


async def market_time(context: Context) -> int:
    """Market time as good as an entry's age needs it: the simulated exchange's clock, else the calendar's."""
    return await market_now(context) if context.settings.futures.name == "simulated" else now_ms()


async def enter(context: Context, kind: Kind, text: str, source: str) -> tuple[Version, int]:
    """A manual source entered by a person, by any channel. Raises Invalid with every error, StateError, OSError."""
    files, now = files_of(context), await market_time(context)
    snap, _, _ = await context.read(lambda: last(files))
    known = snap.price if snap is not None and abs(now - snap.ms) <= PRICE_LIVES_MS else None
    return await context.read(lambda: ManualStore(files).enter(kind, text, source, known, now)), now


async def _manual(context: Context, request: Request, kind: Kind) -> Answer:
    text = request.text("text").strip()
    if request.attached:
        if text:
            raise Refusal(f"/{kind} came with a file and with text; send one of them. Nothing changed.")
        text = request.attached
    try:
        if not text:
            return await _shown(context, kind)
        if text.lower() == "undo" and not request.attached:
            try:
                return await _undone(context, kind)
            except Invalid:
                raise Refusal(f"{TITLES[kind]}: nothing was entered, so nothing can be taken back.") from None
        version, _ = await enter(context, kind, text, request.sender.channel)
    except Invalid as problem:
        raise Refusal(lines(b(f"{TITLES[kind]} not taken; nothing changed."),
                            *(f"· {esc(one)}" for one in problem.problems[:PROBLEMS]),
                            f"· and {left} more" if (left := len(problem.problems) - PROBLEMS) > 0 else None,
                            f"→ for example {code(f'/{kind} {EXAMPLES[kind]}')}")) from None
    except (StateError, OSError) as problem:
        raise Refusal(f"{TITLES[kind]} could not be written: {esc(problem)}") from None
    return Answer(lines(b(f"{TITLES[kind]}: version {version.version} counts from the next decision on."),
                        _stale(kind, version), *_body(kind, version.body), f"→ /{kind} undo takes it back."))


def _stale(kind: Kind, version: Version) -> str | None:
    """What was taken and is out of date all the same."""
    if kind != "etf" or lives_until_ms(newest := newest_flows(version.body["days"])) > version.entered_ms:
        return None
    return f"⚠️ Its newest flows, of {newest}, are out of date already: neutral until newer ones are added."


async def _shown(context: Context, kind: Kind) -> Answer:
    files = files_of(context)
    rows = (await context.read(ManualStore(files).versions)).get(kind, [])
    counts = next((row for row in reversed(rows) if row.undone_ms is None), None)
    example = (f"→ enter it with {code(f'/{kind} {EXAMPLES[kind]}')} or JSON, "
               f"or put a file {code(files.manual(kind).name)} into data/")
    if counts is None:
        return Answer(lines(b(f"{TITLES[kind]}: nothing was entered; it counts as neutral."), example))
    return Answer(lines(b(f"{TITLES[kind]}: version {counts.version} of {when(counts.entered_ms, context.zone)} "
                          f"({counts.source})"), *_body(kind, counts.body), example, f"→ /{kind} undo takes it back"))


async def _undone(context: Context, kind: Kind) -> Answer:
    now = await market_time(context)
    undone, left = await context.read(lambda: ManualStore(files_of(context)).undo(kind, now))
    stands = f"Version {left.version} counts again." if left is not None else "Nothing counts now: it is neutral."
    return Answer(lines(b(f"{TITLES[kind]}: version {undone.version} was taken back."), stands))


def _body(kind: Kind, body: dict[str, Any]) -> list[str]:
    if kind == "sentiment":
        halt = " · HALT: no entries" if body["halt"] else ""
        return [esc(f"Score {body['score']:+.2f} (−1 bearish … +1 bullish){halt} {body['note']}")]
    if kind == "etf":
        newest = sorted(body["days"], key=lambda day: str(day["date"]), reverse=True)[:5]
        return [esc(f"{day['date']}  {sum(day['flows'].values()) / 1e6 if day['flows'] else day['total'] / 1e6:+,.1f} "
                    "M USD") for day in newest]
    zones = sorted(body["zones"], key=lambda zone: -float(zone["high"]))
    return [esc(f"{zone['side']}s {zone['low']:g}–{zone['high']:g}  {zone['size_usd'] / 1e6:,.0f} M USD")
            for zone in zones[:10]] + ([f"… and {len(zones) - 10} more"] if len(zones) > 10 else [])


async def etf(context: Context, request: Request) -> Answer:
    return await _manual(context, request, "etf")


async def liqmap(context: Context, request: Request) -> Answer:
    return await _manual(context, request, "liqmap")


async def sentiment(context: Context, request: Request) -> Answer:
    return await _manual(context, request, "sentiment")


_TEXT = (Arg("text", "text", "what to enter, as text or JSON, or a file attached; undo takes the newest "
                             "back; empty shows it"),)
COMMANDS = (
    Command("startbtc", "Start system C: decisions on BTCUSDT", Group.CREW, startbtc),
    Command("stopbtc", "Stop system C (it stays while it holds a position)", Group.CREW, stopbtc),
    Command("closebtc", "Close system C's position at the market", Group.TRADING, closebtc, preview=closebtc_preview,
            money=True, args=(Arg("symbol", "symbol", "contract, default all that it holds"),)),
    Command("btc", "Decision of system C, why, and its chart", Group.SIGNALS, btc, Role.VIEWER,
            args=(Arg("interval", "choice", "candles in the picture", choices=INTERVALS),
                  Arg("symbol", "symbol", "contract, default the first"))),
    Command("etf", "ETF flows for system C: show, enter, undo", Group.SIGNALS, etf, args=_TEXT,
            takes_file=BIGGEST_TEXT),
    Command("liqmap", "Liquidation map for system C: show, enter, undo", Group.SIGNALS, liqmap, args=_TEXT,
            takes_file=BIGGEST_TEXT),
    Command("sentiment", "Your sentiment for system C: show, enter, undo", Group.SIGNALS, sentiment, args=_TEXT,
            takes_file=BIGGEST_TEXT),
)
