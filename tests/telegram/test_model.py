"""/model: what it says of a model that votes, stands aside, is retired, refused or absent; and its picture."""

from pathlib import Path
from typing import Any

import matplotlib.image
import msgspec
import numpy as np
import pytest

from modules.exchange.settings import ExchangeSettings
from modules.learning import cards, modelfiles, modelkeeping
from modules.learning.fit import Shown
from modules.learning.gate import evidence
from modules.learning.modelfiles import FEEDBACK, Manifest
from modules.learning.promise import Promise, Watch
from modules.learning.validation import Interval
from modules.strategies.hype.files import Kept, LearningFiles
from modules.telegram.chart_model import model as draw
from modules.telegram.chart_style import DOWN, ENTRY, UP
from modules.telegram.markup import plain
from tests.learning.models import put
from tests.telegram.house import House
from tests.telegram.test_charts import share
from utils.paths import Paths


def shown(count: int = 500) -> Shown:
    rng = np.random.default_rng(3)
    probability = rng.uniform(0.05, 0.5, count)
    labels = (rng.random(count) < probability).astype(float)
    return Shown(probability, np.argsort(np.argsort(probability)) / count, labels,
                 rng.normal(-0.5, 3.0, count), np.arange(count, dtype=np.float64) * 7_200_000.0 + 1.7e12)


def trained(folder: Path, name: str = FEEDBACK, aside: str = "", net: float = 1.0) -> Manifest:
    text, saved, scaler = put(folder, name, seed=1, aside=aside)
    judged = shown()
    approved = judged.confidence >= 0.8
    found = evidence(np.where(approved, net, -1.0) + judged.net * 0.1, approved, judged.times)
    promise = Promise(confidence=0.8, approved=100, precision=Interval(0.4, 0.3, 0.5), lift=found.lift)
    saved = modelfiles.save(folder, msgspec.structs.replace(saved, gate=found, promise=promise), text, scaler)
    card = cards.make(name, saved.label, judged, 0.8, 7)
    cards.save(folder, msgspec.structs.replace(card, generation=saved.generation))
    return saved


async def test_a_model_that_votes_shows_promise_and_picture(house: House) -> None:
    trained(house.paths.models)
    LearningFiles(house.paths).watch.save({FEEDBACK: Kept(looked_ms=1, watch=Watch(
        resolved=40, approved=10, right=4, priced=10, net_all_pct=-1.0, net_approved_pct=0.5, limit=720.0))})
    told = plain(await house.ask("/model"))
    assert "Feedback model: votes" in told and "may veto" in told
    assert "500 judged" in told and "100, 40% [30%, 50%] came true" in told and "lift: +" in told
    assert "Promised: 40% right [30%, 50%]" in told
    assert "live 4 of 10 approved were right (40%), +0.50 % a trade, all candidates -1.00 %" in told
    [(task, spec)] = house.worker.asked
    assert task == "model" and spec["state"] == "votes" and spec["card"]["judged"] == 500


@pytest.mark.parametrize("retired", [False, True])
async def test_it_says_whether_it_stands_aside_and_why(house: House, retired: bool) -> None:
    trained(house.paths.models, aside="" if retired else "it does not beat taking every candidate", net=-2.0)
    if retired:
        modelkeeping.retire(house.paths.models, FEEDBACK, "it broke its promise: live 1 of 40 were right")
    told = plain(await house.ask("/model feedback"))
    assert ("Feedback model: retired" if retired else "Feedback model: stands aside") in told
    assert ("live 1 of 40" if retired else "does not beat taking every candidate") in told
    assert "Hype trading lost here, with the filter and without it." in told
    assert ("Promised: 40%" in told) == retired


async def test_a_token_by_its_short_name_and_what_is_not_there(house: House) -> None:
    assert "There is no feedback model yet" in plain(await house.ask("/model"))
    trained(house.paths.models, "PEPEUSDT")
    assert "Model of PEPEUSDT: votes" in plain(await house.ask("/model pepe"))
    assert "NOUSDT has no model of its own" in plain(await house.ask("/model no"))
    LearningFiles(house.paths).pending.save({"NOUSDT": "no model yet: too young"})
    assert "It waits to be trained: no model yet: too young" in plain(await house.ask("/model NOUSDT"))
    modelfiles.save_none(house.paths.models, "YOUNGUSDT", "90 usable rows", 1)
    assert "90 usable rows" in plain(await house.ask("/model young"))


async def test_a_refused_model_is_not_shown_as_good(house: House) -> None:
    trained(house.paths.models)
    path = modelfiles.part_path(house.paths.models, FEEDBACK, "model")
    path.write_bytes(path.read_bytes()[:-1])
    told = plain(await house.ask("/model"))
    assert "Feedback model is refused" in told and "changed or foreign" in told and "/starttrain" in told
    assert house.worker.asked == []


def spec_of(saved: Manifest, card: cards.Card, state: str) -> dict[str, Any]:
    return {"name": "Feedback model", "state": state, "zone": "UTC", "note": "a note", "bar": 0.8,
            "card": msgspec.to_builtins(card), "per_trade": ["+0.10% a trade (100)", "-0.50% a trade (500)"]}


@pytest.mark.parametrize(("state", "color"), [("votes", UP), ("retired", DOWN), ("stands aside", ENTRY)])
async def test_the_picture_is_made(tmp_path: Path, state: str, color: str) -> None:
    paths = Paths(tmp_path).prepare()
    saved = trained(paths.models)
    card = cards.read(paths.models, FEEDBACK, saved.generation)
    assert card is not None
    made = await draw(paths, ExchangeSettings(), spec_of(saved, card, state))
    picture = paths.data / made["picture"]
    assert matplotlib.image.imread(picture).shape[:2] == (1500, 1125)
    assert share(picture, ENTRY) > 0.0005 and share(picture, color) > 0.0003


async def test_a_card_of_nothing_is_drawn_as_such(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    saved = trained(paths.models)
    nothing = Shown(np.full(3, np.nan), np.full(3, np.nan), np.ones(3), np.full(3, np.nan), np.arange(3.0))
    card = cards.make(FEEDBACK, "x", nothing, 0.8, 7)
    made = await draw(paths, ExchangeSettings(), spec_of(saved, card, "votes"))
    assert (paths.data / made["picture"]).exists()
