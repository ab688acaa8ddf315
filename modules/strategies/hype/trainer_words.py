"""What the trainer says: models set aside, retired or back, and how far a long training is."""

import logging
import time

from modules.learning import modelfiles, modelkeeping
from modules.learning.modelfiles import FEEDBACK
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.trainer_promise import Change
from modules.supervision.outbox import Outbox
from utils.figures import duration

log = logging.getLogger(__name__)
MOST_NAMED = 6


class Pace:
    """Share and time left of a long training, as words."""

    def __init__(self) -> None:
        self._what = ""
        self._began = 0.0

    def told(self, what: str, done: int, of: int) -> str:
        """``35 %, about 3m 20s left``; a new `what` starts the clock anew."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._began = what, now
        left = (now - self._began) / done * (of - done) if done else 0.0
        eta = f", about {duration(left)} left" if left >= 1.0 else ""
        return f"{done * 100 // max(of, 1)} %{eta}"


def set_aside(files: LearningFiles, outbox: Outbox) -> None:
    """Move models that nobody can load away, have them trained anew, and tell people."""
    folder = files.paths.models
    found = ((name, modelkeeping.set_aside_unsound(folder, name)) for name in modelfiles.names(folder))
    refused = {name: why for name, why in found if why}
    if not refused:
        return
    wanted = {name: "its model was refused: train it anew" for name in refused if name != FEEDBACK}
    if wanted:
        files.pending.update(lambda waiting: {**waiting, **wanted})
    name, why = next(iter(refused.items()))
    others = list(refused)[1:MOST_NAMED]
    outbox.say(f"{len(refused)} model(s) refused and set aside", level="alert",
               why=f"{name}: {why}." + (f" Also {', '.join(others)}." if others else ""),
               todo="They lie in models/refused/ and are trained anew; until then such tokens wait.")


def tell_change(change: Change, outbox: Outbox) -> str:
    """Tell people of a model that was retired or is back; returns what happened, for /activity."""
    who = "feedback model" if change.name == FEEDBACK else f"model of {change.name}"
    if change.speaks:
        what, todo = f"The {who} speaks again", "Its live record is in order: /model shows it."
    else:
        what = f"The {who} is retired: it stands aside"
        todo = "It vetoes nothing now; candidates are taken without it. /model shows its record."
    log.warning("%s: %s", what, change.reason)
    outbox.say(what, why=change.reason, todo=todo, level="info" if change.speaks else "alert")
    return what
