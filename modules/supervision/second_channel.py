"""The second alert channel (P16), for when Telegram is down: a webhook that takes JSON, and e-mail.

1. `send` tells whether at least one configured channel took the notice; who calls it keeps the notice otherwise.
2. What may pass is retried with growing waits; what the far side refuses for good (4xx) is not.
3. A password goes over an encrypted connection only, except to this machine itself.
"""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from modules.supervision.outbox import Notice
from utils.wall import iso
from utils.web import NoAnswer, call

log = logging.getLogger(__name__)
_WAITS_S = (1.0, 4.0)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SecondChannel:
    """Webhook and e-mail, as far as they are set."""

    def __init__(self, webhook_url: str = "", smtp_url: str = "", email_to: str = "",
                 waits_s: Sequence[float] = _WAITS_S) -> None:
        self._webhook = webhook_url
        self._smtp = smtp_url
        self._to = email_to
        self._waits = tuple(waits_s)

    @property
    def configured(self) -> bool:
        """Whether there is any second channel."""
        return bool(self._webhook or (self._smtp and self._to))

    async def send(self, notice: Notice) -> bool:
        """Send by every channel that is set; True if one took it."""
        ways: list[tuple[str, Callable[[Notice], None]]] = []
        if self._webhook:
            ways.append(("webhook", self._post))
        if self._smtp and self._to:
            ways.append(("e-mail", self._mail))
        taken = await asyncio.gather(*(self._try(name, way, notice) for name, way in ways))
        return any(taken)

    async def _try(self, name: str, way: Callable[[Notice], None], notice: Notice) -> bool:
        for wait in (*self._waits, None):
            try:
                await asyncio.to_thread(way, notice)
                return True
            except _Refused as problem:
                log.error("second channel %s refuses: %s", name, problem)
                return False
            except (NoAnswer, OSError, smtplib.SMTPException) as problem:
                log.warning("second channel %s: %s", name, _brief(problem))
            if wait is not None:
                await asyncio.sleep(wait)
        return False

    def _post(self, notice: Notice) -> None:
        body = {
            "text": notice.text(), "content": notice.text()[:1900],  # the names Slack and Discord look for
            "id": notice.id, "level": notice.level, "mode": notice.mode, "what": notice.what, "why": notice.why,
            "todo": notice.todo, "source": notice.source, "created": iso(notice.created_ms),
        }
        status, _ = call(self._webhook, body)
        if status == 429 or status >= 500:
            raise NoAnswer(f"HTTP status {status}")
        if status >= 400:
            raise _Refused(f"HTTP status {status}")

    def _mail(self, notice: Notice) -> None:
        where = urlsplit(self._smtp)
        host, user, password = where.hostname or "", unquote(where.username or ""), unquote(where.password or "")
        mail = EmailMessage()
        mail["Subject"] = f"Coxswain {notice.level}: {' '.join(notice.what.split())[:100]}"
        mail["From"] = user if "@" in user else self._to
        mail["To"] = self._to
        mail.set_content(f"{notice.text()}\n\n{iso(notice.created_ms)} · {notice.source}\n")
        with _connect(where.scheme, host, where.port) as server:
            if where.scheme == "smtp":
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=ssl.create_default_context())
                elif user and host not in _LOOPBACK:
                    raise _Refused("the mail server offers no encryption; the password stays here")
            try:
                if user:
                    server.login(user, password)
                server.send_message(mail)
            except smtplib.SMTPResponseException as problem:
                if 500 <= problem.smtp_code < 600:
                    raise _Refused(f"SMTP code {problem.smtp_code}") from None
                raise
            except smtplib.SMTPRecipientsRefused:
                raise _Refused("the recipient was refused") from None


class _Refused(Exception):
    """The far side will not take it, however often it is asked."""


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=15, context=ssl.create_default_context())
    return smtplib.SMTP(host, port or 587, timeout=15)


def _brief(problem: Exception) -> str:
    return str(problem) if isinstance(problem, NoAnswer) else type(problem).__name__
