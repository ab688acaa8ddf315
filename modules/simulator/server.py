"""The simulated exchange as an HTTP server on loopback."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from filelock import FileLock, Timeout

from modules.simulator.accounts import Account
from modules.simulator.acts import ActError
from modules.simulator.clock import VenueClock
from modules.simulator.deeds import Deeds
from modules.simulator.dialects.mexc import MexcDialect
from modules.simulator.dialects.mexc_auth import Gate
from modules.simulator.dialects.mexc_faults import WORDS, request_class
from modules.simulator.dialects.mexc_routes import routes
from modules.simulator.dialects.reply import Reply
from modules.simulator.errors import Reason
from modules.simulator.fault_plan import FaultPlan, PlanError
from modules.simulator.fault_wire import Aim, Hands, Wire
from modules.simulator.faults import Asked, Faults
from modules.simulator.futures_door import FuturesDoor
from modules.simulator.journal import LEASE_WALL_S, Journal, Recorder, StateError
from modules.simulator.listening import StartError, listen
from modules.simulator.own import Own
from modules.simulator.past import Past
from modules.simulator.settings import SimulatorSettings
from modules.simulator.source import ModelSource, Source
from modules.simulator.universe import DAY_MS, MINUTE_MS
from modules.simulator.venue import Change, Venue
from modules.simulator.weights import Weights
from utils.wall import now_ms as wall_ms

if TYPE_CHECKING:
    from modules.simulator.futures import Futures

log = logging.getLogger(__name__)
TICK_S = 0.2  # how often market flow reaches resting orders, wall seconds


def default_accounts(usdt: float) -> list[Account]:
    """The accounts that every simulated venue has."""
    accounts = [
        Account("trader", "sim-key", "sim-secret"),
        Account("withdrawer", "sim-withdraw-key", "sim-withdraw-secret", can_withdraw=True),
    ]
    for account in accounts:
        account.balance("USDT").free = Decimal(str(usdt))
    return accounts


def make_source(options: SimulatorSettings) -> Source:
    """The model, or the recording named in the options. Raises StartError."""
    if options.replay is None:
        return ModelSource(options.seed, options.tokens)
    from modules.simulator.replay import ReplayError, ReplaySource

    try:
        return ReplaySource.load(options.replay, options.seed)
    except ReplayError as problem:
        raise StartError(str(problem)) from problem


class Simulator:
    """One simulated venue: market, accounts, clock, wire and memory put together."""

    def __init__(self, options: SimulatorSettings, *, elapsed: Callable[[], float] | None = None) -> None:
        self.options = options
        self.port = 0
        self._journal: Journal | None = None
        self._recorder: Recorder | None = None
        self._folder_lock: FileLock | None = None
        self.broken: OSError | None = None
        source = make_source(options)
        accounts = default_accounts(options.start_usdt)
        self._elapsed = elapsed or time.monotonic
        self.past = Past(self._elapsed)
        start_ms = self._open_state(options.state, source, accounts) or self._start_ms(source)
        self.clock = VenueClock(start_ms, options.speed, self._elapsed)
        self._open_record(options.record)
        self.venue = Venue(source, accounts, self.clock.now, fee_asset=options.fee_asset, commit=self._commit)
        if self._journal is not None:
            kept = self._restored
            self.venue.restore(kept.orders.values(), kept.fills, kept.transfers, kept.next_seq, start_ms)
        self.past.begin(self.venue.orders.values(), accounts, len(self.venue.fills))
        gate = Gate(self.venue.by_key, options.speed, wall_ms if options.accept_wall_time else None)
        self.deeds = self._make_deeds(gate.revoked)
        weights = Weights(options.weight_limit, options.speed, options.ban_after)
        self.dialect = MexcDialect(self.venue, gate, weights, routes(self.venue), self.deeds.shift_ms)
        self.door = FuturesDoor(self._make_futures)
        self.faults = Faults(
            self.fault_plan(options), elapsed=self._elapsed, market_ms=self.clock.now,
            orders=lambda: self.venue.next_seq + self.door.orders(), note=self._note, act=self.deeds.do)
        self.wire = Wire(self.faults)
        self._leased = 0
        self.lease(start_ms)
        if options.futures and options.state is not None and (options.state / "futures").exists():
            self.door.open()  # an earlier run left some

    def _make_futures(self) -> Futures:
        """The perpetual venue on the same clock, faults and wire. Raises StartError."""
        from modules.simulator.futures import Futures, FuturesError

        try:
            return Futures(
                self.options, self.clock, self.faults, self.wire, shift_ms=self.deeds.shift_ms,
                outage=self.deeds.outage, before=lambda: self.lease(self.clock.now()), elapsed=self._elapsed)
        except FuturesError as problem:
            raise StartError(str(problem)) from problem

    # -- starting ----------------------------------------------------------------------------------------

    def _start_ms(self, source: Source) -> int:
        if self.options.start is not None:
            return int(self.options.start.timestamp() * 1000)
        first = getattr(source, "begin_ms", None)
        return int(first) if first is not None else wall_ms()

    def _open_state(self, folder: Path | None, source: Source, accounts: list[Account]) -> int:
        """Take over a state folder; the market time to continue at, 0 for a new one. Raises StartError."""
        if folder is None:
            return 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._folder_lock = FileLock(str(folder / ".lock"))
            self._folder_lock.acquire(timeout=0)
            self._journal = Journal(folder)
            self._journal.claim(source.describe())
            self._restored = self._journal.load()
        except Timeout as problem:
            raise StartError(
                f"state folder {folder}: another simulator uses it. Stop that one, or give another --state."
            ) from problem
        except (StateError, OSError) as problem:
            raise StartError(str(problem)) from problem
        if self._restored.lost_bytes:
            log.warning("state folder %s: a torn tail of %d bytes was cut off", folder, self._restored.lost_bytes)
        for account in accounts:
            account.balances.update(self._restored.balances.get(account.name, {}))
        kept = self._restored
        whole = Change(
            kept.ms, tuple(kept.orders.values()), tuple(kept.fills), tuple(accounts), kept.next_seq, whole=True,
            transfers=tuple(kept.transfers))
        try:
            self._journal.compact(whole)
            self._journal.open()
            if not kept.balances:  # the first start fixes what the accounts begin with
                self._journal.append(whole)
        except OSError as problem:
            raise StartError(
                f"state folder {folder}: cannot be written ({problem}). Give another --state.") from problem
        return kept.ms

    def _open_record(self, path: Path | None) -> None:
        if path is None:
            return
        try:
            self._recorder = Recorder(path)
        except OSError as problem:
            raise StartError(
                f"record file {path}: cannot be written ({problem.strerror}). Give another --record.") from problem

    @staticmethod
    def fault_plan(options: SimulatorSettings) -> FaultPlan:
        """The plan that the options name. Raises StartError."""
        try:
            plan = FaultPlan.load(options.faults) if options.faults is not None else FaultPlan.empty()
        except PlanError as problem:
            raise StartError(str(problem)) from problem
        given = {"seed": options.fault_seed, "rate": options.fault_rate}
        return plan.model_copy(update={name: value for name, value in given.items() if value is not None})

    def _make_deeds(self, revoked: dict[str, Reason]) -> Deeds:
        folder = self.options.state
        file = folder / "acts.json" if folder is not None else None
        deeds = Deeds(self.venue, revoked, self._elapsed, self.options.speed, file)
        try:
            deeds.restore()
        except ActError as problem:
            raise StartError(str(problem)) from problem
        return deeds

    # -- memory ------------------------------------------------------------------------------------------

    def _commit(self, change: Change) -> None:
        try:
            if self._journal is not None:
                self._journal.append(change)
            if self._recorder is not None:
                self._recorder.append(change)
        except OSError as problem:
            # Memory and disk now differ: answer nobody any more, end, and let the restart read the disk.
            self.broken = problem
            raise
        self.past.note(change)

    def _note(self, row: dict[str, Any]) -> None:
        """Put what was injected into the record."""
        try:
            if self._recorder is not None:
                self._recorder.write([row])
        except OSError as problem:
            self.broken = problem
            raise

    def lease(self, ms: int) -> None:
        """Keep the reserved market time ahead of what is answered."""
        ahead = int(LEASE_WALL_S * 1000 * self.options.speed)
        if self._journal is not None and ms + ahead // 2 > self._leased:
            self._leased = ms + ahead
            self._journal.reserve(self._leased)

    def close(self) -> None:
        """Release files and locks."""
        for thing in (self._journal, self._recorder):
            if thing is not None:
                thing.close()
        if self._folder_lock is not None:
            self._folder_lock.release()

    # -- the wire ----------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=1 << 20)
        Own(self).add_to(app)
        if self.options.futures:
            self.door.add_to(app)
        app.on_shutdown.append(self._on_shutdown)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        body = (await request.read()).decode("utf-8", "replace")
        key = request.headers.get("X-MEXC-APIKEY")

        async def execute(lag_s: float = 0.0) -> Reply:
            self.lease(self.clock.now())
            seen = self.past.view(lag_s) if lag_s else None
            lag_ms = int(lag_s * 1000 * self.options.speed)
            return await self.dialect.handle(
                request.method, path, query, body, key, request.remote or "?", seen, lag_ms)

        symbol = self.dialect.params_of(query, body).get("symbol")
        asked = Asked(request.method, path, request_class(request.method, path), symbol)
        hands = Hands(lambda: self._aim(query, body, key), self.deeds.outage, WORDS)
        return await self.wire.answer(request, asked, hands, execute)

    def _aim(self, query: str, body: str, key: str | None) -> Aim | None:
        """The spot order that a request is about, in the hands of the faults."""
        order = self.dialect.aimed_at(query, body, key)
        if order is None:
            return None
        return Aim(lambda share: self.venue.fill_share(order, share), lambda: order.status.final)

    async def _on_shutdown(self, app: web.Application) -> None:
        self.wire.close()

    # -- running -----------------------------------------------------------------------------------------

    async def warm(self) -> None:
        """Make today's and yesterday's market before listening."""
        day = self.clock.now() // DAY_MS
        for needed in (day - 1, day):
            while not self.venue.market.prepare(needed, 50):
                await asyncio.sleep(0)

    async def run(self, stop: asyncio.Event) -> None:
        """Let the market reach resting orders, make tomorrow ahead of time, keep the lease, until `stop`."""
        futures = asyncio.create_task(self.door.run(stop))
        try:
            await self._run_spot(stop, futures)
        finally:
            futures.cancel()

    async def _run_spot(self, stop: asyncio.Event, futures: asyncio.Task[None]) -> None:
        while not stop.is_set() and self.broken is None:
            if futures.done():
                futures.result()  # raises what ended it
            now = self.clock.now()
            self.faults.check_events()
            self.venue.advance(now)
            self.lease(now)
            self._tomorrow(now)
            try:
                await asyncio.wait_for(stop.wait(), TICK_S)
            except TimeoutError:
                continue
        if self.broken is not None:
            raise self.broken

    def _tomorrow(self, now: int) -> None:
        """A few rows of the next day each tick, fast enough to be whole before midnight."""
        day = now // DAY_MS
        left_ms = (day + 1) * DAY_MS - now
        ticks = max(1.0, left_ms / self.options.speed / (TICK_S * 1000) * 0.8)
        if left_ms < DAY_MS - 30 * MINUTE_MS:
            rows = int(self.venue.source.slots / ticks) + 1
            self.venue.market.prepare(day + 1, min(rows, 40) if ticks > 5 else rows)


async def serve(options: SimulatorSettings, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    """Run a simulator until `stop`; `ready` gets the port. Raises StartError, or OSError when its disk fails."""
    simulator = Simulator(options)
    runner = web.AppRunner(simulator.app(), access_log=None)
    try:
        await simulator.warm()
        simulator.port = await listen(runner, options.host, options.port)
        ready(simulator.port)
        await simulator.run(stop)
    finally:
        await runner.cleanup()
        simulator.close()
