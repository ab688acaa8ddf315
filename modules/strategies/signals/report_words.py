"""What people read of a report: a headline and some lines, plain text, short enough for a phone."""

from typing import Any

from modules.strategies.signals.report import verdict
from modules.strategies.signals.rules import Priority
from utils.figures import duration, pct, plural

_ENDS = {"TP1": "first target", "TP2": "second target", "SL": "stop", "EXPIRY": "time over", "GONE": "delisted"}
_LIMITS = {"CLASS_LIMIT": "limit of the class", "DAY_LIMIT": "limit of the day", "CONCURRENT": "too many open",
           "CORRELATED": "correlated", "HELD_BACK": "held back after a loss"}


def headline(found: dict[str, Any]) -> str:
    """``Signals of 2026-11-20: 12 ended, −0.10 R each``."""
    own = found["all"]["signals"]
    until = "" if found["whole"] else " so far"
    head = f"Signals of {'week ' if found['kind'] == 'week' else ''}{found['name']}{until}"
    return f"{head}: {own['count']} ended, {r(own)} each" if own["count"] else f"{head}: none ended"


def lines(found: dict[str, Any], market: str = "") -> list[str]:
    """The rest, line by line."""
    own, control = found["all"]["signals"], found["all"]["control"]
    told = [f"Generated {found['generated']}, sent {found['sent']}, still open {found['open']}."]
    if found["limits"]:
        told.append("Not followed: " + ", ".join(f"{_LIMITS[name]} {n}" for name, n in found["limits"].items()) + ".")
    if own["count"]:
        ends = ", ".join(f"{_ENDS.get(name, name)} {n}" for name, n in found["outcomes"].items())
        told += [f"Triggered {found['triggered']} of {found['ended']}: {ends}.",
                 f"Won {share(own)}; net {between(own)}; in all {pct(own['total_pct'])}.",
                 f"Control ({plural(control['count'], 'random time')}): won {share(control)}; {between(control)}."
                 if control["count"] else "No control trade ended.",
                 verdict(found),
                 f"Sharpe per signal {own['sharpe']:+.2f}, ".replace("-", "−")
                 + f"deepest fall {pct(own['drawdown_pct'], signed=False)}, "
                 f"hold {duration(own['hold_s'])}{_efficiency(found)}."]
        told += [f"{name}: {row['signals']['count']} × {r(row['signals'])}, control {r(row['control'])}"
                 for name in Priority if (row := found["class"].get(name)) and row["signals"]["count"]]
        told += [f"{what}: {', '.join(_place(one) for one in found[key])}" for what, key in
                 (("Best", "best"), ("Worst", "worst")) if found[key]]
    trend = quality_trend(found)
    told += [trend] if trend else []
    told += [market] if market else []
    return told


def quality_trend(found: dict[str, Any]) -> str:
    """This period's mean quality against the ones before it, "" where there was none."""
    now, before = found["trend"][-1], [one for one in found["trend"][:-1] if one["count"]]
    if not now["count"]:
        return ""
    text = f"Quality {now['quality']:.0f}"
    if before:
        count = sum(one["count"] for one in before)
        mean = sum(one["quality"] * one["count"] for one in before) / count
        text += f"; {mean:.0f} in the {plural(len(before), found['kind'])} before with signals"
    return text + "."


def share(one: dict[str, Any]) -> str:
    """``50% (32–68%)``."""
    if not one["count"]:
        return "–"
    low, high = one["win_between"]
    return f"{one['win_rate'] * 100:.0f}% ({low * 100:.0f}–{high * 100:.0f}%)"


def r(one: dict[str, Any]) -> str:
    """``+0.12 R``."""
    return f"{one['mean_r']:+.2f} R".replace("-", "−") if one["count"] else "–"


def between(one: dict[str, Any]) -> str:
    """``+0.12 R (−0.10 to +0.34)``."""
    low, high = one["r_between"]
    return (r(one) + (f" ({low:+.2f} to {high:+.2f})" if low is not None and high is not None else "")
            ).replace("-", "−")


def _place(one: dict[str, Any]) -> str:
    return f"{one['symbol'].removesuffix('USDT')} {pct(one['total_pct'])} ({one['count']})"


def _efficiency(found: dict[str, Any]) -> str:
    kept = found["efficiency"]
    if kept is not None and kept <= 0:
        return ", kept nothing of the best moves"
    return "" if kept is None else f", kept {pct(kept * 100, signed=False, digits=0)} of the best moves"
