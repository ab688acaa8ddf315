"""Money and risk for /metrics: system A's account, and every futures account that has left its state on disk."""

from datetime import UTC, datetime

from modules.dashboard.exposition import Exposition
from modules.dashboard.pages.bar import used
from modules.dashboard.pages.sources import Sources, number
from modules.exchange.types import Mode
from modules.execution.futures.plan import FuturesState
from modules.execution.ledger import Ledger
from modules.execution.risk_state import RiskState, Trading, Unreadable, futures_risk_file, futures_scope, load_risk
from modules.storage.damage import StateError
from modules.storage.json_state import JsonFile

UNREADABLE = "UNREADABLE"
_SUFFIX = "_risk.json"


def system_a(out: Exposition, sources: Sources) -> None:
    """Both modes of system A. Raises StateError where positions cannot be read: that is not "none"."""
    for mode in Mode:
        label = {"system": "hype", "mode": mode.value}
        out.gauge("coxswain_positions", "Open positions.", len(sources.positions(mode)), **label)
        _risk(out, sources, sources.risk(mode), sources.market_ms(mode), label)


def futures_accounts(out: Exposition, sources: Sources) -> None:
    """Every futures account that a keeper has. Raises StateError, after all that can be read is told."""
    data, problems = sources.paths.data, []
    for mode, prefix in ((Mode.TEST, "test_futures_"), (Mode.LIVE, "futures_")):
        for path in sorted(data.glob(f"{prefix}*{_SUFFIX}")):
            system = path.name.removeprefix(prefix).removesuffix(_SUFFIX)
            label = {"system": system, "mode": mode.value}
            file, scope = futures_risk_file(data, system, mode), futures_scope(system, mode)
            risk = sources.while_same(path, lambda file=file, scope=scope: load_risk(file, scope))  # type: ignore[misc]
            _risk(out, sources, risk, 0 if isinstance(risk, Unreadable) else risk.equity_ms, label)
            books = JsonFile(data / f"{prefix}{system}.json", FuturesState, FuturesState)
            try:
                held, blocked = sources.while_same(books.path, lambda books=books: _legs(books.load()))  # type: ignore[misc]
            except (StateError, OSError) as problem:
                problems.append(problem)
                continue
            out.gauge("coxswain_positions", "Open positions.", held, **label)
            out.gauge("coxswain_legs_blocked", "Futures legs that take no entries until a person releases them.",
                      blocked, **label)
    if problems:
        raise problems[0]


def _legs(books: FuturesState) -> tuple[int, int]:
    """(legs held, legs blocked)."""
    held = sum(1 for pages in books.ledgers.values()
               for one in Ledger.restore(pages, signed=True).holdings().values() if one.quantity)
    return held, len(books.blocked)


def _risk(out: Exposition, sources: Sources, risk: RiskState | Unreadable, market_ms: int,
          label: dict[str, str]) -> None:
    state = UNREADABLE if isinstance(risk, Unreadable) else risk.trading.value
    for one in (*Trading, UNREADABLE):
        out.gauge("coxswain_risk_state", "1 at the state of trading.", int(state == str(one)), **label, state=str(one))
    if isinstance(risk, Unreadable):
        return
    out.gauge("coxswain_equity_usdt", "Cash and positions at their bids.", number(risk.equity), **label)
    out.gauge("coxswain_exposure_usdt", "What is in positions.", number(risk.exposure), **label)
    today = datetime.fromtimestamp(market_ms / 1000, UTC).strftime("%Y-%m-%d") if market_ms else risk.day
    if risk.equity is not None and risk.day_start and risk.day == today:
        out.gauge("coxswain_pnl_day_usdt", "Result of the UTC day, market time.",
                  number(risk.equity - risk.day_start), **label)
    if label["system"] == "hype" and risk.equity is not None:
        for row in used(risk, sources.settings.risk):
            out.gauge("coxswain_limit_used_ratio", "How much of a limit is used.", row["share_pct"] / 100, **label,
                      limit=row["name"].replace(" ", "_"))
    out.gauge("coxswain_limits_latched", "Limits that were reached and stop entries.", len(risk.latched), **label)
