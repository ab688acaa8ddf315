"""State: /status /ping /why /logs /settings /version."""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, SecretStr

from modules.exchange.types import Mode
from modules.execution.risk import standing
from modules.execution.risk_state import Unreadable
from modules.storage.damage import StateError
from modules.strategies.hype.files import HypeFiles
from modules.supervision.status import ServiceStatus
from modules.telegram.command import Answer, Arg, Command, Group, Request, Role, shown
from modules.telegram.commands.crew import stake, venue
from modules.telegram.context import TRACKER, Context
from modules.telegram.facts import told
from modules.telegram.market_now import market_now
from modules.telegram.markup import b, code, esc, lines
from utils.figures import duration, megabytes, plural
from utils.logs import tail
from utils.version import describe

_DOTS = {"ready": "🟢", "starting": "🟡", "stopping": "🟡", "backoff": "🟠", "stuck": "🟠", "crash-loop": "🔴",
         "stopped": "⚪"}
_LOW_DISK_MB = 500


async def ping(context: Context, request: Request) -> Answer:
    return Answer("pong")


async def status(context: Context, request: Request) -> Answer:
    now_ms = await market_now(context)
    crew, files = await asyncio.gather(asyncio.to_thread(context.crew.status),
                                       context.read(lambda: _files(context, now_ms)))
    mode = context.mode()
    up = duration(time.monotonic() - context.facts.started)
    return Answer(lines(
        b(f"[{mode}] {venue(context)}") + f", {stake(context, mode)}", "",
        *(_service(one) for one in crew), "",
        *files, *(f"{esc(name)}: {esc(said)}" for name, tell in context.facts.lines.items() if (said := tell())),
        f"Command process: up {up}",
        esc(context.facts.found_at_start) or None,
        _advice(crew)))


def _service(one: ServiceStatus) -> str:
    """One service in two or three short lines."""
    facts: list[str] = [one.state]
    if one.pid is not None:
        memory = one.pss_mb if one.pss_mb is not None else one.rss_mb
        facts += [f"up {duration(one.uptime_s)}", megabytes(memory), f"{one.cpu_pct:.0f}% CPU"]
    if one.restarts:
        facts.append(plural(one.restarts, "restart"))
    if one.next_try_s is not None:
        facts.append(f"next try in {duration(one.next_try_s)}")
    quiet, troubles = told(one.name, one.info) if one.pid is not None else ("", [])
    if one.last_error and one.state in ("crash-loop", "backoff", "stuck"):
        troubles.append(one.last_error)
    return lines(f"{_DOTS[one.state]} {b(one.title)}: {esc(' · '.join(facts))}",
                 f"   {esc(quiet)}" if quiet else None,
                 *(f"   ⚠️ {esc(trouble)}" for trouble in troubles))


def _files(context: Context, now_ms: int) -> list[str]:
    """Positions by mode, dead letters, disk."""
    rows = []
    told = tracker.info if (tracker := context.service(TRACKER)) is not None else {}
    for mode in Mode:
        try:
            count = len(HypeFiles(context.paths, mode).tracked.load())
        except StateError as problem:
            rows.append(f"⚠️ {mode} positions cannot be read: {esc(problem)}")
            continue
        trading = _trading(context, mode, told, now_ms)
        if count or mode is context.mode() or "no entries" in trading:
            rows.append(f"{mode}: {plural(count, 'open position')}, {trading}")
    dead = context.outbox.dead()
    if dead:
        rows.append(f"⚠️ {plural(dead, 'notice')} could not be delivered (data/outbox/dead)")
    free = shutil.disk_usage(context.paths.data).free / 1e6
    if free < _LOW_DISK_MB:
        rows.append(f"⚠️ Disk: only {megabytes(free)} free")
    return rows


def _trading(context: Context, mode: Mode, told: Mapping[str, object], now_ms: int) -> str:
    """The trading state of a mode, and what stops entries."""
    state = context.files(mode).read_risk()
    if isinstance(state, Unreadable):
        return "⚠️ risk state unreadable: no entries (/risk)"
    stopped = told.get(f"stopped_{mode.lower()}") or "; ".join(standing(state, now_ms))  # a tracker that began just now
    return f"trading {state.trading}" + (f"\n   ⚠️ no entries: {esc(stopped)} (/risk)" if stopped else "")


def _advice(crew: Sequence[ServiceStatus]) -> str | None:
    states = {one.state for one in crew}
    if states & {"crash-loop", "stuck", "backoff"}:
        name = next(one.name for one in crew if one.state in ("crash-loop", "stuck", "backoff"))
        return f"→ /logs {name} says what goes wrong."
    if states == {"stopped"}:
        return "→ /startbot starts the crew."
    return None


async def logs(context: Context, request: Request) -> Answer:
    name = request.text("service", "bot")
    count = request.number("lines", 25)
    found = await context.read(lambda: tail(context.paths, name, count))
    if not found:
        return Answer(f"{esc(name)} has logged nothing yet.")
    return Answer(lines(b(f"Log of {name}, last {plural(len(found), 'line')}"),
                        "\n".join(code(_short(line)) for line in found)))


def _short(line: str) -> str:
    """A log line for a phone: time without date and milliseconds, and not endless."""
    if len(line) > 24 and line[10:11] == "T" and line[23:24] == "Z":
        line = line[11:19] + line[24:]
    return line if len(line) <= 300 else line[:300] + "…"


async def settings(context: Context, request: Request) -> Answer:
    wanted = request.text("group")
    model: BaseModel = context.settings
    groups = [name for name in type(model).model_fields if not wanted or name == wanted]
    if not groups:
        known = ", ".join(type(model).model_fields)
        return Answer(lines(f"There is no group {esc(shown(wanted))}.", f"There are: {esc(known)}."))
    if not wanted:
        changed = [row for name in groups for row in _rows(name, getattr(model, name), only_changed=True)]
        return Answer(lines(b("Settings that differ from the default"), *(changed or ["None: all are as they come."]),
                            "", f"All of a group: {code('/settings hype')}; groups: {esc(', '.join(groups))}",
                            "→ Change them in config/config.local.yaml or .env, then /restartbot."))
    return Answer(lines(b(f"Settings: {wanted}"), *_rows(wanted, getattr(model, wanted), only_changed=False)))


def _rows(group: str, section: BaseModel, only_changed: bool) -> list[str]:
    rows = []
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        changed = value != info.get_default(call_default_factory=True)
        if changed or not only_changed:
            shown = ("set" if value.get_secret_value() else "not set") if isinstance(value, SecretStr) else value
            if isinstance(shown, tuple):
                shown = ", ".join(map(str, shown)) or "none"
            mark = " (changed)" if changed and not only_changed else ""
            rows.append(f"{code(f'{group}.{name}')} = {esc('empty' if shown == '' else shown)}{mark}")
    return rows


async def version(context: Context, request: Request) -> Answer:
    return Answer(esc(await context.read(describe)))


def commands(services: Sequence[str]) -> tuple[Command, ...]:
    """The commands; /logs knows the services by name."""
    names = ("bot", *services)
    return (
        Command("status", "The crew, its health, positions", Group.HELP, status, Role.VIEWER),
        Command("ping", "Whether I am here", Group.HELP, ping, Role.VIEWER),
        Command("logs", "The end of a log", Group.HELP, logs,
                args=(Arg("service", "choice", "which; default bot", choices=names),
                      Arg("lines", "int", "how many; default 25", low=1, high=200))),
        Command("settings", "Settings in use, secrets hidden", Group.HELP, settings,
                args=(Arg("group", "text", "e.g. hype; without it what differs from the default"),)),
        Command("version", "Version of program and parts", Group.HELP, version, Role.VIEWER),
    )
