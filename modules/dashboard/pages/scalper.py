"""Scalper (system B): what it sees of order flow, sentiment with where it comes from, keys' health, trades, and why it
opens nothing. From files that scalper and sentiment write, and the shared page of API keys (masked).
"""

from itertools import accumulate
from typing import Any

import msgspec

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.profiles import PROFILES
from modules.apikeys.rotation_log import NAME as ROTATION
from modules.dashboard.pages.reasons import Check, alive, check, explained
from modules.dashboard.pages.sources import Sources
from modules.exchange.types import Mode
from modules.sentiment.board import FILE, Board, State, read_state
from modules.sentiment.mood import MARKET
from modules.storage.damage import StateError
from modules.strategies.scalper.records import VIEW, Trade, state_file
from modules.strategies.scalper.words import ENDS
from utils.logs import log_path, tail
from utils.page import Busy
from utils.wall import now_ms

KEYS_S, MOODS_S = 10.0, 1.0
TEXTS, SWITCHES, MOST_MOODS = 30, 15, 40
QUIET = frozenset({"SCORE", "COST", "HELD", "COOL_DOWN", "BUSY", "OK"})  # how it should be most of the time
View = dict[str, Any]


class ScalperPage:
    """Takes no arguments."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._board = Board(sources.paths)

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        sources = self._sources
        view = sources.while_same(sources.paths.data / VIEW, lambda: _view(sources))
        state = sources.while_same(sources.paths.data / FILE, lambda: read_state(sources.paths))
        done = trades(sources)
        return {"head": head(sources, view), "why": why(sources, view),
                "contracts": view["contracts"] if view else [], "open": opened(view),
                "signals": list(reversed(view["signals"])) if view else [], "refused": refused(view),
                "trades": done[:100], "curve": curve(done, str(sources.mode())),
                "sentiment": sources.for_a_while("moods", MOODS_S, lambda: self._moods(state)),
                "texts": texts(state), "keys": sources.for_a_while("apikeys", KEYS_S, lambda: keys(sources)),
                "switches": sources.while_same(log_path(sources.paths, ROTATION),
                                               lambda: tail(sources.paths, ROTATION, SWITCHES)[::-1])}

    def _moods(self, state: State | None) -> dict[str, Any]:
        """Each symbol's mood now, the market first."""
        if state is None:
            return {"rows": [], "local": "", "sources": {}, "providers": {}}
        simulated = self._sources.settings.feed.venue == "simulated"
        now = state.made_ms if simulated else max(now_ms(), state.made_ms)
        names = [MARKET, *sorted(name for name in state.gauges if name != MARKET)][:MOST_MOODS]
        rows = [msgspec.to_builtins(found) for name in names if (found := self._board.mood(name, now)) is not None]
        return {"rows": rows, "local": state.local, "sources": state.sources, "providers": state.providers}


def _view(sources: Sources) -> View | None:
    try:
        found: View = msgspec.json.decode((sources.paths.data / VIEW).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    return found


def head(sources: Sources, view: View | None) -> dict[str, Any]:
    """Each mode's account in figures."""
    own = sources.settings.scalper
    shown: dict[str, Any] = {"symbols": own.symbols, "modes": [], "ms": view["ms"] if view else 0,
                             "mode": view["mode"] if view else str(sources.mode())}
    names = ("equity", "today", "day_pnl", "trades", "wins", "pnl", "fees", "problem")
    for mode, one in (view["modes"] if view else {}).items():
        shown["modes"].append({"mode": mode, "most": own.trades_a_day, **{name: one[name] for name in names}})
    return shown


def why(sources: Sources, view: View | None) -> dict[str, Any]:
    """Why nothing is opened."""
    rows: list[Check] = [alive(sources, "scalper", "/startscalper"), alive(sources, "feed", "/startscalper")]
    if view is None:
        return explained([*rows, check("data", False, "it has not run yet", "/startscalper")])
    mode = view["modes"].get(view["mode"])
    rows.append(check("data", not view["waiting"], view["waiting"] or "it has what it needs"))
    if mode is None:
        rows.append(check("account", False, "the account is being opened"))
        return explained(rows)
    rows.append(check("account", not mode["problem"], mode["problem"] or "entries are allowed", "/risk, /futures"))
    most = sources.settings.scalper.most_open
    held = len(mode["open"])
    rows.append(check("open trades", held < most, f"{held} of at most {most} positions are open"))
    for one in view["contracts"]:
        rows.append(check(one["symbol"], one["code"] in ("OK", "HELD"), one["why"],
                          "" if one["code"] in QUIET else "/logs feed, /logs scalper"))
    if held:
        return {**explained(rows), "headline": f"It holds {held}; stop and target stand on the exchange."}
    return explained(rows, "Nothing stands in the way: it waits for the next signal.")


def opened(view: View | None) -> list[dict[str, Any]]:
    """Positions and waiting entries of both modes, with the price they would close at."""
    rows: list[dict[str, Any]] = []
    if view is None:
        return rows
    prices = {one["symbol"]: one for one in view["contracts"]}
    for mode, found in view["modes"].items():
        for one in found["open"]:
            quote = prices.get(one["symbol"], {})
            now = quote.get("bid") if one["side"] > 0 else quote.get("ask")
            entry = float(one["entry"]) or None
            left_s = max(0, one["deadline_ms"] - view["ms"]) // 1000 if one["opened_ms"] else None
            move = (now / entry - 1) * 100 * one["side"] if now and entry else None
            rows.append({"mode": mode, "symbol": one["symbol"], "word": one["word"], "now": now, "entry": entry,
                         "move": move, "quantity": float(one["filled"] or one["quantity"]),
                         "stop": float(one["stop"]), "take": float(one["take"]), "opened_ms": one["opened_ms"],
                         "left_s": left_s, "score": one["score"], "closing": ENDS.get(one["closing"], one["closing"]),
                         "id": one["id"]})
    return rows


def refused(view: View | None) -> list[tuple[str, int]]:
    """How often which refusal came, in the mode in force."""
    mode = (view["modes"].get(view["mode"]) or {}) if view else {}
    return sorted(mode.get("refused", {}).items(), key=lambda one: -one[1])


def trades(sources: Sources) -> list[dict[str, Any]]:
    """The newest trades of both modes, newest first; the state's own figures, not the view's."""
    rows = []
    for mode in Mode:
        file = state_file(sources.paths, mode)
        try:
            state = sources.while_same(file.path, file.load)
        except StateError:
            continue  # the service says so itself
        rows += [_trade(str(mode), one) for one in state.last]
    return sorted(rows, key=lambda row: -row["closed_ms"])


def _trade(mode: str, one: Trade) -> dict[str, Any]:
    return {"id": one.id, "mode": mode, "symbol": one.symbol, "word": one.word, "score": one.score,
            "entry": float(one.entry), "exit": float(one.exit), "quantity": float(one.filled), "fees": float(one.fees),
            "pnl": float(one.pnl), "pnl_pct": one.pnl_pct, "why": ENDS.get(one.why, one.why), "maker": one.maker,
            "opened_ms": one.opened_ms, "closed_ms": one.closed_ms,
            "parts": sorted(one.parts.items(), key=lambda part: -abs(part[1]))[:5]}


def curve(done: list[dict[str, Any]], mode: str) -> list[tuple[int, float]]:
    """(seconds, USDT): the sum of the newest trades' results of one mode, from 0 on."""
    mine = [row for row in reversed(done) if row["mode"] == mode and row["closed_ms"]]
    points = {mine[0]["opened_ms"] // 1000 - 1: 0.0} if mine else {}
    points |= dict(zip((row["closed_ms"] // 1000 for row in mine), accumulate(row["pnl"] for row in mine), strict=True))
    return sorted(points.items())


def texts(state: State | None) -> list[dict[str, Any]]:
    """The newest texts with who scored them."""
    if state is None:
        return []
    return [{"id": one.id, "score": one.score, "confidence": one.confidence,
             "symbols": ", ".join(one.symbols) or "market", "text": one.text[:160], "source": one.source,
             "provider": one.provider, "fallback": one.fallback,
             "age_s": max(0, state.made_ms - one.known_ms) // 1000} for one in state.recent[:TEXTS]]


def keys(sources: Sources) -> dict[str, Any]:
    """How each API key does, masked; the page is held for some microseconds."""
    manager = ApiManager.open(sources.settings.apikeys, sources.paths)
    try:
        rows = [{**{name: getattr(one, name) for name in ("owner", "mask", "why", "serves", "calls", "good", "left",
                                                          "day_calls", "day_tokens", "day_usd")},
                 "provider": PROFILES[one.provider].title, "state": str(one.state), "rest_s": round(one.rest_s)}
                for one in manager.health()]
        return {"rows": rows, "problem": manager.problem}
    except Busy:
        return {"rows": [], "problem": "another process holds the state of keys"}
    finally:
        manager.close()
