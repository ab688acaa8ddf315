"""Manual sources of system C by HTTP: the owner enters, checked as anywhere; others look; every error is named."""

import json

import pytest

from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.manual_store import ManualStore
from tests.dashboard.asgi import LOOKING, Browser, parts_of
from tests.telegram.house import House

ETF = "2025-04-01 IBIT=120M FBTC=-30M"


async def test_entered_shown_kept_and_undone(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    before = (await browser.ask("GET", "/api/showdown")).json()
    assert before["symbol"] == "BTCUSDT" and before["sources"]["etf"]["counts"] is None
    reply = await browser.ask("POST", "/api/showdown/etf", {"text": ETF})
    assert reply.status == 200 and reply.json()["version"] == 1
    await browser.ask("POST", "/api/showdown/etf", {"text": "2025-04-02 5M"})
    counts = (await browser.ask("GET", "/api/showdown")).json()["sources"]["etf"]["counts"]
    assert [day["date"] for day in counts["body"]["days"]] == ["2025-04-01", "2025-04-02"]
    assert counts["source"].startswith("dashboard ")
    undone = (await browser.ask("POST", "/api/showdown/etf/undo", {})).json()
    assert (undone["undone"]["version"], undone["counts"]["version"]) == (2, 1)
    rows = (await browser.ask("GET", "/api/showdown/etf/history")).json()["versions"]
    assert [(row["version"], row["undone_ms"] is not None) for row in rows] == [(2, True), (1, False)]
    audit = (house.paths.data / "dashboard_audit.json").read_text()
    assert '"enter etf"' in audit and '"undo etf"' in audit
    stored = ManualStore(ShowdownFiles(house.paths, "BTCUSDT", True)).current()["etf"]
    assert stored.version == 1  # what the service reads


@pytest.mark.parametrize(("kind", "text", "named"), [
    ("etf", "2025-04-01 IBIT=1M\n2025-04-01 IBIT=2M", ["more than once"]),
    ("etf", '{"days": [{"date": "2025-04-05", "total": NaN}]}', ["no US trading day", "finite"]),
    ("liqmap", '{"price": 90000, "zones": [{"side": "long", "low": 95000, "high": 96000, "size_usd": 1},'
               '{"side": "short", "low": 1, "high": 2, "size_usd": 1}, {"side": "x"}]}',
     ["wrong side", "zones.2.side"]),
    ("sentiment", "5 <script>alert(1)</script>", ["less than or equal to 1"]),
    ("sentiment", "", ["no number"])])
async def test_what_is_wrong_is_named_and_changes_nothing(house: House, kind: str, text: str, named: list[str]) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    for path in (f"/api/showdown/{kind}/check", f"/api/showdown/{kind}"):
        reply = await browser.ask("POST", path, {"text": text})
        assert reply.status == 422
        for words in named:
            assert words in "\n".join(reply.json()["problems"])
    assert (await browser.ask("GET", "/api/showdown")).json()["sources"][kind]["counts"] is None


async def test_a_check_changes_nothing(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    reply = await browser.ask("POST", "/api/showdown/sentiment/check", {"text": "0.4 strong"})
    assert reply.json() == {"body": {"score": 0.4, "note": "strong", "halt": False}}
    assert not ShowdownFiles(house.paths, "BTCUSDT", True).versions.exists()


async def test_viewers_look_and_strangers_see_nothing(house: House) -> None:
    app = parts_of(house).app
    viewer = await Browser(app).log_in(LOOKING)
    assert (await viewer.ask("GET", "/api/showdown")).status == 200
    assert (await viewer.ask("POST", "/api/showdown/etf", {"text": ETF})).status == 403
    assert (await Browser(app).ask("GET", "/api/showdown")).status == 401
    owner = await Browser(app).log_in()
    assert (await owner.ask("POST", "/api/showdown/etf", {"text": ETF}, x_csrf="wrong")).status == 403
    assert (await owner.ask("POST", "/api/showdown/etf", {"text": ETF}, origin="http://evil")).status == 403


async def test_other_kinds_contracts_and_bodies_are_refused(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    assert (await browser.ask("POST", "/api/showdown/weather", {"text": "1"})).status == 422
    unknown = await browser.ask("POST", "/api/showdown/etf", {"text": ETF, "symbol": "../../X"})
    assert unknown.status == 404 and "BTCUSDT" in unknown.text
    for body in ({"text": 5}, {"text": "x", "more": 1}, {"text": "x" * 200_001}, ["x"]):
        assert (await browser.ask("POST", "/api/showdown/etf", body)).status == 422
    assert (await browser.ask("POST", "/api/showdown/etf/undo", {})).json()["problems"]


async def test_damaged_versions_are_told_not_lost(house: House) -> None:
    file = ShowdownFiles(house.paths, "BTCUSDT", True).versions
    file.write_text("{broken")
    browser = await Browser(parts_of(house).app).log_in()
    assert (await browser.ask("GET", "/api/showdown")).status == 503
    reply = await browser.ask("POST", "/api/showdown/etf", {"text": ETF})
    assert reply.status == 507 and "Nothing was changed" in json.dumps(reply.json())
    assert file.read_text() == "{broken"
