"""The market's mood, read from BTC, and what it changes (A10). Pure.

1. BTC's change over 1 h at or under ``mood_pause_1h_pct``: PAUSE, nothing is bought.
2. At or under ``mood_careful_1h_pct``, or not known: CAREFUL, half the size, stricter bars.
3. Within ±0.25 % over 1 h and ±1 % over 24 h: CALM. Bars a little higher, because a token that pumps alone in a
   quiet market is the worst entry there is (recorded data). It ends beyond ±0.5 % over 1 h or ±1.5 % over 24 h.
4. Otherwise NORMAL.

A fall worsens the mood at once. A better mood than PAUSE or CAREFUL comes back only after BTC has risen above the
bar by ``mood_recover_pct`` (hysteresis), so that a price on the bar does not flap the crew.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from modules.strategies.hype.settings import HypeSettings

CALM_1H_PCT, CALM_24H_PCT = 0.25, 1.0
CALM_ENDS_1H_PCT, CALM_ENDS_24H_PCT = 0.5, 1.5  # apart from where it begins: no flapping on the border


class Mood(StrEnum):
    """From the best to the worst."""

    CALM = "calm"
    NORMAL = "normal"
    CAREFUL = "careful"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a mood does: factors on the size of a trade and on the bars of growth, surge and spread."""

    size: float
    growth: float
    surge: float
    spread: float


EFFECTS: dict[Mood, Effect] = {
    Mood.CALM: Effect(size=1.0, growth=1.1, surge=1.1, spread=1.0),
    Mood.NORMAL: Effect(size=1.0, growth=1.0, surge=1.0, spread=1.0),
    Mood.CAREFUL: Effect(size=0.5, growth=1.5, surge=1.25, spread=0.75),
    Mood.PAUSE: Effect(size=0.0, growth=1.5, surge=1.25, spread=0.75),
}


def next_mood(before: Mood, btc_1h_pct: float, btc_24h_pct: float, settings: HypeSettings) -> Mood:
    """The mood after this look at BTC; NaN stands for "not known"."""
    if math.isnan(btc_1h_pct):
        return Mood.PAUSE if before is Mood.PAUSE else Mood.CAREFUL
    pause, careful = settings.mood_pause_1h_pct, settings.mood_careful_1h_pct
    if before is Mood.PAUSE:
        pause += settings.mood_recover_pct
    if before in (Mood.PAUSE, Mood.CAREFUL):
        careful += settings.mood_recover_pct
    if btc_1h_pct <= pause:
        return Mood.PAUSE
    if btc_1h_pct <= careful:
        return Mood.CAREFUL
    was_calm = before is Mood.CALM
    quiet_1h = CALM_ENDS_1H_PCT if was_calm else CALM_1H_PCT
    quiet_24h = CALM_ENDS_24H_PCT if was_calm else CALM_24H_PCT
    if abs(btc_1h_pct) <= quiet_1h and abs(btc_24h_pct) <= quiet_24h:
        return Mood.CALM
    return Mood.NORMAL
