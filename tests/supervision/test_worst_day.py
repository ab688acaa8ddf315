"""Dead-man ping, second channel, and how the command process ends."""

import asyncio
import http.server
import json
import signal
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modules.supervision.deadman import ping_loop
from modules.supervision.disk import DiskWatch
from modules.supervision.lifetime import EXIT_OK, EXIT_RESTART, Lifetime, stop_file
from modules.supervision.outbox import Notice
from modules.supervision.second_channel import SecondChannel
from tests.surroundings import until

ALERT = Notice(id="n1", level="alert", mode="LIVE", what="Tracker crashed\n5 times", why="it hung",
               todo="/logs tracker", source="supervisor", created_ms=0)


class Web(http.server.ThreadingHTTPServer):
    """Remembers what was asked; answers with the statuses given, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, Any]] = []
        self.statuses = [200]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, json.loads(body) if body else None))
        statuses = self.server.statuses
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        return


class Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP to take a mail, or refuse it."""

    server: "MailServer"

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                self._say("250-test\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                self._say(self.server.login_answer)
            elif word == "DATA":
                self._say("354 go")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    text += self.rfile.readline()
                self.server.mails.append(text.decode())
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mail)
        self.mails: list[str] = []
        self.login_answer = "235 welcome"


def serve(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    yield from serve(Web())


@pytest.fixture
def mail() -> Iterator[MailServer]:
    yield from serve(MailServer())


async def test_pings_only_while_all_is_well(web: Web) -> None:
    well = False
    looks = 0

    def healthy() -> bool:
        nonlocal looks
        looks += 1
        return well

    pinging = asyncio.create_task(ping_loop(f"{web.url}/ping", 0.01, healthy))
    await until(lambda: looks > 3)
    assert web.seen == []
    well = True
    web.statuses = [500, 200]  # a refusal of the far side does not end the pings
    await until(lambda: len(web.seen) > 3)
    assert web.seen[0] == ("GET", "/ping", None)
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)
    await asyncio.wait_for(ping_loop("", 0.01, healthy), timeout=60)


async def test_a_dead_far_side_is_logged_once_without_its_address(caplog: pytest.LogCaptureFixture) -> None:
    looks = 0

    def healthy() -> bool:
        nonlocal looks
        looks += 1
        return True

    pinging = asyncio.create_task(ping_loop("http://127.0.0.1:9/secret-path", 0.01, healthy))
    await until(lambda: looks > 4)
    pinging.cancel()
    await asyncio.gather(pinging, return_exceptions=True)
    told = [record.getMessage() for record in caplog.records if "ping" in record.getMessage()]
    assert len(told) == 1 and "secret-path" not in told[0]


async def test_webhook_is_retried_and_takes_the_alert(web: Web) -> None:
    web.statuses = [503, 429, 200]
    channel = SecondChannel(webhook_url=f"{web.url}/hook", waits_s=(0.01, 0.01))
    assert channel.configured and await channel.send(ALERT)
    assert len(web.seen) == 3
    method, path, body = web.seen[-1]
    assert (method, path) == ("POST", "/hook")
    assert body["text"] == "[LIVE] Tracker crashed\n5 times\nit hung\n→ /logs tracker"
    assert (body["id"], body["level"], body["mode"]) == ("n1", "alert", "LIVE")


async def test_what_the_far_side_refuses_for_good_is_not_repeated(web: Web) -> None:
    web.statuses = [403]
    assert not await SecondChannel(webhook_url=web.url, waits_s=(0.01, 0.01)).send(ALERT)
    assert len(web.seen) == 1


async def test_nobody_there_is_no_delivery() -> None:
    assert not await SecondChannel(webhook_url="http://127.0.0.1:9/x", waits_s=(0.01,)).send(ALERT)
    assert not SecondChannel().configured and not await SecondChannel().send(ALERT)
    assert not SecondChannel(smtp_url="smtp://localhost").configured


async def test_mail_is_sent_with_login(mail: MailServer) -> None:
    host, port = mail.server_address[:2]
    channel = SecondChannel(smtp_url=f"smtp://bot%40example.org:p%3Ass@127.0.0.1:{port}", email_to="me@example.org",
                            waits_s=())
    assert host == "127.0.0.1" and await channel.send(ALERT)
    [text] = mail.mails
    assert "Subject: Coxswain alert: Tracker crashed 5 times" in text
    assert "From: bot@example.org" in text and "To: me@example.org" in text and "it hung" in text


async def test_mail_with_a_wrong_password_is_not_repeated(mail: MailServer) -> None:
    mail.login_answer = "535 no"
    channel = SecondChannel(smtp_url=f"smtp://u:p@127.0.0.1:{mail.server_address[1]}", email_to="me@example.org",
                            waits_s=(60.0,))
    assert not await asyncio.wait_for(channel.send(ALERT), timeout=60)
    assert mail.mails == []


async def test_a_password_never_goes_over_an_open_line(mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.supervision.second_channel._LOOPBACK", ())
    channel = SecondChannel(smtp_url=f"smtp://u:p@127.0.0.1:{mail.server_address[1]}", email_to="me@example.org",
                            waits_s=())
    assert not await channel.send(ALERT)
    assert mail.mails == []


def test_a_disk_that_fills_is_told_once_for_each_episode(tmp_path: Path) -> None:
    free = [500.0]
    told: list[tuple[str, str]] = []

    def tell(what: str, *, why: str = "", todo: str = "", level: str = "info") -> None:
        told.append((level, what))

    watch = DiskWatch(tmp_path, 200.0, tell, lambda _: free[0])
    for now, mb in enumerate((500, 199, 150, 210, 190, 300, 100)):
        free[0] = mb
        watch.look(now * 100.0)
        watch.look(now * 100.0 + 1)
    assert told == [("alert", "The disk is nearly full: 199 MB are free."),
                    ("info", "The disk has room again: 300 MB are free."),
                    ("alert", "The disk is nearly full: 100 MB are free.")]


async def test_lifetime_ends_by_wish_by_file_and_by_signal(tmp_path: Path) -> None:
    with Lifetime(tmp_path) as life:
        life.stop("end of input")
        assert await life.ended() == EXIT_OK and life.why == "end of input" and life.ending
    with Lifetime(tmp_path) as life:
        life.request_restart()
        assert await life.ended() == EXIT_RESTART
    with Lifetime(tmp_path) as life:
        life.stop("Ctrl-C")
        life.request_restart()  # too late: who asked to stop wins
        assert await life.ended() == EXIT_OK
    stop_file(tmp_path).write_text("old", encoding="utf-8")
    with Lifetime(tmp_path) as life:
        assert not stop_file(tmp_path).exists(), "an old wish does not end a new life"
        ended = asyncio.create_task(life.ended())
        stop_file(tmp_path).write_text("stop", encoding="utf-8")
        assert await asyncio.wait_for(ended, timeout=60) == EXIT_OK
    assert not stop_file(tmp_path).exists()
    before = signal.getsignal(signal.SIGINT)
    with Lifetime(tmp_path) as life:
        signal.raise_signal(signal.SIGINT)
        assert await asyncio.wait_for(life.ended(), timeout=60) == EXIT_OK and life.why == "SIGINT"
    assert signal.getsignal(signal.SIGINT) is before
