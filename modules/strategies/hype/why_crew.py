"""/why: is the bot started, do its services live, are the exchange's data fresh?"""

from modules.strategies.hype.why_view import Check, View

NEEDED = ("simulator", "tracker", "scanner")
STALE_AT_LEAST_S = 15.0
STALE_SCANS = 4
_FAILING = {"crash-loop": "crashed again and again and is not started any more", "stuck": "hangs",
            "backoff": "crashed and is started again in a moment"}


def started(view: View) -> Check:
    """Whether /startbot was sent."""
    scanner = view.services.get("scanner")
    if scanner is None or (scanner.state == "stopped" and not scanner.wanted):
        return Check("Bot started", False, "the scanner is stopped.", "stopped", "running", "Send /startbot.")
    return Check("Bot started", True, "scanner and tracker are wanted.", "started")


def alive(view: View) -> Check:
    """Whether everything a purchase needs is up and beating."""
    for name in NEEDED:
        if name == "simulator" and not view.simulated:
            continue
        status = view.services.get(name)
        if status is None or status.state != "ready":
            state = "stopped" if status is None else status.state
            failed = status is not None and state in _FAILING and status.last_error
            why = f": {status.last_error.rstrip('.')}" if status is not None and failed else ""
            todo = "Wait a moment." if state == "starting" else f"See /logs {name}; /restartbot starts it afresh."
            how = _FAILING.get(state, f"is {state}")
            return Check("Services alive", False, f"the {name} {how}{why}.", state, "ready", todo)
    return Check("Services alive", True, "all services are up and beating.", "ready")


def fresh(view: View) -> Check:
    """Whether the last scan is young. Seconds here are real ones."""
    scanner = view.services.get("scanner")
    info = scanner.info if scanner is not None else {}
    error = str(info.get("error") or "")
    age = info.get("data_age_s")
    if error:
        return Check("Exchange reachable", False, f"no scan comes to its end: {error}",
                     "no data yet" if age is None else f"data {age} s old", "",
                     "It keeps trying. Check the network and EXCHANGE_* in the settings; /logs scanner tells more.")
    if not isinstance(age, int | float) or not info.get("scans"):
        return Check("Exchange reachable", False, "no scan has been finished yet.", "0 scans", "1",
                     "Wait a few seconds; see /logs scanner if it stays so.")
    limit = max(STALE_AT_LEAST_S, STALE_SCANS * float(info.get("pace_s") or 0.0))
    if age > limit:
        return Check("Exchange reachable", False, f"the last data are {age:.0f} s old.", f"{age:.0f} s",
                     f"{limit:.0f} s", "See /logs scanner.")
    return Check("Exchange reachable", True, f"data are {age:.0f} s old.", f"{age:.0f} s", f"{limit:.0f} s")
