"""What system C says to people: decisions, refusals and warnings as sentences."""

from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.records import Decision, Flow

SIGNALS_ONLY = "Signals only: no order is sent (setting showdown.trade)."
_FLAT = {"data_fresh": "data missing or stale", "contract_known": "contract not known",
         "account_readable": "account not readable", "day_drawdown": "day drawdown at its limit",
         "week_drawdown": "week drawdown at its limit", "no_warnings": "a warning stands",
         "risk_score": "risk too high", "no_conflict": "intervals contradict each other", "no_setup": "no setup",
         "low_confidence": "low confidence", "size_too_small": "size too small", "levels": "no stop and targets fit"}
_NAMES = {"long": "LONG", "short": "SHORT", "flat": "FLAT"}


def what_follows(decision: Decision, trades: bool = True, held: bool = False) -> str:
    """What is done about it."""
    if not trades:
        return SIGNALS_ONLY
    if held:
        return "A position is held already; it goes on to its own exits."
    return "Nothing is opened." if decision.action == "flat" else f"The {decision.mode} account follows it."


def flat_because(reason: str) -> str:
    """A flat decision's code in words."""
    code = reason.removeprefix("flat_")
    return _FLAT.get(code, code.replace("_", " "))


def headline(decision: Decision) -> str:
    """One line: what was decided."""
    if decision.action == "flat":
        return f"{decision.symbol}: FLAT, {flat_because(decision.reason)}"
    zone = decision.entry_zone or ("?", "?")
    return (f"{decision.symbol}: {_NAMES[decision.action]} in {zone[0]}–{zone[1]}, stop {decision.sl}, "
            f"targets {decision.tp1} and {decision.tp2}")


def trade_line(trade: Trade) -> str:
    """A trade as its file tells it."""
    state = "closing" if trade.closing else "entering" if trade.entering else "open"
    return (f"{trade.symbol} {'LONG' if trade.long else 'SHORT'} {state}, stop {trade.stop:f}, "
            f"targets {trade.tp1:f} and {trade.tp2:f}")


def held_line(row: dict[str, str]) -> str:
    """A position as the running service tells it."""
    much = (f"{row['quantity']} at {row['entry']}, mark {row['mark']}, {row['unrealised']} USDT" if "quantity" in row
            else "nothing filled yet" if row["state"] == "entering" else "flat")
    return f"{row['symbol']} {row['side']} {row['state']}: {much}; stop {row['stop']}, next target {row['target']}"


def size_line(decision: Decision) -> str:
    """Size and what it risks; empty where flat."""
    if decision.action == "flat":
        return ""
    capped = f", held down by {decision.capped_by}" if decision.capped_by else ""
    asset = decision.symbol.removesuffix("USDT")
    size, risk = float(decision.position_size_usdt), float(decision.risk_usdt)
    return (f"Size {size:,.0f} USDT ({decision.quantity} {asset}), at risk {risk:,.2f} USDT with fees{capped}; "
            f"confidence {decision.confidence:.2f}, risk level {decision.risk_level} of 5")


def chain(decision: Decision) -> list[str]:
    """The chain of reasons; a gate that shut is told by what is wrong, not by its name."""
    found = []
    for reason in decision.reasons or (decision.reason,):
        code, colon, rest = reason.partition(": ")
        found.append(f"{_FLAT.get(code.lower(), code)}{colon}{rest}")
    return found


def because(reason: str) -> str:
    """The code of a trade's reason in words, e.g. ``trend_up_multi_tf_with_etf_support``."""
    trend, several, support = reason.partition("_multi_tf")
    return f"{trend}{' on 5m and 15m' if several else ''}{support}".replace("_", " ")


def flow_lines(flow: Flow) -> list[str]:
    """The flow in a few lines; absent inputs are said."""
    def told(value: float | None, form: str, scale: float = 1.0) -> str:
        return "absent" if value is None else format(scale * value, form)
    return [
        f"Crowd {flow.crowd_bias:+.2f} (−1 short … +1 long), trap {flow.trap_index:.2f} ({flow.trap_side})",
        f"Funding {told(flow.funding, '+.4f', 100)} %, open interest 1 h {told(flow.oi_change_1h_pct, '+.2f')} %, "
        f"basis {told(flow.basis, '+.3f', 100)} %, CVD 1 h {told(flow.cvd_1h, '+.1f')}",
        f"ETF {told(flow.etf, '+.2f')}, liquidations {told(flow.liquidations, '+.2f')}, "
        f"sentiment {told(flow.sentiment, '+.2f')}",
        f"Global risk {flow.risk['global_score']:.2f} (level {flow.risk['level']:.0f} of 5)",
    ]
