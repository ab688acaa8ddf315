"""How far a run is, for whoever waits in another process: lines ``progress {"share": 0.4, "what": "…"}`` on stderr.

Shares are the parts of a run by experience, not by measure: reading, signals, models (if asked for), loop, report.
"""

import json
import sys

READ, SIGNALS, MODELS, LOOP = 0.35, 0.6, 0.9, 0.95
_on = False


def to_stderr() -> None:
    """Tell from now on."""
    global _on
    _on = True


def step(share: float, what: str) -> None:
    """This much is done, and `what` is next. Nothing unless somebody listens."""
    if _on:
        sys.stderr.write("progress " + json.dumps({"share": round(share, 4), "what": what}) + "\n")
        sys.stderr.flush()
