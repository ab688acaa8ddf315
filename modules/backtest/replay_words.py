"""Why a recorded decision fell, in words: reason, levels, and which price crossed what."""

from datetime import UTC, datetime
from decimal import Decimal

from modules.backtest.replay import Answered, Judged, Look, Opened, Planned, Record, Seen, Sold
from modules.strategies.hype import exits
from modules.strategies.hype.tracker_words import reason_text

REASONS = {exits.HOLD: "hold", exits.STOP: "stop", exits.BREAK_EVEN: "break_even", exits.TRAILING: "trailing",
           exits.TARGET: "target", exits.TIME: "time"}


def clock(ms: int) -> str:
    """2025-03-01 10:00:02.150 (UTC)"""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{ms % 1000:03d}"


def when(record: Record) -> int | None:
    """Market time of a record, where it has one."""
    return None if isinstance(record, Answered) else record.ms


def whose(record: Record) -> tuple[str, str]:
    """(symbol, position) that a record is about; no position where there is none yet."""
    match record:
        case Look() | Seen():
            return record.planned.symbol, record.planned.position
        case Opened() | Sold():
            return record.symbol, record.position
        case Judged():
            return record.proposal.symbol, record.intent
        case Answered():
            return record.symbol, ""


def kind(record: Record) -> str:
    """One word for what it is: a sale's reason, or the kind of record."""
    return REASONS[record.code] if isinstance(record, Look) else type(record).__name__.lower()


def quiet(record: Record) -> bool:
    """Whether nothing happened: a look that held (a stop may have trailed the peak), or a price merely seen."""
    if isinstance(record, Look):
        return record.code == exits.HOLD and record.before.hit == record.after.hit
    return isinstance(record, Seen)


def words(record: Record) -> str:
    """The whole sentence."""
    match record:
        case Look():
            return _look(record)
        case Seen():
            return f"price {_price(record.planned, record.bid)} seen while an order was under way: nothing is decided"
        case Opened():
            return _opened(record)
        case Judged():
            return _judged(record)
        case Answered():
            return f"proposal ended: {record.code}, {record.text}"
        case Sold():
            return _sold(record)


def _price(planned: Planned, ticks: int) -> str:
    """A price; those of a short stand below zero in its plan."""
    return plain(abs(ticks) * planned.tick)


def _coins(planned: Planned, steps: int) -> str:
    return plain(steps * planned.step)


def _look(look: Look) -> str:
    planned, after = look.planned, look.after
    bid = f"price {_price(planned, look.bid)}"
    fell, above = ("fell to", "above") if planned.plan.side > 0 else ("rose to", "below")
    stop = _price(planned, after.stop)
    everything = f"all {_coins(planned, look.steps)} coins are sold"
    match look.code:
        case exits.STOP:
            return f"{bid} {fell} the first stop {stop} (best price seen {_price(planned, after.peak)}): {everything}"
        case exits.BREAK_EVEN:
            return (f"{bid} {fell} the stop {stop}, raised to break-even after target {after.hit} of "
                    f"{planned.plan.levels}: {everything}")
        case exits.TRAILING:
            return (f"{bid} {fell} the trailing stop {stop}, {planned.plan.trail_ppm / 10_000:g} % from the best price "
                    f"{_price(planned, after.peak)}: {everything}")
        case exits.TIME:
            return (f"held since {clock(planned.opened_ms)}, the longest hold ended {clock(planned.plan.deadline_ms)}: "
                    f"{everything}")
        case exits.TARGET:
            return _target(look, bid)
    if after.hit != look.before.hit:
        return (f"{bid} reached {_reached(look)}, but the {_coins(planned, after.owed)} coins due are worth less than "
                f"the exchange's minimum: they stay due; {_stop_moved(look)}")
    if after.hit < planned.plan.levels:
        short_of = "below" if planned.plan.side > 0 else "above"
        aim = f"{short_of} target {after.hit + 1} at {_price(planned, planned.plan.tp[after.hit])}"
    else:
        aim = f"trailing {planned.plan.trail_ppm / 10_000:g} % behind the best price {_price(planned, after.peak)}"
    return f"{bid} is {above} the stop {stop} and {aim}: held"


def _target(look: Look, bid: str) -> str:
    planned, rest = look.planned, look.after.quantity
    owed = f" (with {_coins(planned, look.before.owed)} due before)" if look.before.owed else ""
    left = f"{_coins(planned, rest)} stay" if rest else "the rest is too small to be sold at the stop and goes too"
    return (f"{bid} reached {_reached(look)}: {_coins(planned, look.steps)} coins are sold{owed}, {left}; "
            f"{_stop_moved(look)}")


def _reached(look: Look) -> str:
    hit = range(look.before.hit, look.after.hit)
    return " and ".join(f"target {level + 1} at {_price(look.planned, look.planned.plan.tp[level])}" for level in hit)


def _stop_moved(look: Look) -> str:
    old, new = _price(look.planned, look.before.stop), _price(look.planned, look.after.stop)
    return f"the stop stays at {old}" if old == new else f"the stop moves from {old} to {new}"


def _opened(opened: Opened) -> str:
    plan = opened.plan
    targets = " ".join(plain(abs(ticks) * opened.tick) for ticks in plan.tp[:plan.levels])
    slices = " ".join(plain(steps * opened.step) for steps in plan.slices[:plan.levels])
    stop = abs(plan.stop) * opened.tick
    away = abs(stop / opened.executed.price - 1) * 100
    even = f", break-even {plain(abs(plan.break_even) * opened.tick)}" if opened.rules.break_even else ""
    until = f", until {clock(plan.deadline_ms)} at most" if plan.deadline_ms else ""
    return (f"bought {plain(opened.executed.quantity)} at {opened.executed.price:.8g}; {opened.strategy}, confidence "
            f"{opened.confidence:g}: targets {targets}, sold at each {slices}, stop {plain(stop)} ({away:.2f} % away), "
            f"then {plan.trail_ppm / 10_000:g} % from the peak{even}{until}")


def _judged(judged: Judged) -> str:
    ask = judged.ask
    order = f"{plain(ask.quantity)} for {ask.quote:.2f} USDT, at most {plain(ask.cap)} (offered {plain(ask.ask)})"
    if judged.refused:
        return f"refused {order}: " + "; ".join(f"{one.code}: {one.text}" for one in judged.refused)
    return (f"allowed {order}; {len(judged.world.held)} held, exposure {_two(judged.world.exposure)} of "
            f"{_two(judged.limits.max_exposure)} USDT, free {_two(judged.world.free_quote)}")


def _sold(sold: Sold) -> str:
    end = "; the position is closed" if sold.closes else ""
    return (f"sold {plain(sold.quantity)} at {sold.price:.8g} for {sold.quote:.4f} USDT, fee {sold.fee:.4f}, "
            f"{sold.ms - sold.asked_ms} ms after the order ({reason_text(sold.reason)}){end}")


def plain(value: Decimal) -> str:
    """A Decimal without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _two(value: Decimal | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
