"""Hands out API keys so that nothing stops while one of them works (B6, X33).

1. `take` gives the key that served last while it may serve, else the next one that may; `report` tells what became of
   the call. All processes share what is known (`state`), and it survives restarts.
2. A key may serve when neither it, nor its quota owner, nor its provider rests, and its owner's budgets hold: those of
   the provider's headers, and our own a minute and a day.
3. A rest lasts as long as the provider says; where it says nothing, longer with each that follows (`outcome` has the
   table of who rests for what). 5xx and silence rest the provider as a whole: another key would not help.
4. All keys tired: `Tired` says until when and why; the caller does without, or waits, and asks again.
5. Every switch, rest, refusal and return goes to ``api_rotation.log``, keys masked.
6. A report that finds the page held goes in before the next key is handed out: no key that rests is ever given.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from modules.apikeys.health import KeyHealth, health
from modules.apikeys.keyring import FILE, Key, KeyFile, KeyringError, merged
from modules.apikeys.outcome import PACE, WORDS, Outcome, Verdict
from modules.apikeys.profiles import PROFILES, Profile
from modules.apikeys.rotation_log import RotationLog
from modules.apikeys.settings import ApiKeySettings, Limits
from modules.apikeys.state import (
    CALLS,
    CURRENT,
    DAY_CALLS,
    DAY_COST,
    DAY_END,
    DAY_TOKENS,
    FAILS,
    GOOD,
    LAST,
    LEFT,
    NAME,
    PAGE_FILE,
    PAGE_SIZE,
    RESET,
    REST,
    TOKENS,
    WHY,
    Slots,
    refill,
)
from utils.page import Busy, Page, SharedPage
from utils.paths import Paths
from utils.wall import iso, now_ms

log = logging.getLogger(__name__)
MOST_REST_S = 3600.0  # where the provider says nothing
LEAST_REST_S = 0.5
FORBIDDEN_REST_S, FORBIDDEN_MOST = 3600.0, 3
FAIL_REST_S, FAIL_REST_MOST_S = 1.0, 60.0
BUSY_MS = 5


class Lease(NamedTuple):
    """A key to make one call with. `sequence` orders it among all that every process does."""

    key: Key
    sequence: int
    at_ms: int


class Tired(NamedTuple):
    """No key may serve until `until_ms` (wall clock; 0: there is none at all). `why` for people."""

    provider: str
    until_ms: int
    why: str


class _Held(NamedTuple):
    """A key with its places on the page."""

    key: Key
    place: int
    owner: int


class ApiManager:
    """The keys of one installation, for one process. `now_ms`: the wall clock, or a test's."""

    def __init__(self, keys: Mapping[str, list[Key]], settings: ApiKeySettings, page: Page,
                 rotation: RotationLog | None, now: Callable[[], int] = now_ms) -> None:
        self.problem = ""  # why some keys could not be read, in words
        self._keys = {name: list(found) for name, found in keys.items() if found}
        self._settings, self._page, self._rotation, self._now = settings, page, rotation, now
        self._limits = {name: settings.limits_of(name) for name in PROFILES}
        self._slots = Slots(page)
        self._guard = threading.Lock()
        self._late: list[tuple[Lease, Outcome]] = []
        self._tired: set[str] = set()
        self._rested = 0

    @classmethod
    def open(cls, settings: ApiKeySettings, paths: Paths, now: Callable[[], int] = now_ms) -> "ApiManager":
        """The manager over all keys there are. Keys that cannot be read are told in `problem`, not raised."""
        texts = {name: settings.text(name) for name in PROFILES}
        problem = ""
        try:
            keys = merged(texts, KeyFile(paths).load())
        except (KeyringError, OSError) as found:
            problem = f"{found}" if str(FILE) in str(found) else f"config/{FILE}: {found}"
            log.error("keys cannot be read: %s", problem)
            keys = merged(texts, {})
        try:
            page: Page = SharedPage(paths.run / PAGE_FILE, PAGE_SIZE)
        except OSError as refused:
            log.error("the state of keys cannot be shared with other processes: %s", refused)
            page = Page(PAGE_SIZE)
        made = cls(keys, settings, page, RotationLog(paths.logs), now)
        made.problem = problem
        return made

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that there are keys of."""
        return tuple(self._keys)

    def keys(self, provider: str) -> tuple[Key, ...]:
        """Its keys, in their order."""
        return tuple(self._keys.get(provider, ()))

    def health(self) -> list[KeyHealth]:
        """How every key does. Raises Busy."""
        with self._held_page():
            pass  # what is late comes first
        with self._guard:
            return health(self._keys, self._settings, self._page, self._now)

    def put_first(self, key: Key) -> None:
        """Let a key that has a setting of its own serve before the others of its provider."""
        known = self._keys.get(key.provider, [])
        self._keys[key.provider] = [key, *(other for other in known if other.mark != key.mark)]

    def close(self) -> None:
        """Give page and files back."""
        self._page.close()
        if self._rotation is not None:
            self._rotation.close()

    # -- the two calls ---------------------------------------------------------------------------------------------

    def take(self, provider: str, owner: str = "") -> Lease | Tired:
        """A key that may serve now, of `owner` alone where one is named (X33: an account's orders are its own)."""
        keys = self._keys.get(provider)
        if not keys:
            return Tired(provider, 0, f"there is no key of {provider}")
        now = self._now()
        switched: tuple[_Held | None, _Held, float] | None = None
        try:
            with self._held_page():
                found, why, switched = self._choose(provider, keys, owner, now)
        except Busy:
            return Tired(provider, now + BUSY_MS, "another process holds the state of keys")
        if isinstance(found, Lease):
            if provider in self._tired:
                self._tired.discard(provider)
                self._say(now, "awake", provider, f"serves again with key {found.key.mask} ({found.key.owner})",
                          key=found.key.mask, owner=found.key.owner)
            if switched is not None:
                self._tell_switch(now, provider, switched)
        elif provider not in self._tired and not owner and why != PACE:
            self._tired.add(provider)
            self._say(now, "tired", provider, f"no key may serve until {iso(found.until_ms)}: {found.why}",
                      until=iso(found.until_ms), why=found.why)
        return found

    def report(self, lease: Lease, outcome: Outcome) -> int:
        """What became of the call. Rule 6: never lost.

        Returns the sequence from which on nobody gets a key that now rests (0: nothing rests, or it is written later).
        """
        self._late.append((lease, outcome))
        self._rested = 0
        try:
            with self._held_page():
                return self._rested  # entering it has written what was late
        except Busy:
            log.info("a report on a key of %s waits for the page", lease.key.provider)
            return 0

    # -- under the lock --------------------------------------------------------------------------------------------

    @contextmanager
    def _held_page(self) -> Iterator[None]:
        """The page, with all late reports in it. Raises Busy. What is to be said is said after the page is free."""
        said: list[Callable[[], None]] = []
        with self._guard:
            with self._page.held():
                while self._late:
                    self._note(*self._late[0], said)
                    del self._late[0]
                yield
        for each in said:
            each()

    def _choose(self, provider: str, keys: list[Key], owner: str,
                now: int) -> tuple[Lease | Tired, float, "tuple[_Held | None, _Held, float] | None"]:
        cells, slots, profile = self._page.cells, self._slots, PROFILES[provider]
        place = slots.of("provider", provider)
        until = slots.until(place, now)
        if until:
            return Tired(provider, int(until) + 1, WORDS.get(int(cells[place + WHY]), "rest")), cells[place + WHY], None
        current = cells[place + CURRENT]
        first = next((at for at, key in enumerate(keys) if cells[slots.of("key", key.mark) + NAME] == current), -1)
        soonest, why, reason = 0.0, 0.0, 0.0
        for number in range(len(keys)):
            key = keys[(max(first, 0) + number) % len(keys)]
            if owner and key.owner != owner:
                continue
            held = _Held(key, slots.of("key", key.mark), slots.of("owner", f"{provider}/{key.owner}"))
            ends, why = self._ready_at(held, profile, now)
            if not ends:
                sequence = self._charge(held, self._limits[provider], now)
                before = None if first < 0 else keys[first]
                cells[place + CURRENT] = cells[held.place + NAME]
                switch = (None if before is None else _Held(before, 0, 0), held, reason)
                return Lease(key, sequence, now), 0.0, None if before is key else switch
            if not number:
                reason = why
            soonest = min(soonest or ends, ends)
        if not soonest:
            return Tired(provider, 0, f"{owner} has no key of {provider}"), 0.0, None
        return Tired(provider, int(soonest) + 1, WORDS.get(int(why), "rest")), why, None

    def _ready_at(self, held: _Held, profile: Profile, now: int) -> tuple[float, float]:
        """(when the key may serve, why not before); (0, 0): now."""
        cells, slots, limits = self._page.cells, self._slots, self._limits[profile.name]
        for place in (held.place, held.owner):
            until = slots.until(place, now)
            if until:
                return until, cells[place + WHY]
        place = held.owner
        if 0 <= cells[place + LEFT] < 1 and now < cells[place + RESET]:
            return cells[place + RESET], float(Verdict.LIMITED)
        slots.turn_day(place, now, profile.zone)
        if (limits.rpd and cells[place + DAY_CALLS] >= limits.rpd or limits.tpd and
                cells[place + DAY_TOKENS] >= limits.tpd or limits.usd and cells[place + DAY_COST] >= limits.usd):
            return cells[place + DAY_END], float(Verdict.EXHAUSTED)
        if limits.rpm:
            later = refill(cells, place, now, limits.rpm)
            if later:
                return later, PACE
        return 0.0, 0.0

    def _charge(self, held: _Held, limits: Limits, now: int) -> int:
        cells = self._page.cells
        if limits.rpm:
            cells[held.owner + TOKENS] -= 1.0
        if cells[held.owner + LEFT] >= 1:
            cells[held.owner + LEFT] = cells[held.owner + LEFT] - 1 if now < cells[held.owner + RESET] else -1.0
        cells[held.owner + DAY_CALLS] += 1
        for place in (held.place, held.owner):
            cells[place + CALLS] += 1
            cells[place + LAST] = now
        return self._slots.next_sequence()

    def _note(self, lease: Lease, outcome: Outcome, said: list[Callable[[], None]]) -> None:
        """Rules 2 and 3."""
        cells, slots, key, now = self._page.cells, self._slots, lease.key, self._now()
        profile = PROFILES[key.provider]
        own, owner = slots.of("key", key.mark), slots.of("owner", f"{key.provider}/{key.owner}")
        provider = slots.of("provider", key.provider)
        slots.turn_day(owner, now, profile.zone)
        cells[owner + DAY_TOKENS] += outcome.tokens
        cells[owner + DAY_COST] += outcome.cost_usd
        if outcome.left is not None and outcome.reset_s > 0:
            self._learn(owner, outcome.left, now + outcome.reset_s * 1000)
        verdict = outcome.verdict
        if verdict is Verdict.OK:
            cells[own + GOOD] += 1
            cells[own + FAILS] = cells[owner + FAILS] = cells[provider + FAILS] = 0.0
            return
        place = (own if verdict in (Verdict.REFUSED, Verdict.FORBIDDEN) else
                 provider if verdict is Verdict.FAILED or (profile.shared and verdict is Verdict.LIMITED) else owner)
        cells[place + FAILS] += 1
        rest_s = self._rest_s(verdict, profile, outcome.rest_s, int(cells[place + FAILS]),
                              (cells[owner + DAY_END] - now) / 1000)
        if verdict is Verdict.FORBIDDEN and cells[place + FAILS] >= FORBIDDEN_MOST:
            verdict = Verdict.REFUSED
        if rest_s > 0:
            cells[place + REST] = max(slots.until(place, now), now + rest_s * 1000)
            cells[place + WHY] = float(verdict)
            self._rested = slots.next_sequence()
            cells[place + LAST] = now
        said.append(lambda: self._tell_rest(now, key, verdict, outcome.why, rest_s))

    def _learn(self, owner: int, left: float, reset: float) -> None:
        """Header budgets. Answers may overtake each other: within one window the smaller number holds."""
        cells = self._page.cells
        same = abs(cells[owner + RESET] - reset) < 2_000
        cells[owner + LEFT] = min(cells[owner + LEFT], left) if same and cells[owner + LEFT] >= 0 else left
        cells[owner + RESET] = reset

    def _rest_s(self, verdict: Verdict, profile: Profile, told_s: float | None, fails: int, day_s: float) -> float:
        if verdict is Verdict.REFUSED or (verdict is Verdict.FORBIDDEN and fails >= FORBIDDEN_MOST):
            return self._settings.refused_again_h * 3600.0
        if verdict is Verdict.FORBIDDEN:
            return max(told_s or 0.0, FORBIDDEN_REST_S)
        if verdict is Verdict.FAILED:
            if told_s is not None:
                return min(max(told_s, LEAST_REST_S), MOST_REST_S)
            return min(FAIL_REST_S * 2.0 ** min(fails - 2, 10), FAIL_REST_MOST_S) if fails > 1 else 0.0
        if verdict is Verdict.EXHAUSTED:
            return max(told_s or 0.0, day_s)
        if told_s is not None:
            return max(told_s, LEAST_REST_S)
        return min(profile.rest_s * 2.0 ** min(fails - 1, 10), MOST_REST_S)

    # -- words -----------------------------------------------------------------------------------------------------

    def _tell_switch(self, now: int, provider: str, switch: tuple[_Held | None, _Held, float]) -> None:
        before, after, why = switch
        key = after.key
        if before is None:
            self._say(now, "first", provider, f"key {key.mask} ({key.owner}) serves", key=key.mask, owner=key.owner)
            return
        reason = WORDS.get(int(why), "it may not serve")
        self._say(now, "switch", provider, f"from key {before.key.mask} ({before.key.owner}) to {key.mask} "
                  f"({key.owner}): {reason}", **{"from": before.key.mask, "from_owner": before.key.owner},
                  key=key.mask, owner=key.owner, why=reason)

    def _tell_rest(self, now: int, key: Key, verdict: Verdict, why: str, rest_s: float) -> None:
        what = WORDS[int(verdict)]
        until = f"rests {rest_s:.0f} s" if rest_s else "no rest yet"
        self._say(now, verdict.name.lower(), key.provider, f"key {key.mask} ({key.owner}): {what}, {why}; {until}",
                  key=key.mask, owner=key.owner, why=why, rest_s=round(rest_s, 3))

    def _say(self, now: int, event: str, provider: str, words: str, **facts: str | int | float | None) -> None:
        if self._rotation is not None:
            self._rotation.write(now, event, provider, words, **facts)
