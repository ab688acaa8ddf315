"""The service ``dashboard``: a web server of its own process. It reads what others wrote, and can stall nobody.

1. Pages are read-only; wishes go to the command process (actions.py). With that away a wish waits for nobody: one that
   moves money and comes too late is told, not carried out.
2. Inbox: ``answer`` {question, text, buttons} · ``link`` {link, role, who, valid_ms} · ``password`` {}.
3. A port in use is said with its mend.
"""

import asyncio
import ctypes
import itertools
import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from modules.dashboard.assembly import Parts, assemble
from modules.dashboard.pages.settings import Reference
from modules.dashboard.passwords import hashed, is_hash, owner_hash, renew
from modules.dashboard.sessions import OWNER, VIEWER
from modules.supervision.messages import Message
from modules.supervision.registry import Service
from modules.supervision.service import ServiceRun
from utils.listening import listening
from utils.patient_http import PatientHttp

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
LOOK_S = 0.2
_M_ARENA_MAX = -8
FACTS_S = 2.0
TRIM_EVERY = 15  # looks at the facts: half a minute


class AddressInUse(Exception):
    """The dashboard cannot listen where it should."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the service's own end it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(run: ServiceRun, settings: "Settings", crew: Sequence[Service],
                reference: Reference = ()) -> None:
    """Run until ``run.stop``. `reference`: every setting, for its page. Raises AddressInUse, StateError, OSError."""
    one_arena()
    wishes = settings.dashboard
    listener = listen(wishes.host, wishes.port)
    try:
        parts = assemble(run.paths, run.name, settings, crew, passwords(run, settings), reference)
        port = int(listener.getsockname()[1])
        run.ready(url=wishes.public_url or f"http://{_shown(wishes.host)}:{port}", port=port)
        await _live(run, parts, listener)
    finally:
        listener.close()


async def _live(run: ServiceRun, parts: Parts, listener: socket.socket) -> None:
    """Server, pages and inbox together; one that ends by itself ends the service, and is started again."""
    server = Server(uvicorn.Config(
        parts.app, log_config=None, access_log=False, lifespan="off", http=PatientHttp, ws="websockets-sansio",
        ws_max_size=65_536, proxy_headers=True, forwarded_allow_ips="127.0.0.1", server_header=False,
        timeout_keep_alive=30, limit_concurrency=400, timeout_graceful_shutdown=2))
    http = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    works = [http, asyncio.create_task(parts.live.run(), name="pages"),
             asyncio.create_task(parts.candles.run(), name="candles"),
             asyncio.create_task(_inbox(run, parts), name="inbox"),
             asyncio.create_task(_facts(run, parts), name="facts")]
    stopped = asyncio.create_task(run.stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait({stopped, *works}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
            raise RuntimeError(f"{task.get_name()} of the dashboard ended by itself")
    finally:
        server.should_exit = True
        for task in (stopped, *works[1:]):
            task.cancel()
        await asyncio.gather(stopped, *works, return_exceptions=True)
        parts.live.close()


def one_arena() -> None:
    """glibc keeps freed memory for each thread; the few threads here can share (saves some 10 MB). Linux only."""
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (AttributeError, OSError, TypeError):
        return


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises AddressInUse with the mend."""
    try:
        return listening(host, port, 128)
    except OSError as problem:
        raise AddressInUse(f"The dashboard cannot listen on {host} port {port}: {problem.strerror}. Set DASHBOARD_PORT "
                           "to a free port (0: any), or DASHBOARD_HOST to an address of this machine.") from None


def passwords(run: ServiceRun, settings: "Settings") -> dict[str, str]:
    """Role → hash. The first start makes the owner's password and tells it once. Raises StateError, OSError."""
    wishes = settings.dashboard
    owner, made = owner_hash(wishes.password.get_secret_value(), run.paths.config)
    if made:
        tell(run, made, "The dashboard has a login.")
    found = {OWNER: owner}
    viewer = wishes.viewer_password.get_secret_value()
    if viewer:
        found[VIEWER] = viewer if is_hash(viewer) else hashed(viewer)
    return found


def tell(run: ServiceRun, password: str, what: str) -> None:
    """Say a password that was made here: once, to the owners; only its hash is kept."""
    run.outbox.say(what, why=f"Log in with {password}", level="info",
                   todo="Keep it, then delete this message. /dashboard gives one-time links; "
                        "DASHBOARD_PASSWORD sets one of your own.")


async def _inbox(run: ServiceRun, parts: Parts) -> None:
    while True:
        for path, message in await asyncio.to_thread(run.inbox.take):
            await asyncio.to_thread(run.inbox.done, path, message)
            await handle(run, parts, message)
        await asyncio.sleep(LOOK_S)


async def handle(run: ServiceRun, parts: Parts, message: Message) -> None:
    """One message (rule 2); what is not understood is logged and nothing else."""
    body = message.body
    match message.kind:
        case "answer":
            parts.actions.answered(body)
        case "link":
            role = OWNER if body.get("role") == OWNER else VIEWER
            until = message.created_ms + int(body.get("valid_ms", 0))
            parts.sessions.expect(str(body.get("link", "")), role, str(body.get("who", "?"))[:60], until)
        case "password":
            stored, made = await asyncio.to_thread(renew, run.paths.config)
            parts.login.change(OWNER, stored)
            parts.sessions.close_all()  # those by links too: somebody may have got hold of one
            tell(run, made, "The dashboard has a new password; all logins and links of before have ended.")
        case other:
            log.error("inbox: %s is not understood", other)


def trim() -> None:
    """Give freed memory back to the machine: what pages were built from comes and goes in large pieces. Linux only."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


async def _facts(run: ServiceRun, parts: Parts) -> None:
    for look in itertools.count(1):
        if look % TRIM_EVERY == 0:
            await asyncio.to_thread(trim)
        facts: dict[str, Any] = {"clients": parts.live.watchers, "build_ms": round(parts.live.build_ms, 1),
                                 "page_failures": parts.live.failures, "turned_away": parts.guard.refused}
        run.tell(**facts)
        await asyncio.sleep(FACTS_S)


def _shown(host: str) -> str:
    """An address as it stands in a URL; one that means "every address" is reached by the loopback."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
