"""/apikeys: how every API key does, masked. /sentimentfeed: what the news say, where from, and how sure that is."""

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.health import KeyHealth, KeyState
from modules.apikeys.profiles import PROFILES
from modules.apikeys.rotation_log import NAME as ROTATION
from modules.sentiment.board import Board, State, read_state
from modules.sentiment.mood import MARKET, Mood, Scored
from modules.telegram.command import AGAIN, Answer, Arg, Button, Command, Group, Refusal, Request, Role
from modules.telegram.commands.crew import troubles
from modules.telegram.context import Context
from modules.telegram.markup import b, esc, lines
from utils.figures import duration, plural
from utils.logs import tail
from utils.page import Busy
from utils.wall import now_ms

SERVICE = "sentiment"
SIGNS = {KeyState.READY: "✅", KeyState.RESTING: "⏳", KeyState.EXHAUSTED: "🪫", KeyState.REFUSED: "⛔"}
SIDES = ((0.1, "▲ bullish"), (-0.1, "▼ bearish"))
SWITCHES, TEXTS = 3, 6


async def apikeys(context: Context, request: Request) -> Answer:
    rows, problem = await context.read(lambda: _health(context))
    ready = sum(row.state is KeyState.READY for row in rows)
    head = b(f"API keys: {ready} of {len(rows)} ready") if rows else b("There is no API key.")
    told: list[str | None] = [head, f"⚠️ {esc(problem)}" if problem else None]
    for provider in dict.fromkeys(row.provider for row in rows):
        told.append(b(PROFILES[provider].title))
        told += [_key(row) for row in rows if row.provider == provider]
    without = [name for name in PROFILES if not any(row.provider == name for row in rows)]
    if without:
        told.append(esc(f"No key: {', '.join(without)}."))
    if not rows:
        told.append("Sentiment is scored by the local model; news feeds and files need no key. The exchange's own key "
                    "is in EXCHANGE_API_KEY and BINANCE_API_KEY.")
    switches = await context.read(lambda: tail(context.paths, ROTATION, SWITCHES))
    if switches:
        told += ["", "Last changes:", *(esc(_short(line)) for line in switches)]
    told.append("→ on the computer: bot.py apikeys add PROVIDER --owner NAME")
    return Answer(lines(*told), buttons=((Button(AGAIN, "run:/apikeys"),),))


def _health(context: Context) -> tuple[list[KeyHealth], str]:
    manager = ApiManager.open(context.settings.apikeys, context.paths)
    try:
        return manager.health(), manager.problem
    except Busy:
        return [], "another process holds the state of keys; ask again"
    finally:
        manager.close()


def _key(row: KeyHealth) -> str:
    state = "serves" if row.serves and row.state is KeyState.READY else str(row.state)
    rests = f" {duration(row.rest_s)} more ({row.why})" if row.rest_s else ""
    today = f" · today {plural(row.day_calls, 'call')}"
    if row.day_tokens:
        today += f", {row.day_tokens:,} tokens, {row.day_usd:.4f} USD"
    left = f" · {row.left:.0f} left" if row.left >= 0 else ""
    good = f"{row.good} of {row.calls} good"
    return esc(f"{SIGNS[row.state]} {row.owner} {row.mask}: {state}{rests} · {good}{today}{left}")


def _short(line: str) -> str:
    """Time of day and words of a line of the rotation log."""
    stamp, _, words = line.partition(" ")
    return f"{stamp[11:19]} {words}"


async def sentimentfeed(context: Context, request: Request) -> Answer:
    what = request.text("what").upper()
    if what == "ON":
        trouble = troubles(await context.crew.start(SERVICE))
        if trouble:
            raise Refusal(trouble)
        return Answer(lines(b("Sentiment is read."), "News and posts are scored as they come; the scalper uses them.",
                            "→ /sentimentfeed shows the mood, /apikeys the providers' keys."))
    if what == "OFF":
        await context.crew.stop(SERVICE)
        return Answer(lines(b("Sentiment is no longer read."), "What is known fades; the record stays.",
                            "→ /sentimentfeed on reads it again."))
    state = await context.read(lambda: read_state(context.paths))
    if state is None:
        raise Refusal(lines(b("No sentiment is known yet."), "→ /sentimentfeed on reads news; the local model scores "
                            "them where there is no key."))
    if what and what not in state.gauges and f"{what}USDT" in state.gauges:
        what = f"{what}USDT"
    # A simulated market's time is what the service wrote last; it writes every two seconds.
    now = state.made_ms if context.settings.feed.venue == "simulated" else max(now_ms(), state.made_ms)
    return Answer(lines(*await context.read(lambda: _told(context, state, what, now))),
                  buttons=((Button(AGAIN, f"run:/sentimentfeed {what}".strip()),),))


def _told(context: Context, state: State, symbol: str, now: int) -> list[str | None]:
    board = Board(context.paths)
    chosen = [symbol] if symbol else [MARKET, *sorted(name for name in state.gauges if name != MARKET)]
    moods = [found for name in chosen if (found := board.mood(name, now)) is not None]
    moods.sort(key=lambda one: (one.symbol != MARKET, -abs(one.score)))
    texts = [text for text in state.recent if not symbol or symbol in text.symbols][:TEXTS]
    old = context.running(SERVICE)
    return [b(f"Sentiment of {symbol}" if symbol else "Sentiment"),
            None if old else "⚠️ It is not read at present; what is known fades. → /sentimentfeed on",
            f"ℹ️ {esc(state.local)}" if state.local else None,
            *(esc(_mood(one)) for one in moods), None if moods else "Nothing was said yet.",
            "", *(_text(text, now) for text in texts),
            "", *(esc(f"{name}: {what}") for name, what in {**state.providers, **state.sources}.items())]


def _mood(one: Mood) -> str:
    side = next((word for least, word in SIDES if (one.score >= least > 0) or (one.score <= least < 0)), "– neutral")
    name = "market" if one.symbol == MARKET else one.symbol
    back = ", fallback" if one.fallback else ""
    return (f"{name} {side} {one.score:+.2f}, {one.confidence:.0%} sure · {plural(one.texts, 'text')}, newest "
            f"{duration(one.age_s)} old · {', '.join(one.providers)}{back}")


def _text(text: Scored, now: int) -> str:
    names = ", ".join(text.symbols) or "market"
    return (f"{text.score:+.2f} {esc(names)} · {esc(text.text[:90])} ({esc(text.source)}, "
            f"{duration(max(0, now - text.known_ms) / 1000)} ago)")


COMMANDS = (
    Command("apikeys", "Health of every API key, masked", Group.HELP, apikeys, Role.VIEWER),
    Command("sentimentfeed", "Sentiment of news and posts: by symbol, where from, how sure", Group.SIGNALS,
            sentimentfeed, args=(Arg("what", "text", "on, off, or a symbol"),)),
)
