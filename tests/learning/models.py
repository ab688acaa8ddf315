"""Small trained models for tests, made once a process."""

from functools import lru_cache
from pathlib import Path

import lightgbm
import msgspec
import numpy as np

from modules.learning import calibration, modelfiles
from modules.learning.calibration import Scaler
from modules.learning.features import CONTEXT, FEATURES, VERSION
from modules.learning.modelfiles import FEEDBACK, FORMAT, Manifest, Versions
from tests.learning.test_validation import measured


@lru_cache(maxsize=16)
def small_model(seed: int) -> tuple[str, Manifest, Scaler]:
    """Text, card (without name) and scaler of a model over all features and context columns."""
    rng = np.random.default_rng(seed)
    names = FEATURES + CONTEXT
    table = rng.normal(size=(300, len(names)))
    label = (table[:, seed % len(names)] + 0.3 * rng.normal(size=300) > 0.3).astype(float)
    booster = lightgbm.train({"objective": "binary", "num_leaves": 4, "num_threads": 1, "verbosity": -1, "seed": seed},
                             lightgbm.Dataset(table, label), 15)
    scores = booster.predict(table, raw_score=True)
    slope, offset, xs, ys = calibration.curve(scores, label)
    scaler = Scaler(slope=slope, offset=offset, xs=xs, ys=ys, quantiles=calibration.percentiles(scores), threshold=0.3)
    card = Manifest(
        format=FORMAT, name=FEEDBACK, generation="", files={}, features=names, label="+5 % after 6 h",
        origin="bootstrap", rows=300, labelled_rows=0, from_ms=1, to_ms=2, trained_ms=3, threshold=0.3, aside="",
        metrics=measured(2.0), versions=Versions(VERSION, "4", "3"),
    )  # fmt: skip
    return booster.model_to_string(), card, scaler


def put(folder: Path, name: str, *, seed: int, aside: str = "") -> tuple[str, Manifest, Scaler]:
    """Save a small model under `name`; returns what was saved."""
    text, card, scaler = small_model(seed)
    card = msgspec.structs.replace(card, name=name, aside=aside)
    scaler = msgspec.structs.replace(scaler, aside=aside)
    return text, modelfiles.save(folder, card, text, scaler), scaler
