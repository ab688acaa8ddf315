"""The doctor's look outside: exchange, clock, key, Telegram, dead-man URL, second channel. Nothing is sent there."""

import asyncio
import json
import socket
from urllib.parse import urlsplit

from config.finding import Finding
from config.settings import Settings
from modules.exchange.gateway import check_key, open_market
from modules.exchange.types import Unavailable
from utils.locks import ProcessLock
from utils.paths import Paths
from utils.wall import iso, now_ms
from utils.web import NoAnswer, call

PATIENCE_S = 30.0
WARN_OFFSET_MS = 1000
_PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}


async def examine(paths: Paths, settings: Settings) -> list[Finding]:
    """Everything outside, at the same time."""
    parts = await asyncio.gather(
        _exchange(paths, settings), asyncio.to_thread(telegram, settings), asyncio.to_thread(worst_day, settings))
    return [finding for part in parts for finding in part]


async def _exchange(paths: Paths, settings: Settings) -> list[Finding]:
    venue = settings.exchange.name
    simulated_here = venue == "simulated" and not settings.exchange.base_url
    if simulated_here and ProcessLock(paths.run, "simulator").owner() is None:
        return [Finding("exchange", "ok", "the simulated exchange does not run now; /startbot starts it")]
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await _market(paths, settings)
            return found + await _key(paths, settings)
    except Unavailable as problem:
        return [Finding("exchange", "bad", str(problem), "Is the network there? Is the exchange in maintenance?")]
    except TimeoutError:
        return [Finding("exchange", "bad", f"no answer within {PATIENCE_S:.0f} s",
                        "Look at the network and at proxy settings")]


async def _market(paths: Paths, settings: Settings) -> list[Finding]:
    market = await open_market(settings.exchange, paths)
    try:
        tradable = sum(1 for one in (await market.markets()).values() if one.api_allowed and one.trading)
        found = [Finding("exchange", "ok", f"{settings.exchange.name} answers; {tradable} tokens open to API orders")]
        if settings.exchange.name == "simulated":
            told = f"market time {iso(market.clock.now_ms())}, speed {market.clock.speed:g}"
            return [*found, Finding("clock", "ok", told)]
        offset = market.clock.now_ms() - now_ms()
        late = abs(offset) > WARN_OFFSET_MS
        mend = "Orders use the exchange's clock; set this machine's by NTP all the same" if late else ""
        return [*found, Finding("clock", "warn" if late else "ok",
                                f"{offset:+d} ms between exchange and this machine", mend)]
    finally:
        await market.close()


async def _key(paths: Paths, settings: Settings) -> list[Finding]:
    if not settings.exchange.api_key.get_secret_value() and settings.exchange.name != "simulated":
        return [Finding("key", "ok", "none set: test mode only")]
    report = await check_key(settings.exchange, paths)
    return [Finding("key", "ok" if report.usable else "bad", report.text,
                    "" if report.usable else "LIVE trading is refused with this key; test mode works")]


def telegram(settings: Settings) -> list[Finding]:
    """The token, by asking who it belongs to; the token itself is never shown."""
    token = settings.telegram.token.get_secret_value()
    if not token:
        return [Finding("Telegram", "ok", "no token set: commands by console only")]
    try:
        status, me = _ask(settings.telegram.api_base, token, "getMe")
        if status in (401, 404):
            return [Finding("Telegram", "bad", "the token is not valid", "Get it from @BotFather, set TELEGRAM_TOKEN")]
        if status != 200:
            return [Finding("Telegram", "bad", f"answers with HTTP status {status}", "Try again later")]
        found = [Finding("Telegram", "ok", f"the token belongs to @{_name(me)}")]
        _, hook = _ask(settings.telegram.api_base, token, "getWebhookInfo")
    except NoAnswer as problem:
        return [Finding("Telegram", "bad", f"cannot be reached: {problem}",
                        "Look at the network, or at telegram.api_base")]
    result = hook.get("result")
    if isinstance(result, dict) and result.get("url"):
        found.append(Finding("Telegram", "bad", "another program has set a webhook for this bot",
                             "Give Coxswain a bot of its own, or delete that webhook"))
    return found


def _ask(base: str, token: str, method: str) -> tuple[int, dict[str, object]]:
    status, body = call(f"{base.rstrip('/')}/bot{token}/{method}")
    try:
        answer = json.loads(body)
    except ValueError:
        raise NoAnswer("what answers there is not the Bot API") from None
    if not isinstance(answer, dict):
        raise NoAnswer("what answers there is not the Bot API")
    return status, answer


def _name(answer: dict[str, object]) -> str:
    result = answer.get("result")
    return str(result.get("username", "?")) if isinstance(result, dict) else "?"


def worst_day(settings: Settings) -> list[Finding]:
    """Whether somebody would notice the end of this machine (P16): only that the far ends can be reached."""
    report = settings.report
    real = settings.exchange.name != "simulated"
    found = []
    for what, url, missing in (
        ("dead-man ping", report.heartbeat_url, "HEARTBEAT_URL is not set: nobody notices when this machine dies"),
        ("second channel", report.webhook_url.get_secret_value() or report.smtp_url.get_secret_value(),
         "not set: alerts wait while Telegram is down"),
    ):
        if not url:
            mend = "docs/SETTINGS.md, group report" if real else ""
            found.append(Finding(what, "warn" if real else "ok", missing, mend))
            continue
        where = urlsplit(url)
        try:
            address = (where.hostname or "", where.port or _PORTS[where.scheme])
            with socket.create_connection(address, timeout=10):
                found.append(Finding(what, "ok", f"{where.hostname} can be reached"))
        except OSError as problem:
            found.append(Finding(what, "bad", f"{where.hostname} cannot be reached: {problem.strerror or problem}",
                                 "Look at the network and at the address"))
    return found
