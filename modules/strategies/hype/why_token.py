"""/why SYMBOL: one token through every filter, each with its figure and the bar it is held against."""

from modules.market import universe
from modules.strategies.hype.reasons import Refusal, from_code, sentence
from modules.strategies.hype.scan_report import BoardRow, LastCheck
from modules.strategies.hype.why_view import Check, View, pct, span, times, usdt


def checks(view: View, typed: str) -> list[Check]:
    """Every check of the token, in the scanner's own order."""
    board = {row.symbol: row for row in view.report.board}
    symbol, near = universe.resolve(typed, board)
    if symbol is None:
        return [_unknown(view, typed, near)]
    row = board[symbol]
    seen = view.report.checks.get(symbol)
    found = [_held(view, symbol), _rest(view, symbol), *_screened(view, row)]
    if seen is not None:
        found += _looked_at(view, seen)
    elif row.code == Refusal.NONE:
        found.append(Check("Close look", False, f"{symbol} has not had its close look yet.", "", "",
                           "Wait for the next scan."))
    return found


def _unknown(view: View, typed: str, near: list[str]) -> Check:
    if not view.report.board:
        return Check("Symbol", False, "no scan has seen the market yet.", typed, "", "Send /startbot, or wait.")
    todo = f"Did you mean {', '.join(near)}?" if near else "Check the name, e.g. PEPEUSDT."
    return Check("Symbol", False, f"the exchange lists no {universe.symbol_of(typed)}.", typed, "", todo)


def _held(view: View, symbol: str) -> Check:
    if symbol in view.positions:
        return Check("Not held", False, f"{symbol} is already held in {view.mode.value}.", "held", "", "See /tracked.")
    return Check("Not held", True, "no position is open.", "free")


def _rest(view: View, symbol: str) -> Check:
    rest = view.trades.rest(symbol)
    left = rest.until_ms - view.now_ms
    if left > 0:
        return Check("Cool-down", False, f"{symbol} rests for another {span(left)} after {rest.why}.", span(left), "0",
                     "Wait, or change hype.cooldown_after_stop_s and hype.cooldown_after_sell_s.")
    return Check("Cool-down", True, "no cool-down.", "none")


def _screened(view: View, row: BoardRow) -> list[Check]:
    """The filters of the whole-market screening with this token's figures."""
    bars, codes = view.report.bars, Refusal(row.code)
    price, volume, spread = row.price, row.quote_volume, row.spread_pct
    grown = ", ".join(f"{over} {pct(value)}" for over, value in _growths(row))
    needed = ", ".join(f"{over} {bars.get(f'growth_{over}_pct', 0):g} %" for over, _ in _growths(row))
    listed = Check("Listed and trading", codes is not Refusal.NOT_TRADING, f"{row.symbol} " + (
        sentence(Refusal.NOT_TRADING) if codes is Refusal.NOT_TRADING else "is listed and trades") + ".")
    if codes is Refusal.NOT_TRADING:
        return [listed]
    low, high = bars.get("min_price", 0.0), bars.get("max_price", 0.0)
    widest, least = bars.get("max_spread_pct", 0.0), bars.get("min_quote_volume", 0.0)
    rows = [
        listed,
        Check("Open to API orders", codes is not Refusal.API_CLOSED, f"{row.symbol} " + (
            sentence(Refusal.API_CLOSED) if codes is Refusal.API_CLOSED else "takes orders through the API") + "."),
        Check("Price", price is not None and low <= price <= high, f"its price of {price} USDT lies outside {low:g} … "
              f"{high:g}.", f"{price}", f"{low:g} … {high:g}", "hype.min_price and hype.max_price set the range."),
        Check("Volume 24 h", volume is not None and volume >= least, f"it trades {usdt(volume)} in 24 h, "
              f"{usdt(least)} are needed.", usdt(volume), usdt(least), "hype.min_quote_volume sets the bar."),
        Check("Spread", spread is not None and spread <= widest, f"its spread is {pct(spread).lstrip('+')}, at most "
              f"{widest:.2f} % is allowed.", pct(spread).lstrip("+"), f"{widest:.2f} %",
              "hype.max_spread_pct sets the bar."),
    ]
    return [*rows, Check("Growth", _over(row, bars), f"it has not grown enough: {grown}.", grown, f"one of {needed}",
                         "Wait for it to move, or lower hype.growth_*.")]


def _growths(row: BoardRow) -> tuple[tuple[str, float | None], ...]:
    return ("5m", row.growth_5m), ("1h", row.growth_1h), ("24h", row.growth_24h)


def _over(row: BoardRow, bars: dict[str, float]) -> bool:
    """Whether any of the three growths reaches its bar."""
    return any(value is not None and value >= bars.get(f"growth_{over}_pct", float("inf"))
               for over, value in _growths(row))


def _looked_at(view: View, seen: LastCheck) -> list[Check]:
    """The close look: figures, strategy, the models' verdict."""
    ago = span(view.now_ms - seen.market_ms)
    figures, bars = seen.figures, view.report.bars
    reasons = [from_code(code) for code in seen.codes if code.upper() in Refusal.__members__]
    depth, least = figures.get("depth_usdt"), bars.get("min_depth_usdt", 0.0)
    hour, quarter = times(figures.get("surge_1h")), times(figures.get("surge_15m"))
    needed = f"{bars.get('surge', 0):.1f} ×"
    found = [
        Check("Depth", Refusal.DEPTH_LOW not in reasons, f"{usdt(depth)} stand within 1 % of its price, {usdt(least)} "
              "are needed.", usdt(depth), usdt(least), "hype.min_depth_usdt sets the bar."),
        Check("Volume surge", Refusal.SURGE_LOW not in reasons, f"its last hour traded {hour} its usual, the last "
              f"15 min {quarter}; {needed} are needed.", hour, needed, "hype.volume_surge sets the bar."),
    ] if figures else []
    if not seen.strategy:
        said = "; ".join(sentence(reason) for reason in reasons)
        return [*found, Check("Strategy", False, f"it {said} (looked at {ago} ago).", said, "", seen.text or
                              "It is looked at again in a moment; docs/STRATEGIES.md tells what each strategy needs.")]
    fits = Check("Strategy", True, f"it is a candidate for {seen.strategy} (looked at {ago} ago).", seen.strategy)
    return [*found, fits, _verdict(view, seen, reasons, ago)]


def _verdict(view: View, seen: LastCheck, reasons: list[Refusal], ago: str) -> Check:
    said = "; ".join(sentence(reason) for reason in reasons if reason is not Refusal.STANDS_ASIDE)
    sure = "" if seen.confidence is None else f"confidence {seen.confidence:.2f}"
    text = ". ".join(part for part in (said, seen.text) if part)
    if seen.verdict == "approved":
        return Check("Models", True, f"it was approved {ago} ago. {text}".rstrip() + ".", sure)
    if seen.verdict == "waiting":
        return Check("Models", False, f"it {said}.", "waiting", "", "It is judged as soon as the model is there.")
    again = view.settings.hype.rejudge_after_s * 1000 - (view.now_ms - seen.market_ms)
    todo = f"Judged again in {span(again)} if it is still hype." if again > 0 else "Judged again with the next hype."
    return Check("Models", False, f"it {text} ({ago} ago).", sure, f"{view.settings.hype.min_confidence:.2f}", todo)
