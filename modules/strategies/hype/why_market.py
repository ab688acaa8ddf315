"""/why: the market's mood, the models, and the funnel from all symbols to a purchase."""

from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.why_view import Check, View, pct, span

_SCREEN = (Refusal.NOT_TRADING, Refusal.API_CLOSED, Refusal.PRICE_LOW, Refusal.PRICE_HIGH, Refusal.VOLUME_LOW,
           Refusal.SPREAD_WIDE, Refusal.GROWTH_LOW)
_CLOSE_LOOK = (Refusal.NO_DATA, Refusal.SPREAD_WIDE, Refusal.DEPTH_LOW, Refusal.FADING, Refusal.SURGE_LOW,
               Refusal.NO_STRATEGY)
_VERDICT = (Refusal.FEEDBACK_NO, Refusal.TOKEN_NO, Refusal.CONFIDENCE_LOW, Refusal.MODEL_NEVER_CAME,
            Refusal.NO_FEEDBACK_MODEL, Refusal.NO_TOKEN_MODEL, Refusal.MOOD_PAUSE, Refusal.ENTRIES_PAUSED,
            Refusal.RESTING)
_SHORT = {
    Refusal.NOT_TRADING: "halted", Refusal.API_CLOSED: "closed to API orders", Refusal.PRICE_LOW: "too cheap",
    Refusal.PRICE_HIGH: "too dear", Refusal.VOLUME_LOW: "too little volume", Refusal.SPREAD_WIDE: "spread too wide",
    Refusal.GROWTH_LOW: "not grown enough", Refusal.NO_DATA: "no data", Refusal.DEPTH_LOW: "book too thin",
    Refusal.FADING: "falling back", Refusal.SURGE_LOW: "no surge of volume", Refusal.NO_STRATEGY: "no strategy fits",
    Refusal.FEEDBACK_NO: "feedback model said no", Refusal.TOKEN_NO: "own model said no",
    Refusal.CONFIDENCE_LOW: "confidence too low", Refusal.MODEL_NEVER_CAME: "no model can be made",
    Refusal.NO_FEEDBACK_MODEL: "wait for the feedback model", Refusal.NO_TOKEN_MODEL: "wait for their own model",
    Refusal.MOOD_PAUSE: "BTC falls", Refusal.ENTRIES_PAUSED: "entries paused",
    Refusal.RESTING: "rest after a sale",
}


def mood(view: View) -> Check:
    """BTC's mood; only a pause stops entries."""
    now, hype = view.report.btc_1h_pct, view.settings.hype
    limit = pct(hype.mood_pause_1h_pct)
    if view.report.mood == "pause":
        back = hype.mood_pause_1h_pct + hype.mood_recover_pct
        return Check("Market mood", False, f"BTC moved {pct(now)} in 1 h; entries pause at {limit} and resume above "
                     f"{pct(back)}.", pct(now), limit, "Wait, or change hype.mood_pause_1h_pct.")
    if view.report.mood == "careful":
        known = f"BTC moved {pct(now)} in 1 h" if now is not None else "BTC's last hour is not known yet"
        return Check("Market mood", True, f"careful: {known}; half size, stricter bars.", pct(now), limit)
    return Check("Market mood", True, f"{view.report.mood or 'not read yet'}: BTC {pct(now)} in 1 h.", pct(now), limit)


def models(view: View) -> Check:
    """Whether the strategies under veto can be judged."""
    veto = view.settings.hype.veto_strategies
    names = " and ".join(veto)
    if not veto:
        return Check("Models", True, "no strategy is under the models' veto.")
    if view.report.feedback_ready:
        aside = view.report.feedback_model
        votes = f"the feedback model stands aside, it vetoes nothing: {aside}" if aside else "the feedback model votes"
        waiting = sum(1 for need in view.report.waiting.values() if need == "token")
        also = f"; {waiting} token(s) wait for a model of their own" if waiting else ""
        return Check("Models", True, f"{votes}{also}.", "stands aside" if aside else "ready")
    trainer = view.services.get("trainer")
    if trainer is None or trainer.state == "stopped":
        return Check("Models", False, f"there is no feedback model and the trainer is stopped: {names} wait, the other "
                     "strategies go on.", "missing", "trained", "Send /starttrain.")
    progress = trainer.info.get("progress") or trainer.info.get("state") or trainer.state
    return Check("Models", False, f"the feedback model is not trained yet: {names} wait, the other strategies go on.",
                 "missing", "trained", f"The trainer is at it ({progress}); a first model takes a few minutes.")


def funnel(view: View) -> Check:
    """How many fell at which filter: the last scan, and since the scanner's start."""
    now, totals, bars = view.report.funnel, view.report.totals, view.report.bars
    if not now:
        return Check("Candidates", False, "the scanner has not seen the market yet.", "", "", "Wait a few seconds.")
    since = span(view.report.market_ms - view.report.started_ms)
    listed = now.get("listed", 0)
    suspects = now.get("suspects", 0)
    screened = f"only {suspects} of {listed} symbols show hype now ({_counts(now, _SCREEN)})"
    need = (f"{bars.get('growth_5m_pct', 0):.1f} %/5m, {bars.get('growth_1h_pct', 0):.1f} %/1h or "
            f"{bars.get('growth_24h_pct', 0):.0f} %/24h, volume × {bars.get('surge', 0):.1f}")
    found = totals.get("candidates", 0)
    if not found:
        looked = totals.get("looked_at", 0)
        close = f"; of {looked} close looks in {since} none was a candidate ({_counts(totals, _CLOSE_LOOK)})"
        return Check("Candidates", False, f"{screened}{close if looked else ''}.", f"{suspects} suspects", need,
                     "Wait, or lower hype.growth_* and hype.volume_surge; /why SYMBOL tells of one token.")
    approved = totals.get("approved", 0)
    judged = f"{found} candidates were judged in {since}, {approved} approved"
    if not approved:
        return Check("Candidates", False, f"{judged} ({_counts(totals, _VERDICT)}).", str(approved), "1",
                     "/activity tells each verdict.")
    return Check("Candidates", True, f"{judged}; {screened}.", f"{suspects} suspects", need)


def purchases(view: View) -> Check:
    """The last purchase, as the proof that the whole way is open."""
    bought = [trade for trade in view.trades.recent if trade.side == "BUY"]
    if bought:
        ago = span(max(0, view.now_ms - bought[-1].market_ms))
        return Check("Purchases", True, f"the last purchase was {bought[-1].symbol}, {ago} ago (market time).", ago)
    approved = view.report.totals.get("approved", 0)
    if not approved:
        return Check("Purchases", True, "nothing has been proposed yet.", "0")
    tracker = view.services.get("tracker")
    last = str(tracker.info.get("last_refusal", "")) if tracker is not None else ""
    told = f" The last refusal, {last}." if last else ""  # every limit that spoke against it
    return Check("Purchases", False, f"{approved} proposals went to the tracker, none was bought.{told}", "0",
                 str(approved), "/logs tracker says why each was refused.")


def _counts(stages: dict[str, int], reasons: tuple[Refusal, ...]) -> str:
    ordered = sorted(((stages.get(reason.code, 0), reason) for reason in reasons), key=lambda pair: -pair[0])
    return ", ".join(f"{count} {_SHORT[reason]}" for count, reason in ordered if count) or "nothing refused"
