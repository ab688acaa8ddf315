"""How each key does, for people: masks, states, counts. Reads the shared page; never a key."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from modules.apikeys import state
from modules.apikeys.keyring import Key
from modules.apikeys.outcome import WORDS, Verdict
from modules.apikeys.profiles import PROFILES
from modules.apikeys.settings import ApiKeySettings
from modules.apikeys.state import Slots
from utils.page import Page
from utils.wall import now_ms


class KeyState(StrEnum):
    """What a key may do now."""

    READY = "ready"
    RESTING = "resting"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class KeyHealth:
    """One key. `rest_s`: how long it rests still, 0: not. Counts of the key; of its owner: today's calls, tokens, USD.

    `serves`: it was the last to serve. `left`: calls that the provider's headers say are left, -1: unknown.
    """

    provider: str
    owner: str
    mask: str
    state: KeyState
    why: str
    rest_s: float
    serves: bool
    calls: int
    good: int
    day_calls: int
    day_tokens: int
    day_usd: float
    left: float


def health(keys: Mapping[str, Iterable[Key]], settings: ApiKeySettings, page: Page,
           now: Callable[[], int] = now_ms) -> list[KeyHealth]:
    """Every key, in order. Raises Busy."""
    found, at = [], now()
    with page.held():
        slots = Slots(page)
        for provider, those in keys.items():
            found += [_one(page, slots, settings, key, provider, at) for key in those]
    return found


def _one(page: Page, slots: Slots, settings: ApiKeySettings, key: Key, provider: str, now: int) -> KeyHealth:
    cells, profile, limits = page.cells, PROFILES[provider], settings.limits_of(provider)
    places = (slots.of("key", key.mark), slots.of("owner", f"{provider}/{key.owner}"), slots.of("provider", provider))
    own, owner, whole = places
    slots.turn_day(owner, now, profile.zone)
    until, why = max((slots.until(place, now), cells[place + state.WHY]) for place in places)
    if not until and 0 <= cells[owner + state.LEFT] < 1 and now < cells[owner + state.RESET]:
        until, why = cells[owner + state.RESET], float(Verdict.LIMITED)
    spent = (limits.rpd and cells[owner + state.DAY_CALLS] >= limits.rpd
             or limits.tpd and cells[owner + state.DAY_TOKENS] >= limits.tpd
             or limits.usd and cells[owner + state.DAY_COST] >= limits.usd)
    if spent and not until:
        until, why = cells[owner + state.DAY_END], float(Verdict.EXHAUSTED)
    kind = KeyState.READY
    if until:
        kind = {int(Verdict.REFUSED): KeyState.REFUSED, int(Verdict.FORBIDDEN): KeyState.REFUSED,
                int(Verdict.EXHAUSTED): KeyState.EXHAUSTED}.get(int(why), KeyState.RESTING)
    return KeyHealth(provider=provider, owner=key.owner, mask=key.mask, state=kind,
                     why=WORDS.get(int(why), "") if until else "", rest_s=max(0.0, (until - now) / 1000),
                     serves=cells[whole + state.CURRENT] == cells[own + state.NAME],
                     calls=int(cells[own + state.CALLS]), good=int(cells[own + state.GOOD]),
                     day_calls=int(cells[owner + state.DAY_CALLS]),
                     day_tokens=int(cells[owner + state.DAY_TOKENS]), day_usd=cells[owner + state.DAY_COST],
                     left=cells[owner + state.LEFT] if now < cells[owner + state.RESET] else -1.0)
