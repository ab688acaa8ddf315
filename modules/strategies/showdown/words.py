"""What system C says to people: decisions, refusals and warnings as sentences."""

from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.records import Decision, Flow

SIGNALS_ONLY = "Signals only: no order is sent (setting showdown.trade)."
_NAMES = {"long": "LONG", "short": "SHORT", "flat": "FLAT"}


def what_follows(decision: Decision, trades: bool = True, held: bool = False) -> str:
    """What is done about it."""
    if not trades:
        return SIGNALS_ONLY
    if held:
        return "A position is held already; it goes on to its own exits."
    return "Nothing is opened." if decision.action == "flat" else f"The {decision.mode} account follows it."


def headline(decision: Decision) -> str:
    """One line: what was decided."""
    if decision.action == "flat":
        return f"{decision.symbol}: FLAT ({decision.reason.removeprefix('flat_').upper()})"
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
    return (f"Size {decision.position_size_usdt} USDT ({decision.quantity}), at risk {decision.risk_usdt} USDT "
            f"with fees{capped}; confidence {decision.confidence:.2f}, risk level {decision.risk_level} of 5")


def chain(decision: Decision) -> list[str]:
    """The chain of reasons."""
    return list(decision.reasons) or [decision.reason]


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
