"""The dashboard from the chat: /dashboard (start it, a one-time link), /dashboardpassword; and /service.

The link's token stands behind the ``#`` of the address: it reaches no server's log, and a preview of the link in the
chat does not use it up. The dashboard gets only its hash.
"""

import hashlib
import secrets

from modules.telegram.command import Answer, Arg, Command, Group, Preview, Refusal, Request, Role
from modules.telegram.commands.crew import troubles
from modules.telegram.context import Context
from modules.telegram.markup import b, code, esc, lines
from utils.figures import duration

NAME = "dashboard"


async def dashboard(context: Context, request: Request) -> Answer:
    if not context.running(NAME):
        if request.role < Role.OWNER:
            raise Refusal("The dashboard is not running. Ask an owner to send /dashboard.")
        await request.progress("Starting the dashboard …")
        trouble = troubles(await context.crew.start(NAME))
        if trouble:
            raise Refusal(trouble)
    return await context.read(lambda: _link(context, request))


def _link(context: Context, request: Request) -> Answer:
    """A link that works once."""
    running = context.service(NAME)
    url = str(running.info.get("url", "")) if running is not None else ""
    if not url:
        raise Refusal("The dashboard has not said yet where it listens. → /dashboard again in a moment.")
    minutes = context.settings.dashboard.link_minutes
    token = secrets.token_urlsafe(24)
    role = "owner" if request.role >= Role.OWNER else "viewer"
    context.post(NAME, "link", {"link": hashlib.sha256(token.encode()).hexdigest(), "role": role,
                                "who": request.sender.name or request.sender.user, "valid_ms": int(minutes * 60_000)})
    local = "" if context.settings.dashboard.public_url else \
        "It opens on the machine Coxswain runs on; DASHBOARD_PUBLIC_URL names an address for others."
    return Answer(lines(b("Dashboard"), esc(f"{url}/login#once={token}"),
                        f"Works once, within {duration(minutes * 60)}, as {role}.", local or None,
                        f"Later: {esc(url)} with the password ({code('/dashboardpassword')} makes a new one)."))


async def new_password(context: Context, request: Request) -> Answer:
    context.post(NAME, "password", {})
    later = "" if context.running(NAME) else "It is told when the dashboard runs: /dashboard starts it."
    return Answer(lines(b("A new password is made."), later or "It is told here in a moment; old logins end."))


async def password_preview(context: Context, request: Request) -> Preview | None:
    if context.settings.dashboard.password.get_secret_value():
        raise Refusal("The password is set by DASHBOARD_PASSWORD; change it there, then /service dashboard restart.")
    return Preview(lines(b("Make a new password for the dashboard?"),
                         "Everybody is logged out, those who came by a link too."), "", "Make a new one")


def _service_command(services: tuple[str, ...]) -> Command:
    async def preview(context: Context, request: Request) -> Preview | Answer | None:
        name, act = request.text("service"), request.text("act")
        known = context.service(name)
        if known is None:
            raise Refusal(f"{esc(name)} is not part of the crew with these settings. /status lists the crew.")
        if act == "start":
            return None
        if known.pid is None and act == "stop":
            return Answer(lines(b(f"{known.title} is stopped already."), f"→ /service {name} start starts it."))
        return Preview(lines(b(f"{act.capitalize()} {known.title}?"), "Open positions stay guarded: what they need "
                             "goes on running."), f"{name} {act} {known.pid}", f"{act.capitalize()} {known.title}")

    async def handler(context: Context, request: Request) -> Answer:
        name, act = request.text("service"), request.text("act")
        if act == "stop":
            kept = await context.crew.stop(name)
            if name in kept:
                return Answer(lines(b(f"{name} goes on running: open positions need it."),
                                    "It ends when the last one is closed."))
            return Answer(lines(b(f"{name} is stopped."), f"→ /service {name} start starts it again."))
        work = context.crew.start if act == "start" else context.crew.restart
        trouble = troubles(await work(name))
        if trouble:
            raise Refusal(trouble)
        return Answer(lines(b(f"{name} is running."), "→ /status shows the crew."))

    return Command("service", "Start, stop or restart one service", Group.CREW, handler, preview=preview, money=True,
                   args=(Arg("service", "choice", "its name, as in /status", required=True, choices=services),
                         Arg("act", "choice", "what to do", required=True, choices=("start", "stop", "restart"))))


def commands(services: tuple[str, ...]) -> tuple[Command, ...]:
    """/dashboard, and /service for these services."""
    return (
        Command("dashboard", "Dashboard: start it, one-time link", Group.HELP, dashboard,
                role=Role.VIEWER),
        Command("dashboardpassword", "Make a new password for the dashboard", Group.HELP, new_password,
                preview=password_preview),
        _service_command(services),
    )
