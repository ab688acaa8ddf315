"""The doctor: finds what is wrong, says how to mend it, changes nothing, tells no secret."""

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config import doctor, doctor_net, doctor_state
from config.finding import Finding
from config.settings import load_settings
from modules.exchange.types import Mode
from modules.storage.json_state import JsonFile
from modules.strategies.hype.files import HypeFiles, LearningFiles
from modules.supervision.outbox import Outbox
from tests.surroundings import OURS
from utils.locks import ProcessLock
from utils.paths import Paths

TOKEN = "123456789:AAFabcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path).prepare()


def by_what(findings: list[Finding], what: str) -> list[Finding]:
    return [finding for finding in findings if finding.what == what]


def test_a_fresh_installation_is_healthy(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.command(paths, as_json=True) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["ok"] is True and out.count("\n") == 1
    assert not [one for one in report["findings"] if one["verdict"] == "bad"]
    assert doctor.command(paths, as_json=False) == 0
    assert "0 bad" in capsys.readouterr().out


def test_broken_settings_are_all_listed_and_the_rest_is_still_looked_at(
        paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("EXCHANGE", "mexx")
    monkeypatch.setenv("HYPE_TRADE_USDT", "-5")
    assert doctor.command(paths, as_json=False) == 1
    out = capsys.readouterr().out
    assert "BAD  settings: environment: EXCHANGE is 'mexx'" in out
    assert "BAD  settings: environment: HYPE_TRADE_USDT is '-5'" in out
    assert "state: no state files yet" in out


def test_a_feed_and_an_exchange_that_do_not_belong_together_are_told(
        paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FEED_VENUE", "binance_usdm")
    assert doctor.command(paths, as_json=False) == 0
    out = capsys.readouterr().out
    assert "WARN settings: The scalper enters nothing. Its order flow is of binance_usdm" in out
    assert "Set FEED_VENUE=simulated" in out


def test_damaged_state_is_found_and_left_as_it_is(paths: Paths) -> None:
    files = HypeFiles(paths, Mode.TEST)
    files.tracked.save({})
    files.tracked.path.write_text("{", encoding="utf-8")
    LearningFiles(paths).candidates.path.write_text("a,b\n1,2\n", encoding="utf-8")
    files.trades.path.write_text('[\n{"id":1', encoding="utf-8")
    found = list(doctor_state.files(paths))
    bad = sorted(finding.text.split(":")[0] for finding in found if finding.verdict == "bad")
    assert bad == ["candidate_tokens.csv", "test_tracked_tokens.json", "test_trade_history.json"]
    assert files.tracked.path.read_text(encoding="utf-8") == "{"
    mends = {finding.text.split(":")[0]: finding.mend for finding in found if finding.verdict == "bad"}
    files.tracked.path.with_name(f"{files.tracked.path.name}.bak").write_text("{}", encoding="utf-8")
    [tracked] = [finding for finding in doctor_state.files(paths) if finding.text.startswith("test_tracked_tokens")]
    assert "from its copy" in tracked.mend
    assert "from its copy" not in mends["candidate_tokens.csv"] and "mends it" in mends["candidate_tokens.csv"]


def test_set_aside_files_and_dead_letters_are_worth_a_thought(paths: Paths) -> None:
    (paths.data / "tracked_tokens.json.damaged-20250101T000000000Z").touch()
    outbox = Outbox(paths.outbox, "test")
    outbox.say("x")
    outbox.refuse(outbox.pending("console")[0][0])
    found = [finding for finding in doctor_state.files(paths) if finding.verdict == "warn"]
    assert ["tracked_tokens.json.damaged" in found[0].text, "1 could not be delivered" in found[1].text] == [True, True]


def test_little_room_and_no_right_to_write(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_state, "BAD_FREE_MB", 1e12)
    assert [finding.verdict for finding in doctor_state.disk(paths)] == ["bad"]

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor_state, "write_atomic", refuse)
    found = list(doctor_state.disk(paths))
    assert "cannot be written: Permission denied" in found[0].text and found[0].mend


def test_secrets_in_yaml_and_an_open_env_file_are_worth_a_thought(paths: Paths) -> None:
    (paths.config / "config.yaml").write_text(f"telegram:\n  token: {TOKEN}\n  owners: [1]\n", encoding="utf-8")
    env = paths.config / ".env"
    env.write_text("HYPE_TRADE_USDT=10\n", encoding="utf-8")
    env.chmod(0o644)
    found = list(doctor._sources(paths))
    warned = [finding for finding in found if finding.verdict == "warn"]
    assert "the secret telegram.token stands in config.yaml" in warned[0].text
    assert "TELEGRAM_TOKEN" in warned[0].mend
    assert "hype.trade_usdt (config/.env)" in found[0].text and TOKEN not in str(found)
    if os.name != "nt":
        assert "can be read by other users" in warned[1].text


def test_what_runs_is_told(paths: Paths) -> None:
    settings = load_settings(paths, {})
    lock = ProcessLock(paths.run, "tracker")
    lock.acquire()
    try:
        found = list(doctor_state.processes(paths, settings))
    finally:
        lock.release()
    [tracker] = by_what(found, "tracker")
    assert tracker.verdict == "warn" and f"PID {os.getpid()}, not ready" in tracker.text
    assert by_what(found, "bot")[0].text == "does not run now"


def test_a_service_that_fell_over_is_worth_a_thought(paths: Paths) -> None:
    (paths.logs / "scanner.log").write_text("2025-04-01T09:30:00.000Z ERROR x: it fell over\n", encoding="utf-8")
    settings = load_settings(paths, {})
    assert by_what(list(doctor_state.processes(paths, settings)), "scanner")[0].verdict == "ok"
    lock = ProcessLock(paths.run, "bot")
    lock.acquire()
    try:
        [scanner] = by_what(list(doctor_state.processes(paths, settings)), "scanner")
    finally:
        lock.release()
    assert scanner.verdict == "warn" and "it fell over" in scanner.text and "/logs scanner" in scanner.mend


class BotApi(http.server.ThreadingHTTPServer):
    """getMe and getWebhookInfo, as told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, Any]] = {
            "getMe": (200, {"ok": True, "result": {"username": "cox_bot"}}),
            "getWebhookInfo": (200, {"ok": True, "result": {"url": ""}}),
        }


class Handler(http.server.BaseHTTPRequestHandler):
    server: BotApi

    def do_GET(self) -> None:
        assert self.path.startswith(f"/bot{TOKEN}/")
        status, answer = self.server.answers[self.path.rsplit("/", 1)[1]]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[BotApi]:
    server = BotApi()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("method", "answer", "verdict", "part"), [
    ("getMe", (200, {"ok": True, "result": {"username": "cox_bot"}}), "ok", "belongs to @cox_bot"),
    ("getMe", (401, {"ok": False}), "bad", "the token is not valid"),
    ("getMe", (502, {"ok": False}), "bad", "HTTP status 502"),
    ("getMe", (200, b"<html>"), "bad", "not the Bot API"),
    ("getMe", (200, b"[]"), "bad", "not the Bot API"),
    ("getWebhookInfo", (200, {"ok": True, "result": {"url": "https://x"}}), "bad", "webhook"),
])
def test_the_token_is_tried_and_never_shown(paths: Paths, api: BotApi, method: str, answer: tuple[int, Any],
                                            verdict: str, part: str) -> None:
    api.answers[method] = answer
    base = f"http://127.0.0.1:{api.server_address[1]}"
    settings = load_settings(paths, {"TELEGRAM_TOKEN": TOKEN, "TELEGRAM_OWNERS": "1", "TELEGRAM_API_BASE": base})
    found = doctor_net.telegram(settings)
    assert found[-1].verdict == verdict and part in found[-1].text
    assert TOKEN not in str(found)


def test_worst_day_says_what_is_missing_or_out_of_reach(paths: Paths, api: BotApi) -> None:
    here = f"http://127.0.0.1:{api.server_address[1]}/ping"
    settings = load_settings(paths, {"HEARTBEAT_URL": here, "REPORT_WEBHOOK_URL": "http://127.0.0.1:9/secret"})
    ping, second = doctor_net.worst_day(settings)
    assert ping.verdict == "ok" and second.verdict == "bad" and "secret" not in str(second)
    real = load_settings(paths, {"EXCHANGE": "mexc"})
    assert [finding.verdict for finding in doctor_net.worst_day(real)] == ["warn", "warn"]


async def test_an_exchange_out_of_reach_is_bad_and_says_so(paths: Paths) -> None:
    settings = load_settings(paths, {"EXCHANGE_BASE_URL": "http://127.0.0.1:9"})
    found = await doctor_net.examine(paths, settings)
    [exchange] = by_what(found, "exchange")
    assert exchange.verdict == "bad" and exchange.mend


def test_state_of_any_system_that_is_no_json_is_found(paths: Paths) -> None:
    (paths.data / "test_scalper_state.json").write_text("[1,2")
    (paths.data / "scalper_view.json").write_text("{}")
    found = list(doctor_state.files(paths))
    assert [(one.verdict, one.text.split(":")[0]) for one in found][:1] == [("bad", "test_scalper_state.json")]
    assert found[1].text == "1 state file(s) can be read"


def test_paper_account_is_among_the_state_files(paths: Paths) -> None:
    names = [path.name for path, _ in doctor_state._state_files(paths)]
    assert len(names) == len(set(names))
    assert {"test_account.json", "state.json", "tracked_tokens.json", "test_tracked_tokens.json",
            "labeled_candidates.csv"} <= set(names)
    assert all(isinstance(file, JsonFile) or file.path.suffix in (".json", ".csv")
               for _, file in doctor_state._state_files(paths))
