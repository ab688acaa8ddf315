"""A scan from tickers to proposal, on a venue in memory, with models that say what the test has them say."""

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pytest

from modules.exchange.types import Mode, Unavailable
from modules.execution.risk_state import Trading
from modules.learning.features import CONTEXT, FEATURES
from modules.learning.predictor import Judgement, NoModel
from modules.strategies.hype.files import (
    HypeFiles,
    LearningFiles,
    TestMode,
    mode_file,
)
from modules.strategies.hype.records import Strategy, Trade
from modules.strategies.hype.scan_report import scan_report_file
from modules.strategies.hype.scanner import Scanner
from modules.strategies.hype.settings import HypeSettings
from modules.supervision.messages import Inbox
from tests.hype.market_in_memory import Coin, MemoryMarket
from utils.paths import Paths

YES = {"probability": 0.4, "confidence": 0.93, "approves": True, "reason": "chance 40 %"}
NO = {"probability": 0.1, "confidence": 0.3, "approves": False, "reason": "chance 10 %"}
ASIDE = {"probability": 0.2, "confidence": 0.5, "approves": None, "reason": "stands aside: no edge"}
QUIET = Coin(growth_24h=1.0)
STEADY = Coin(growth_5m=1.0, growth_1h=7.0, growth_24h=9.0, surge=4.0, wobble_pct=0.6)
VIOLENT = Coin(growth_5m=9.0, growth_1h=12.0, growth_24h=14.0, surge=6.0, wobble_pct=0.6)


@dataclass
class Voices:
    """Models by name; a name that is absent has none yet. Keeps what it was asked."""

    said: dict[str, dict] = field(default_factory=dict)
    impossible: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def feedback(self, row, context=()):
        return self.token("feedback", row, context)

    def token(self, symbol, row, context=()):
        assert len(row) == len(FEATURES)
        assert len(context) == len(CONTEXT)
        self.asked.append(symbol)
        return self.card(symbol) if symbol not in self.said else Judgement(model=symbol, **self.said[symbol])

    def card(self, name):
        if name in self.said:
            return SimpleNamespace(aside="")  # of a manifest the scanner reads only this
        return NoModel(f"{name} has no model", wanted=name not in self.impossible)


class Bench:
    """A scanner with its surroundings."""

    def __init__(self, home, coins: dict[str, Coin], voices: Voices, **settings) -> None:
        self.paths = Paths(home).prepare()
        btc = Coin(price=60_000.0, growth_1h=0.5, growth_24h=2.0, volume_24h=1e9)
        self.market = MemoryMarket({"BTCUSDT": btc, **{name: replace(coin) for name, coin in coins.items()}})
        self.voices = voices
        self.monotonic_s = 0.0
        self.scanner = Scanner(self.market, voices, HypeSettings(**settings), self.paths, lambda: self.monotonic_s)
        self.tracker, self.trainer = (Inbox(self.paths.inbox, name) for name in ("tracker", "trainer"))

    async def start(self) -> "Bench":
        await self.scanner.set_markets(refresh=False)
        await self.scanner.warm_up()
        return self

    async def scan(self, later_s: float = 0.0) -> None:
        self.market.hand.ms += int(later_s * 1000)
        await self.scanner.scan()

    def proposals(self) -> list[dict]:
        return [message.body for _, message in self.tracker.take()]

    def wishes(self) -> list[tuple[str, str]]:
        return [(message.kind, message.body.get("symbol", "")) for _, message in self.trainer.take()]

    def candidates(self) -> list[dict]:
        return LearningFiles(self.paths).candidates.read()

    def activity(self, mode: Mode = Mode.TEST):
        return HypeFiles(self.paths, mode).activity.newest(50)


async def test_both_models_say_yes_and_the_tracker_gets_one_proposal(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY, "DULLUSDT": QUIET},
                        Voices({"feedback": YES, "PEPEUSDT": {**YES, "confidence": 0.88}})).start()
    await bench.scan()
    await bench.scan(30)
    [proposal] = bench.proposals()
    [row] = bench.candidates()
    assert proposal["symbol"] == "PEPEUSDT"
    assert proposal["strategy"] == "simple"
    assert proposal["mode"] == "TEST"
    assert proposal["confidence"] == 0.88  # the lower of the two
    assert proposal["size_factor"] == 1.0
    assert proposal["price"] == pytest.approx(1.0)
    assert proposal["candidate_id"] == row["id"]
    assert bench.tracker.take()[0][1].id == row["id"]
    assert row["verdict"] == "approved"
    assert [record.verdict for record in bench.activity() if record.event == "judged"] == ["approved"]


async def test_the_token_model_is_asked_only_after_the_feedback_models_yes(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": NO, "PEPEUSDT": YES})).start()
    await bench.scan()
    assert bench.voices.asked == ["feedback"]  # A4
    assert bench.proposals() == []
    [row] = bench.candidates()
    assert (row["verdict"], row["codes"], row["price"]) == ("rejected", "feedback_no", "1.0")
    stored = json.loads(row["features"])
    assert set(FEATURES) | set(CONTEXT) <= set(stored)
    assert stored["change_24h_pct"] == pytest.approx(9.0)


@pytest.mark.parametrize(("voices", "code"), [
    ({"feedback": YES, "PEPEUSDT": NO}, "token_no"),
    ({"feedback": YES, "PEPEUSDT": {**YES, "confidence": 0.79}}, "confidence_low"),
    ({"feedback": {**YES, "confidence": 0.6}, "PEPEUSDT": YES}, "confidence_low"),
])
async def test_a_vetoed_strategy_needs_both_and_the_least_confidence(tmp_path, voices, code):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices(voices)).start()
    await bench.scan()
    assert bench.proposals() == []
    assert bench.candidates()[0]["codes"] == code


async def test_a_model_without_edge_neither_vetoes_nor_gives_confidence(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": ASIDE, "PEPEUSDT": ASIDE})).start()
    await bench.scan()
    [proposal] = bench.proposals()
    assert (proposal["confidence"], proposal["probability"]) == (0.80, None)
    [record] = [r for r in bench.activity() if r.event == "judged"]
    assert "stands_aside" in record.codes
    assert record.text == "feedback model and own model stand aside (no proven edge): exits of row 0.80"


async def test_aggressive_is_never_vetoed_and_takes_the_models_confidence(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": VIOLENT}, Voices({"feedback": NO, "PEPEUSDT": NO})).start()
    await bench.scan()
    [proposal] = bench.proposals()
    assert (proposal["strategy"], proposal["confidence"]) == ("aggressive", 0.3)


async def test_aggressive_does_not_wait_for_models_but_has_them_made(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": VIOLENT}, Voices()).start()
    await bench.scan()
    assert bench.proposals()[0]["confidence"] == 0.80
    assert bench.wishes() == []  # a trainer at work makes a missing feedback model by itself
    bench.monotonic_s += 301
    await bench.scan(901)
    await bench.scan(901)
    assert bench.wishes() == [("feedback", "")]


async def test_a_missing_token_model_is_wished_for_and_its_token_judged_afresh_when_it_is_there(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES})).start()
    await bench.scan()
    await bench.scan(30)
    assert bench.wishes() == [("token", "PEPEUSDT")]  # once, not at every scan
    assert LearningFiles(bench.paths).pending.load().keys() == {"PEPEUSDT"}
    assert bench.candidates() == []
    assert [r.verdict for r in bench.activity() if r.event == "judged"] == ["waiting"]
    bench.voices.said["PEPEUSDT"] = YES
    bench.market.coins["PEPEUSDT"].price = 1.02
    bench.scanner.model_ready("PEPEUSDT")
    await bench.scan(30)
    [proposal] = bench.proposals()
    assert proposal["price"] == pytest.approx(1.02)  # fresh data, not those of the first look


async def test_a_model_whose_message_was_lost_is_found_by_looking(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices()).start()
    await bench.scan()
    assert bench.scanner.view.report().waiting == {"PEPEUSDT": "feedback"}
    bench.voices.said.update({"feedback": YES, "PEPEUSDT": YES})
    await bench.scan(30)
    assert [p["symbol"] for p in bench.proposals()] == ["PEPEUSDT"]


async def test_a_token_that_can_have_no_model_is_refused_not_waited_for(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES}, {"PEPEUSDT"})).start()
    await bench.scan()
    assert bench.candidates()[0]["codes"] == "model_never_came"


async def test_a_waiting_token_that_fell_meanwhile_is_not_bought(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES})).start()
    await bench.scan()
    bench.voices.said["PEPEUSDT"] = YES
    bench.market.coins["PEPEUSDT"] = Coin(price=0.9, growth_5m=-5.0, growth_1h=-4.0, growth_24h=0.0)
    await bench.scan(60)
    assert bench.proposals() == []
    assert not bench.scanner.waiting.waits("PEPEUSDT")


async def test_judged_once_then_left_alone_for_rejudge_after(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": NO}), rejudge_after_s=900).start()
    await bench.scan()
    await bench.scan(60)
    assert len(bench.candidates()) == 1
    assert bench.scanner.view.funnel["cool_down"] == 1
    bench.market.coins["PEPEUSDT"] = STEADY
    await bench.scan(860)
    await bench.start()
    await bench.scan(30)
    assert len(bench.candidates()) == 2


async def test_btc_falling_pauses_entries_but_candidates_are_still_written(tmp_path):
    bench = Bench(tmp_path, {"PEPEUSDT": replace(VIOLENT, growth_5m=14.0)}, Voices({"feedback": YES}))
    bench.market.coins["BTCUSDT"].growth_1h = -4.0
    await bench.start()
    await bench.scan()
    assert bench.proposals() == []
    assert bench.candidates()[0]["codes"].split()[0] == "mood_pause"
    assert any(r.event == "mood" and "pause" in r.text for r in bench.activity())


async def test_a_careful_mood_halves_the_size(tmp_path):
    bench = Bench(tmp_path, {"PEPEUSDT": replace(VIOLENT, growth_5m=14.0)}, Voices({"feedback": YES}))
    bench.market.coins["BTCUSDT"].growth_1h = -1.5
    await bench.start()
    await bench.scan()
    assert bench.proposals()[0]["size_factor"] == 0.5


async def test_paused_entries_are_not_proposed(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES, "PEPEUSDT": YES})).start()
    file = HypeFiles(bench.paths, Mode.TEST).risk
    file.save(msgspec.structs.replace(file.load(), trading=Trading.PAUSED, reason="by hand"))
    await bench.scan()
    assert bench.proposals() == []
    assert bench.candidates()[0]["codes"] == "entries_paused"


async def test_a_token_that_rests_after_a_sale_is_judged_for_the_record_but_not_proposed(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES, "PEPEUSDT": YES})).start()
    HypeFiles(bench.paths, Mode.TEST).trades.append(Trade(
        id="s", position_id="p", symbol="PEPEUSDT", mode="TEST", side="SELL", market_ms=bench.market.hand.ms - 1000,
        price=Decimal(1), quantity=Decimal(1), quote_usdt=Decimal(1), fee_usdt=Decimal(0), strategy=Strategy.SIMPLE,
        confidence=0.9, reason="stop"))
    await bench.scan()
    assert bench.proposals() == []
    assert bench.candidates()[0]["codes"] == "resting"


async def test_the_mode_is_that_of_the_moment_of_decision(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES, "PEPEUSDT": YES})).start()
    mode_file(bench.paths).save(TestMode(test_mode=False))
    await bench.scan()
    assert bench.proposals()[0]["mode"] == "LIVE"
    assert bench.activity(Mode.TEST) == []
    assert bench.activity(Mode.LIVE)


async def test_what_is_held_is_not_looked_at(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": YES, "PEPEUSDT": YES})).start()
    bench.paths.data.joinpath("test_tracked_tokens.json").write_text(json.dumps({"PEPEUSDT": {
        "id": "1", "symbol": "PEPEUSDT", "mode": "TEST", "strategy": "simple", "confidence": 0.9, "opened_ms": 1,
        "entry_price": "1", "quantity": "1", "initial_quantity": "1", "cost_usdt": "1", "tp_prices": ["1.1"],
        "sl_price": "0.9", "sl_initial": "0.9", "dynamic_peak": "1",
    }}), encoding="utf-8")
    bench.market.calls.clear()
    await bench.scan()
    assert bench.proposals() == []
    assert bench.market.calls == ["tickers"]
    assert bench.scanner.view.funnel["held"] == 1


async def test_only_the_strongest_are_looked_at_and_judged(tmp_path):
    coins = {f"C{i:02d}USDT": replace(VIOLENT, growth_5m=8.0 + i) for i in range(10)}
    bench = await Bench(tmp_path, coins, Voices({"feedback": YES}), max_probes=5, max_candidates=2).start()
    await bench.scan()
    assert [p["symbol"] for p in bench.proposals()] == ["C09USDT", "C08USDT"]
    looked = {call.split()[1] for call in bench.market.calls if call.startswith("book")}
    assert looked == {f"C{i:02d}USDT" for i in range(5, 10)}


async def test_one_token_without_data_does_not_stop_the_others(tmp_path):
    bench = Bench(tmp_path, {"BADUSDT": VIOLENT, "PEPEUSDT": VIOLENT}, Voices({"feedback": YES}))
    bench.market.broken.add("BADUSDT")
    await bench.start()
    await bench.scan()
    assert {p["symbol"] for p in bench.proposals()} == {"PEPEUSDT"}
    check = bench.scanner.view.report().checks.get("BADUSDT")
    assert check is None or check.codes == ("no_data",)


async def test_no_tickers_is_unavailable_and_nothing_is_decided(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": VIOLENT}, Voices({"feedback": YES})).start()
    bench.market.broken.add("tickers")
    with pytest.raises(Unavailable):
        await bench.scan()
    assert bench.proposals() == []


@pytest.mark.parametrize(("change", "code"), [
    ({"trading": False}, "not_trading"), ({"api_allowed": False}, "api_closed"),
])
async def test_halted_or_closed_to_api_is_never_proposed(tmp_path, change, code):
    bench = await Bench(tmp_path, {"PEPEUSDT": replace(VIOLENT, **change)}, Voices({"feedback": YES})).start()
    await bench.scan()
    assert bench.proposals() == []
    assert bench.scanner.view.funnel[code] == 1  # A11


async def test_a_thin_book_is_refused_with_its_figures_told(tmp_path):
    thin = replace(VIOLENT, depth_usdt=50.0)
    bench = await Bench(tmp_path, {"PEPEUSDT": thin}, Voices({"feedback": YES})).start()
    await bench.scan()
    check = bench.scanner.view.report().checks["PEPEUSDT"]
    assert check.codes == ("depth_low",)
    assert check.figures["depth_usdt"] == pytest.approx(50, rel=0.01)
    assert bench.candidates() == []


async def test_a_cold_start_without_warm_up_knows_only_the_day_and_says_so(tmp_path):
    bench = Bench(tmp_path, {"PEPEUSDT": VIOLENT}, Voices({"feedback": YES}))
    await bench.scanner.set_markets(refresh=False)
    await bench.scan()
    assert bench.proposals() == []  # 14 % over 24 h is under the bar, the hour is not known yet
    assert bench.scanner.needs_warmup()
    await bench.scanner.warm_up()
    assert not bench.scanner.needs_warmup()
    await bench.scan(5)
    assert len(bench.proposals()) == 1


async def test_the_report_on_disk_has_funnel_bars_board_and_checks(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY, "DULLUSDT": QUIET}, Voices({"feedback": NO})).start()
    await bench.scan()
    bench.scanner.view.write(0.0, force=True)
    report = scan_report_file(bench.paths).load()
    assert report.funnel["listed"] == 3
    assert report.funnel["suspects"] == report.funnel["rejected"] == 1
    assert report.checks["PEPEUSDT"].codes == ("feedback_no",)
    assert {row.symbol for row in report.board} == {"BTCUSDT", "PEPEUSDT", "DULLUSDT"}
    assert report.bars["growth_1h_pct"] > 0
    assert report.mood == "normal"
    assert report.mode == "TEST"


async def test_volatility_of_every_candidate_is_logged(tmp_path):
    bench = await Bench(tmp_path, {"PEPEUSDT": STEADY}, Voices({"feedback": NO})).start()
    await bench.scan()
    [entry] = LearningFiles(bench.paths).volatility.newest(5)
    assert entry["symbol"] == "PEPEUSDT"  # A12
    assert 0.1 < float(entry["atr_pct"]) < 5
